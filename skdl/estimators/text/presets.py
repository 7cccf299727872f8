"""Settings of a TextLM for a purpose."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "small": {},
    "quick": {
        "lowercase": True,
        "min_frequency": 5,
        "embedding_dim": 128,
        "hidden_size": 128,
        "cell": "qrnn",
        "batch_size": 40,
        "max_epochs": 3,
    },
    # Sizes whose weights a GPU holds on the chip. Everything else was chosen for Penn
    # Treebank's 930,000 tokens, and by its validation part.
    "awd": {
        "embedding_dim": 512,
        "hidden_size": 1024,
        "num_layers": 3,
        "dropout": {
            "input": 0.6,
            "hidden": 0.3,
            "output": 0.55,
            "word": 0.1,
            "recurrent": 0.5,
        },
        "activation_penalty": 2.0,
        "temporal_penalty": 1.0,
        "bptt": 70,
        "batch_size": 128,
        "lr": 5e-3,
        "weight_averaging": "ema",
        "max_epochs": 280,
        "precision": "bfloat16",
    },
}
