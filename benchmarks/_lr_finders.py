"""Other learning-rate finders on the network, data and range of ours."""

import importlib.util
import io
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import torch
from _validation import Task
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skdl import NeuralClassifier, lr_find
from skdl.data.numeric import NumericEncoder
from skdl.networks.mlp import MLP
from skdl.training.range_test import smooth_losses

RANGE = {"min_lr": 1e-7, "max_lr": 10.0}
STEPS, BATCH, SEEDS = 100, 64, 5


def _prepared(task: Task) -> tuple[torch.Tensor, torch.Tensor, int, nn.Module]:
    """Return inputs and targets as skdl makes them, outputs and the loss."""
    rng = np.random.RandomState(0)
    X = np.asarray(task.X, dtype=np.float32)
    (inputs,) = NumericEncoder().fit(X, rng).transform(X)
    if task.estimator is NeuralClassifier:
        classes, codes = np.unique(task.y, return_inverse=True)
        return inputs, torch.from_numpy(codes), len(classes), nn.CrossEntropyLoss()
    y = torch.from_numpy(task.y.astype(np.float32)).unsqueeze(1)
    return inputs, (y - y.mean()) / y.std(), 1, nn.MSELoss()


def _network(n_inputs: int, n_outputs: int) -> nn.Module:
    return MLP(n_inputs, n_outputs, activation="silu", dropout=0.1)


def _skdl(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    model = task.estimator(batch_size=BATCH, betas=(0.9, 0.999), random_state=seed)
    result = lr_find(model, task.X, task.y, num_iter=STEPS, **RANGE)
    return result.lrs, result.losses


def _torch_lr_finder(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from torch_lr_finder import LRFinder

    torch.manual_seed(seed)
    inputs, target, n_outputs, loss = _prepared(task)
    network = _network(inputs.shape[1], n_outputs)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=RANGE["min_lr"], weight_decay=0.1
    )
    loader = DataLoader(TensorDataset(inputs, target), BATCH, shuffle=True)
    finder = LRFinder(network, optimizer, loss, device="cpu")
    finder.range_test(loader, end_lr=RANGE["max_lr"], num_iter=STEPS, smooth_f=0)
    return np.array(finder.history["lr"]), np.array(finder.history["loss"])


def _fastai(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import fastai.callback.all
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader as FastaiLoader
    from fastai.learner import Learner
    from fastai.optimizer import Adam

    class _RawLosses(fastai.callback.all.Callback):
        def __init__(self) -> None:
            self.losses: list[float] = []

        def after_loss(self) -> None:
            self.losses.append(self.learn.loss.item())

    torch.manual_seed(seed)
    inputs, target, n_outputs, loss = _prepared(task)
    data = TensorDataset(inputs, target)
    loaders = DataLoaders(*(FastaiLoader(data, BATCH, shuffle=True) for _ in range(2)))
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(
            loaders.cpu(),
            _network(inputs.shape[1], n_outputs),
            loss_func=loss,
            opt_func=Adam,
            wd=0.1,
            path=folder,
        )
        raw = _RawLosses()  # what fastai records is smoothed, and lags by 50 steps
        with learner.no_bar(), learner.no_logging(), learner.added_cbs(raw):
            learner.lr_find(RANGE["min_lr"], RANGE["max_lr"], STEPS, show_plot=False)
    return np.array(learner.recorder.lrs), np.array(raw.losses)


FINDERS: dict[str, tuple[str, Callable]] = {
    "skdl": ("skdl", _skdl),
    "torch-lr-finder": ("torch_lr_finder", _torch_lr_finder),
    "fastai": ("fastai", _fastai),
}


def lowest_losses(task: Task) -> list[list]:
    """Return finder, rate at its lowest smoothed loss, and the ratio to skdl's.

    All curves are smoothed alike; the rate is the geometric mean over a few seeds.
    """
    rows: list[list] = []
    for name, (package, curve) in FINDERS.items():
        if importlib.util.find_spec(package) is None:
            rows.append([name, "not installed", ""])
            continue
        logs = []
        for seed in range(SEEDS):
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                lrs, losses = curve(task, seed)
            n = min(len(lrs), len(losses))
            finite = np.isfinite(losses[:n])
            end = n if finite.all() else int(finite.argmin())
            logs.append(np.log(lrs[smooth_losses(losses[:end]).argmin()]))
        rate = float(np.exp(np.mean(logs)))
        rows.append([name, rate, rate / rows[0][1] if rows else 1.0])
    return rows
