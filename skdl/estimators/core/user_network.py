"""Networks that users bring: built from what they give, copied, and tried.

`network` is a callable or class that takes ``(n_inputs, n_outputs)``, or a module.
Options of a callable are nested parameters, ``network__width``, kept as a
``functools.partial``: so `clone`, searches and pickles know them as any other.
"""

import copy
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from skdl.estimators.core.user_warnings import warn_user
from skdl.randomness import lent_generators
from skdl.training.foreign import lent_where_needed
from skdl.training.objectives import MemberMean, Objective
from skdl.training.runtime import work_per_row
from skdl.training.survival.device_memory import is_out_of_memory

PREFIX = "network__"
HOW = (
    "network must be a callable or class that takes (n_inputs, n_outputs) and returns "
    "a torch.nn.Module, or such a module"
)


class NetworkOptions:
    """Options of a callable `network` as nested parameters of an estimator."""

    network: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; options that were given to `network` too.

        Parameters
        ----------
        deep : bool, default=True
            Whether nested ones are among them.

        Returns
        -------
        dict
        """
        found = super().get_params(deep)  # type: ignore[misc]
        if deep and isinstance(self.network, partial):
            options = self.network.keywords
            found.update({PREFIX + name: value for name, value in options.items()})
        return found

    def set_params(self, **params: Any):
        """Set parameters, also nested ones.

        ``network__width=64`` gives a callable `network` the option ``width=64``.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If there is no such parameter, or no such option of `network`.
        """
        network = params.get("network", self.network)
        nested = hasattr(network, "set_params")  # it has parameters of its own
        options = {
            name.removeprefix(PREFIX): params[name]
            for name in params
            if name.startswith(PREFIX) and not nested
        }
        if options:
            network = with_options(network, options)
            params = {k: v for k, v in params.items() if not k.startswith(PREFIX)}
            params["network"] = network
        return super().set_params(**params)  # type: ignore[misc]


def with_options(network: Any, options: dict[str, Any]) -> partial:
    """Return a callable network with options given to it."""
    if not callable(network) or isinstance(network, nn.Module):
        given = "None" if network is None else f"a {type(network).__name__}"
        raise ValueError(
            f"{PREFIX}{next(iter(options))} is an option of a callable network, but "
            f"network is {given}; set network to a callable that takes it."
        )
    base = network.func if isinstance(network, partial) else network
    known = _parameters(base)
    if known is not None and not any(p.kind is p.VAR_KEYWORD for p in known):
        names = [p.name for p in known if p.kind is not p.POSITIONAL_ONLY][2:]
        wrong = [name for name in options if name not in names]
        if wrong:
            raise ValueError(
                f"network has no options {wrong}; {_name(base)} takes {names}."
            )
    if isinstance(network, partial):
        options = {**network.keywords, **options}
        return partial(network.func, *network.args, **options)
    return partial(network, **options)


def new_user_network(network: Any, n_inputs: int, n_outputs: int) -> nn.Module:
    """Return a copy of the module that a user gives or builds.

    A copy, so that no fit goes on from another's weights and nothing of the user's is
    changed.

    Raises
    ------
    TypeError
        If it is no module, or nothing that builds one.
    ValueError
        If building it fails.
    """
    made = network
    if not isinstance(network, nn.Module):
        _check_signature(network)
        made = _made(network, n_inputs, n_outputs)
    if not isinstance(made, nn.Module):
        raise TypeError(f"{HOW}; it returned {type(made).__name__}: {made!r}.")
    try:
        return copy.deepcopy(made)
    except RuntimeError as error:
        raise TypeError(
            f"network returned a {type(made).__name__} that cannot be copied, which "
            f"every fit does before it trains ({error}). Registering what it computes "
            "with torch.nn.utils.parametrize instead of keeping it as a tensor helps."
        ) from error


def _made(network: Callable[..., Any], n_inputs: int, n_outputs: int) -> Any:
    try:
        with lent_generators():
            return network(n_inputs, n_outputs)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise ValueError(
            f"network fails when it is called as {_name(network)}({n_inputs}, "
            f"{n_outputs}) ({type(error).__name__}: {error})."
        ) from error


def warn_of_equal_members(members: Sequence[nn.Module]) -> None:
    """Warn where networks that are to differ begin with the same weights."""
    first, *others = (list(member.parameters()) for member in members)
    if not first or not others:
        return
    if all(torch.equal(a, b) for a, b in zip(first, others[0], strict=True)):
        warn_user(
            f"All {len(members)} networks begin with the same weights, so that their "
            "mean is hardly better than one: let network be a callable that builds a "
            "new module, or set n_estimators=1.",
            UserWarning,
        )


def _check_signature(network: Callable[..., Any]) -> None:
    """Refuse a callable that does not take the two sizes."""
    try:
        inspect.signature(network).bind(1, 1)
    except TypeError as error:
        raise TypeError(
            f"{HOW}; {_name(network)}{inspect.signature(network)} cannot be called "
            f"with two sizes ({error}). Give other arguments with functools.partial."
        ) from error
    except ValueError:  # some callables have no signature
        return


def _parameters(network: Any) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(network).parameters.values())
    except (TypeError, ValueError):
        return None


def _name(network: Any) -> str:
    return getattr(network, "__name__", type(network).__name__)


def check_output(
    network: nn.Module, inputs: tuple[Tensor, ...], objective: Objective
) -> float:
    """Run a network on a few rows, check what comes and return its work by row.

    Raises
    ------
    ValueError
        If the network cannot take such inputs, or if its output is not one tensor of
        shape (rows, outputs).

    Warns
    -----
    UserWarning
        If the outputs look like probabilities where logits are wanted.
    """
    network.eval()
    found: list[Any] = []
    with lent_where_needed(network):
        handle = network.register_forward_hook(lambda *seen: found.append(seen[2]))
        try:
            work = work_per_row(network, inputs)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ValueError(_about_inputs(inputs, error)) from error
        finally:
            handle.remove()
    n_rows, width = len(inputs[0]), objective.n_outputs
    shape = tuple(found[0].shape) if isinstance(found[0], Tensor) else None
    if shape != (n_rows, width):
        came = type(found[0]).__name__ if shape is None else f"shape {shape}"
        raise ValueError(
            f"network must return a tensor of shape (n_rows, {width}), raw outputs of "
            f"this target; for {n_rows} rows it returned {came}. Give its last "
            "layer n_outputs units, the second argument that `network` is called with."
        )
    if _looks_like_probabilities(network, found[0], objective):
        warn_user(
            "network returns what looks like probabilities: numbers in [0, 1] only. It "
            "should return logits; the softmax or sigmoid is part of the loss, and a "
            "second one keeps the network from learning. Leave its softmax or sigmoid "
            "out.",
            UserWarning,
        )
    return work


def _about_inputs(inputs: tuple[Tensor, ...], error: Exception) -> str:
    """Say what a network could not take."""
    shapes = " and ".join(
        f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in inputs
    )
    return (
        f"network fails on inputs of shape {shapes} ({error}). The first argument that "
        "`network` is called with, n_inputs, counts the columns that its first layer "
        "gets; columns with missing values have a second one."
    )


def _looks_like_probabilities(
    network: nn.Module, raw: Tensor, objective: Objective
) -> bool:
    members = 1
    if isinstance(objective, MemberMean):
        objective, members = objective.member, objective.n_members
    if not getattr(objective, "takes_logits", False):
        return False
    rows = raw.detach().float().reshape(len(raw) * members, -1)
    if not bool(((rows >= 0) & (rows <= 1)).all()):
        return False
    if rows.shape[1] > 1 and bool(((rows.sum(1) - 1).abs() < 1e-4).all()):
        return True
    leaves = [m for m in network.modules() if not any(True for _ in m.children())]
    return isinstance(leaves[-1], nn.Sigmoid)
