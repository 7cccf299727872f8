"""Pictures and mistakes
=====================

A convolutional network on digits, and what it gets wrong.

Draws ``mistakes.png``, ``confused_pairs.png`` and ``activation_maps.png`` into
``output/`` (or ``$SKDL_OUTPUT``).
"""

# %%
import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdl import (
    ActivationMapDisplay,
    ConfusedPairsDisplay,
    ImageClassifier,
    MistakesDisplay,
)
from skdl.datasets import load_mnist_10k

OUTPUT = Path(os.environ.get("SKDL_OUTPUT", "output"))
OUTPUT.mkdir(exist_ok=True)

try:
    X, y = load_mnist_10k(return_X_y=True)
    X = X.reshape(-1, 28, 28)
except FileNotFoundError:  # the small digits of scikit-learn
    digits = load_digits()
    X, y = (digits.images * 15).astype(np.uint8), digits.target
X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)

# %%
# Bytes go in as they are; augmentation and label smoothing are on by default.
model = ImageClassifier(max_epochs=4, random_state=0).fit(X, y)
print(f"accuracy on held-out pictures: {model.score(X_test, y_test):.4f}")

# %%
# What it is most confidently wrong about, and what it confuses.
mistakes = MistakesDisplay.from_estimator(model, X_test, y_test)
mistakes.figure_.savefig(OUTPUT / "mistakes.png", dpi=100)
pairs = ConfusedPairsDisplay.from_estimator(model, X_test, y_test)
pairs.figure_.savefig(OUTPUT / "confused_pairs.png", dpi=100)

# %%
# What speaks for a prediction.
maps = ActivationMapDisplay.from_estimator(model, X_test)
maps.figure_.savefig(OUTPUT / "activation_maps.png", dpi=100)
