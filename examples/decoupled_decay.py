"""Decay in the gradient and decoupled
===================================

Weight decay as an L2 term of the gradient (Adam), and decoupled from it (AdamW).

Held-out accuracy over learning rate and decay: with the decay decoupled the two can be
chosen one after the other (Loshchilov & Hutter 2019, figure 2). Only a few digits are
learned from, so that decay matters. Draws ``decoupled_decay.png`` into ``output/`` (or
``$SKDL_OUTPUT``).
"""

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdl import NeuralClassifier

OUTPUT = Path(os.environ.get("SKDL_OUTPUT", "output"))
OUTPUT.mkdir(exist_ok=True)

X, y = load_digits(return_X_y=True)
X, X_val, y, y_val = train_test_split(X, y, train_size=300, random_state=0, stratify=y)

lrs = np.geomspace(1e-3, 1e-1, 6)
decays = np.geomspace(1e-5, 3, 9)


# %%
# A network for each rate and decay.
def accuracies(optimizer):
    """Return the accuracy for each rate (rows) and decay (columns)."""
    grid = np.empty((len(lrs), len(decays)))
    for i, lr in enumerate(lrs):
        for j, decay in enumerate(decays):
            model = NeuralClassifier(
                optimizer=optimizer,
                lr=lr,
                weight_decay=decay,
                max_epochs=20,
                random_state=0,
            )
            grid[i, j] = model.fit(X, y).score(X_val, y_val)
    return grid


def edges(values):
    """Return the borders of cells around values of a geometric series."""
    half_step = np.sqrt(values[1] / values[0])
    return np.append(values / half_step, values[-1] * half_step)


grids = {"adam": accuracies("adam"), "adamw": accuracies("adamw")}

# %%
# The best setting has a star; colours end a tenth below it.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
best = max(grid.max() for grid in grids.values())
titles = {"adam": "adam: decay in the gradient", "adamw": "adamw: decay decoupled"}
for ax, (name, grid) in zip(axes, grids.items(), strict=True):
    mesh = ax.pcolormesh(edges(decays), edges(lrs), grid, vmin=best - 0.1, vmax=best)
    good = (grid >= best - 0.01).sum()
    i, j = np.unravel_index(grid.argmax(), grid.shape)
    ax.plot(decays[j], lrs[i], "w*", markersize=14, markeredgecolor="black")
    ax.set(xscale="log", yscale="log", xlabel="weight decay", title=titles[name])
    print(f"{name}: best {grid.max():.4f}, within .01 of the best: {good} settings")
axes[0].set_ylabel("learning rate")
figure.colorbar(mesh, ax=axes, label="held-out accuracy", extend="min")
figure.savefig(OUTPUT / "decoupled_decay.png", dpi=100)
