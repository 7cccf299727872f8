"""Finding a learning rate
=======================

Finding a learning rate, and what the schedules do with it.

Draws ``lr_find.png`` and ``schedules.png`` into ``output/`` (or ``$SKDL_OUTPUT``).
"""

# %%
import os
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdl import NeuralClassifier, ScheduleDisplay, lr_find

OUTPUT = Path(os.environ.get("SKDL_OUTPUT", "output"))
OUTPUT.mkdir(exist_ok=True)

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)

# %%
# The range test raises the rate after every batch until the loss gets worse. In a
# notebook the result shows itself as a picture.
result = lr_find(NeuralClassifier(random_state=0), X, y)
print(result)
result.plot().figure_.savefig(OUTPUT / "lr_find.png", dpi=100)

# %%
# It works on a pipeline too, and ``lr="auto"`` runs it inside `fit`.
pipeline = make_pipeline(StandardScaler(), NeuralClassifier(lr="auto", random_state=0))
print("suggestion for the pipeline:", f"{lr_find(pipeline, X, y).suggestion:.2g}")
pipeline.fit(X, y)
print(f"rate found inside fit: {pipeline[-1].lr_:.2g}")
print(f"accuracy on held-out digits: {pipeline.score(X_test, y_test):.4f}")

# %%
# The rate is the schedule's peak.
names = ["one_cycle", "cosine", "warm_restarts", "flat_cosine", "constant"]
display = ScheduleDisplay.from_schedules(names).plot()
display.figure_.savefig(OUTPUT / "schedules.png", dpi=100)
