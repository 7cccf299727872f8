"""Handwritten digits: accuracy against seconds, throughput, and files against arrays.

mnist_10k: the first 8,000 pictures train, the last 2,000 test; every network is
ImageClassifier's own unless it says otherwise.

    python benchmarks/pictures.py [--parts accuracy digits peers throughput files]
    python benchmarks/pictures.py --parts peers --figure docs/images/pictures.png

Bars: defaults at least 99.4% in at most 90 seconds, 98.8% within 20
seconds; digits, five stratified shuffled folds, at least 99.0%; an epoch at least 1.5
times faster than skorch's with the same network; at most 1.10 of a bare torch loop with
the same network, augmentation at most 25% on top; a fit from 2,000 JPEG files at most
1.3 times the time from arrays once they are decoded. Two cores. Peers run in float32,
skdl in bfloat16 where the CPU has units for it (it is also measured in float32). fastai
is measured where it is installed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import bar, begin, load, print_table, ratio, time_in_turn
from lightgbm import LGBMClassifier
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import LRScheduler
from torch import nn

from skdl import ImageClassifier, NeuralClassifier
from skdl.datasets import load_mnist_10k
from skdl.networks.conv import ConvNet, PictureNetwork

N_TRAIN, BATCH, LR = 8000, 128, 1e-2
PARTS = ("accuracy", "digits", "peers", "throughput", "files")


def mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    X, y = load(load_mnist_10k, return_X_y=True)
    X, y = X.reshape(-1, 28, 28), y.astype(np.int64)
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]


def make_network(X: np.ndarray) -> nn.Module:
    body = ConvNet(1, 10, image_shape=X.shape[1:], activation="silu", dropout=0.1)
    return PictureNetwork(body, [float(X.mean())], [float(X.std())])


def timed(model: Any, data: tuple) -> tuple[float, float]:
    """Return accuracy on the test rows and seconds of fit."""
    X, y, X_test, y_test = data
    started = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - started
    return float((model.predict(X_test) == y_test).mean()), seconds


def accuracy() -> None:
    data = mnist()
    found, seconds = timed(ImageClassifier(random_state=0), data)
    bar("mnist_10k, defaults: accuracy", found, 0.994, at_most=False)
    bar("mnist_10k, defaults: seconds", seconds, 90, at_most=True)
    quick = ImageClassifier(max_epochs=7, random_state=0)
    found, seconds = timed(quick, data)
    bar("mnist_10k, 7 epochs: accuracy", found, 0.988, at_most=False)
    bar("mnist_10k, 7 epochs: seconds", seconds, 20, at_most=True)


def digits() -> None:
    data = load_digits()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = ImageClassifier(random_state=0)
    scores = cross_val_score(model, data.images, data.target, cv=folds)
    bar("digits, five folds: accuracy", float(scores.mean()), 0.990, at_most=False)


class Squeezed:
    """A model of rows that takes pictures."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.model.fit(X.reshape(len(X), -1), y)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.model.predict(X.reshape(len(X), -1))


def skorch_net(X: np.ndarray, epochs: int) -> NeuralNetClassifier:
    steps = epochs * -(-len(X) // BATCH)
    return NeuralNetClassifier(
        make_network(X),
        criterion=nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=torch.optim.AdamW,
        lr=LR,
        optimizer__weight_decay=0.1,
        max_epochs=epochs,
        batch_size=BATCH,
        train_split=None,
        verbose=0,
        callbacks=[
            LRScheduler(
                torch.optim.lr_scheduler.OneCycleLR,
                step_every="batch",
                max_lr=LR,
                total_steps=steps,
            )
        ],
    )


class Pictures4D:
    """skorch with the shape that its network takes."""

    def __init__(self, net: NeuralNetClassifier) -> None:
        self.net = net

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.net.fit(X[:, None], y)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.net.predict(X[:, None])


class Fastai:
    """fastai's learner on tensors, with the same network and its own one-cycle."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        import fastai.callback.all  # noqa: F401 - fit_one_cycle, no_bar
        from fastai.basics import DataLoader, DataLoaders, Learner

        rows = list(zip(torch.from_numpy(X[:, None]), torch.from_numpy(y), strict=True))
        loader = DataLoader(rows, bs=BATCH, shuffle=True, num_workers=0)
        loss = nn.CrossEntropyLoss(label_smoothing=0.1)
        learner = Learner(DataLoaders(loader, loader), make_network(X), loss_func=loss)
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(self.epochs, LR)
        self.network = learner.model.eval()

    def predict(self, X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.network(torch.from_numpy(X[:, None])).argmax(1).numpy()


def peers(figure: str | None) -> None:
    data = mnist()
    scaled_mlp = make_pipeline(MinMaxScaler(), MLPClassifier((256, 128)))
    contenders: dict[str, tuple[int, Any]] = {
        f"skdl conv, {n} epochs": (n, ImageClassifier(max_epochs=n)) for n in (4, 7, 20)
    }
    contenders |= {
        "skdl conv, 20 epochs, not augmented": (
            20,
            ImageClassifier(augmentation=None),
        ),
        "skdl dense": (20, Squeezed(NeuralClassifier())),
        "MLPClassifier": (0, Squeezed(scaled_mlp)),
        "LightGBM": (0, Squeezed(LGBMClassifier(verbose=-1))),
        "skorch, same network": (20, Pictures4D(skorch_net(data[0], 20))),
    }
    try:
        import fastai  # noqa: F401

        contenders["fastai, same network"] = (20, Fastai(20))
    except ImportError:
        print("fastai is not installed and left out.")
    rows = []
    for name, (epochs, model) in contenders.items():
        found, seconds = timed(model, data)
        rows.append([name, found, seconds, seconds / epochs if epochs else ""])
        print(f"{name}: {found:.4f} in {seconds:.0f} s", flush=True)
    print_table(["", "accuracy", "seconds", "seconds an epoch"], rows)
    if figure:
        draw(rows, figure)


def draw(rows: list[list], path: str) -> None:
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FixedLocator, NullFormatter

    _, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for i, (name, found, seconds, _) in enumerate(rows):
        ours = name.startswith("skdl")
        to_the_left = ours and name != "skdl conv, 20 epochs"
        point = (seconds, 100 * (1 - found))
        ax.scatter(*point, color="C0" if ours else "C7", zorder=3)
        ax.annotate(
            name,
            point,
            (-6 if to_the_left else 6, 5 if i % 2 else -12),
            textcoords="offset points",
            ha="right" if to_the_left else "left",
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(0.5, 200),
        ylim=(0.4, 5),
        xlabel="seconds of fit, two cores",
        ylabel="test error in %",
        title="Handwritten digits, 8,000 to train, 2,000 to test",
    )
    for axis, ticks in (
        (ax.xaxis, (1, 2, 5, 10, 20, 50, 100)),
        (ax.yaxis, (0.5, 1, 2, 4)),
    ):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    ax.grid(alpha=0.3)
    plt.savefig(path, dpi=110)


def bare_epochs(X: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """Return a function that trains one epoch, written as plainly as it goes."""
    inputs, target = torch.from_numpy(X[:, None]), torch.from_numpy(y)
    network = make_network(X)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, fused=True)

    def epoch() -> None:
        network.train()
        order = torch.randperm(len(inputs))
        for rows in order.split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(
                network(inputs[rows]), target[rows], label_smoothing=0.1
            )
            loss.backward()
            optimizer.step()

    return epoch


def throughput(repeats: int) -> None:
    X, y, *_ = mnist()
    options = {"batch_size": BATCH, "max_epochs": 1}
    plain = ImageClassifier(augmentation=None, **options)
    single = ImageClassifier(augmentation=None, precision="float32", **options)
    augmented = ImageClassifier(**options)
    bare, skorch = bare_epochs(X, y), skorch_net(X, 1)
    seconds = time_in_turn(
        {
            "bare": bare,
            "skdl": lambda: plain.fit(X, y),
            "skdl in float32": lambda: single.fit(X, y),
            "augmented": lambda: augmented.fit(X, y),
            "skorch": lambda: skorch.fit(X[:, None], y),
        },
        repeats,
    )
    share = ratio(seconds, "skdl in float32", "bare")
    bar("skdl in float32 / bare", share, 1.10, at_most=True)
    bar("skdl / bare", ratio(seconds, "skdl", "bare"), 1.10, at_most=True)
    share = ratio(seconds, "augmented", "skdl")
    bar("augmented / skdl", share, 1.25, at_most=True)
    bar("skorch / skdl", ratio(seconds, "skorch", "skdl"), 1.5, at_most=False)


def files(repeats: int) -> None:
    from PIL import Image

    X, y, *_ = mnist()
    X, y = X[:2000], y[:2000]
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{i}.jpg") for i in range(len(X))]
        for path, picture in zip(paths, X, strict=True):
            Image.fromarray(picture).save(path, quality=90)
        pictures = np.stack([np.asarray(Image.open(path)) for path in paths])
        models = [ImageClassifier(random_state=0) for _ in range(3)]
        models[2].set_params(memory_limit=0, max_epochs=5)
        seconds = time_in_turn(
            {
                "arrays": lambda: models[0].fit(pictures, y),
                "files": lambda: models[1].fit(paths, y),
            },
            repeats,
        )
        models[2].fit(paths, y)
    whole = ratio(seconds, "files", "arrays")
    print(f"whole fit of 20 epochs, decoding included, files / arrays: {whole:.3f}")
    later = [m.history_["seconds"][1:].mean() for m in models]
    bar("later epochs, files / arrays", later[1] / later[0], 1.3, at_most=True)
    print(f"read anew in every epoch (memory_limit=0): {later[2] / later[0]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--figure", help="where to draw accuracy against seconds")
    options = parser.parse_args()
    begin("Pictures of digits", "lightgbm", "skorch")
    run = {
        "accuracy": accuracy,
        "digits": digits,
        "peers": lambda: peers(options.figure),
        "throughput": lambda: throughput(options.repeats),
        "files": lambda: files(max(1, options.repeats // 2)),
    }
    for part in options.parts:
        run[part]()


if __name__ == "__main__":
    main()
