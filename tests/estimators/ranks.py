"""What each of two processes does in the tests of fits that are shared out to them."""

import atexit
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdl import EntityEmbeddingRegressor, NeuralClassifier
from skdl.training.ranks import LostRankError

# Each process wants a GPU of its own.
DEVICE = "cuda" if torch.cuda.device_count() > 1 else "cpu"
RNG = np.random.RandomState(0)
X = RNG.randn(203, 5)
Y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(int)
FRAME = np.column_stack([X[:, :2], RNG.randint(0, 20, 203)])
COMMON = {"device": DEVICE, "random_state": 0}
MODEL = NeuralClassifier(
    hidden_layer_sizes=(16,), batch_size=33, dropout=0.0, max_epochs=1, **COMMON
)


def embedding():
    return EntityEmbeddingRegressor(
        hidden_layer_sizes=(8,),
        categorical_features=[2],
        max_epochs=1,
        dropout=0.0,
        **COMMON,
    )


def fits(folder: Path) -> dict[str, list]:
    """Return predictions of fits, by name."""
    checkpoint = folder / "fit.pt"
    models = {
        "weighted": clone(MODEL).fit(X, Y, np.arange(203) % 3 + 1.0),
        "stopped": clone(MODEL)
        .set_params(max_epochs=12, early_stopping=True, n_iter_no_change=1, lr=0.1)
        .fit(X, Y),
        "pack": NeuralClassifier(
            hidden_layer_sizes=(8,), validation=3, max_epochs=3, **COMMON
        ).fit(X, Y),
        "dropped": clone(MODEL).set_params(dropout=0.5, random_state=None).fit(X, Y),
        "saved": clone(MODEL).set_params(checkpoint=checkpoint).fit(X, Y),
    }
    found = {name: m.predict_proba(X)[:, 1].tolist() for name, m in models.items()}
    found["epochs"] = [models["stopped"].n_iter_]
    found["table"] = embedding().fit(FRAME, X[:, 3]).predict(FRAME).tolist()
    return found


def errors() -> dict[str, str]:
    """Return what is said of fits that cannot be shared out."""
    rank = int(os.environ["RANK"])
    found = {}
    pack = NeuralClassifier(hidden_layer_sizes=(8,), validation=3, **COMMON)
    for name, model, rows in [
        ("fewer", MODEL, (X[rank:], Y[rank:])),
        ("others", MODEL, (X + rank, Y)),
        ("others of a pack", pack, (X + rank, Y)),
        ("refused", MODEL, (X if rank == 0 else X[:, :0], Y)),
        ("refused of a pack", pack, (X, Y if rank == 0 else Y[1:])),
        ("refused by both", MODEL, (X[:, :0], Y)),
        ("parameters", clone(MODEL).set_params(max_epochs=1 + rank), (X, Y)),
    ]:
        try:
            model.fit(*rows)
        except (ValueError, LostRankError) as error:
            found[name] = str(error)
    search = GridSearchCV(MODEL, {"lr": [0.1]}, n_jobs=2, cv=2, error_score="raise")
    try:
        with parallel_config("threading"):
            search.fit(X, Y)
    except RuntimeError as error:
        found["joblib"] = str(error)
    return found


def error_of_one_that_dies() -> str:
    """Fit, with a second process that is killed while it does."""

    def schedule(progress: float) -> float:
        if os.environ["RANK"] == "1" and 0.5 < progress < 0.9:
            os.kill(os.getpid(), 9)
        return 1.0

    try:
        MODEL.set_params(max_epochs=4, schedule=schedule).fit(X, Y)
    except RuntimeError as error:
        return str(error)
    return ""


def print_what_is_left() -> None:
    """Say which threads of torch.distributed there are (where the system tells)."""
    threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    print(json.dumps([name for name in threads if "gloo" in name or "tcp" in name]))


if __name__ == "__main__":
    atexit.register(print_what_is_left)  # runs after what is registered later
    print(json.dumps(fits(Path(sys.argv[1])) | errors()), flush=True)
    print(json.dumps(error_of_one_that_dies()))
