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
    "awd": {
        "embedding_dim": 400,
        "hidden_size": 1150,
        "num_layers": 3,
        "dropout": {
            "input": 0.6,
            "hidden": 0.2,
            "output": 0.4,
            "word": 0.1,
            "recurrent": 0.5,
        },
        "activation_penalty": 2.0,
        "temporal_penalty": 1.0,
        "bptt": 70,
        "batch_size": 80,
        "lr": 3e-3,
        "max_epochs": 60,
        "precision": "bfloat16",
    },
}
