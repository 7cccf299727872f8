"""The table of a network's layers."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pandas as pd
import torch
from torch import nn

from skdl.display.base import inside, seen_inside


def model_summary(estimator: Any, X: Any = None) -> pd.DataFrame:
    """Return the layers of a fitted estimator's network, with shapes and parameters.

    Parameters
    ----------
    estimator : estimator, or a Pipeline, search and the like that holds one
        Fitted.
    X : array-like, default=None
        Some rows as `predict` takes them. With them there is a column `output`, the
        shapes of what the layers return for two rows.

    Returns
    -------
    DataFrame
        A row for every module that has parameters of its own or nothing inside, in the
        order in which they are registered, and a last row, "total". The index is the
        name in ``network_``; the columns are `layer`, `weights` (names and shapes),
        `parameters` and, with `X`, `output`.

    Raises
    ------
    TypeError
        If there is no network, or none that takes rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdl import NeuralClassifier, model_summary
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralClassifier(hidden_layer_sizes=8, max_epochs=1).fit(X, y)
    >>> model_summary(model, X)[["layer", "parameters", "output"]]
                 layer  parameters output
    0           Linear          40  2 x 8
    1             SiLU           0  2 x 8
    2          Dropout           0  2 x 8
    3      OutputLayer          27  2 x 3
    total                       67
    """
    model = inside(estimator)
    network = getattr(model, "network_", None)
    if hasattr(model, "branches_") and network is None:
        raise TypeError(
            f"{type(model).__name__} has linear models and no network here: branches_ "
            "shows them; with language_model and fine_tuning there is a network."
        )
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"{type(estimator).__name__} has no network; give a fitted estimator of "
            "skdl, or a Pipeline, search or the like that holds one."
        )
    layers = {name: m for name, m in network.named_modules() if _is_layer(m)}
    table = pd.DataFrame(
        {
            "layer": [type(layer).__name__ for layer in layers.values()],
            "weights": [_weights(layer) for layer in layers.values()],
            "parameters": [_count(layer, recurse=False) for layer in layers.values()],
        },
        index=[name or "network" for name in layers],
    )
    if X is not None:
        table["output"] = _outputs(model, layers, seen_inside(estimator, X))
    table.loc["total"] = {
        name: _count(network) if name == "parameters" else "" for name in table
    }
    return table


def _is_layer(module: nn.Module) -> bool:
    own = next(module.parameters(recurse=False), None)
    return own is not None or next(module.children(), None) is None


def _weights(module: nn.Module) -> str:
    return ", ".join(
        f"{name} {_shape(weight.shape)}"
        for name, weight in module.named_parameters(recurse=False)
    )


def _count(module: nn.Module, recurse: bool = True) -> int:
    return sum(weight.numel() for weight in module.parameters(recurse=recurse))


def _shape(shape: torch.Size) -> str:
    return " x ".join(map(str, shape))


def _outputs(model: Any, layers: dict[str, nn.Module], X: Any) -> list[str]:
    """Return the shapes of what the layers return for two rows."""
    if not hasattr(model, "encode"):
        raise TypeError(
            f"The network of {type(model).__name__} takes no rows: leave X out."
        )
    found: dict[str, str] = {}

    def keep(name: str) -> Callable:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                found[name] = _shape(output.shape)

        return hook

    device = torch.device(model.device_)
    rows = [torch.from_numpy(array).to(device) for array in model.encode(X[:2])]
    with ExitStack() as hooks, torch.no_grad():
        for name, layer in layers.items():
            handle = layer.register_forward_hook(keep(name))
            hooks.callback(handle.remove)
        model.network_(*rows)
    return [found.get(name, "") for name in layers]
