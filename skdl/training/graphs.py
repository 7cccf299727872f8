"""Gradients of a step by replaying what was captured once: a CUDA graph.

Small networks on a GPU wait for the launches of their kernels, of which a step has
hundreds. A graph launches all of them with one call. It computes on tensors that stay
where they are: batches are copied into them, and the gradients come out in the same
places each time.
"""

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skdl.randomness import generator_on
from skdl.training.foreign import may_draw
from skdl.training.runtime import Runtime

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor | None]
Capture = Callable[[Callable[[], Any]], tuple[Callable[[], None], Any]]

# Steps of a shape before it is captured, in which libraries choose their kernels; and
# shapes that are captured at most.
_WARM_STEPS, _MOST_SHAPES = 3, 4
# The share by which a replayed loss may differ from one that is computed anew, whose
# masks are others; losses below are about zero. The factor for gradients' norms.
_APART, _LITTLE, _FACTOR = 0.5, 0.1, 3.0


def step_graphs(
    network: nn.Module, runtime: Runtime, *, is_frozen: bool = False
) -> "StepGraphs | None":
    """Return what captures the steps of a training; None where they are not captured.

    Parameters
    ----------
    network : nn.Module
        In training.
    runtime : Runtime
        Where it is.
    is_frozen : bool, default=False
        Whether layers are frozen and thaw.

    Warns
    -----
    RuntimeWarning
        Once for each reason that a user can do something about.
    """
    if runtime.device.type != "cuda":
        return None
    # What processes share out, and states that texts carry on, differ by step.
    if runtime.ranks is not None or hasattr(network, "carried_states"):
        return None
    if is_frozen:
        _tell("layers are frozen and thaw")
        return None
    if may_draw(network):
        _tell("the network has modules that are neither torch's nor skdl's, or hooks")
        return None
    return StepGraphs(runtime.device, captured)


@functools.cache  # once is enough
def _tell(reason: str) -> None:
    warnings.warn(
        f"The steps of training are not captured in a CUDA graph, since {reason}: "
        "small networks are several times slower so.",
        RuntimeWarning,
        stacklevel=2,
    )


def captured(body: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    """Capture what a function computes; return what replays it, and its result.

    The function must not wait for the device, and have run some times before.
    """
    graph = torch.cuda.CUDAGraph()
    generator = generator_on(torch.device("cuda"))
    if generator is not None:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        result = body()
    return graph.replay, result


class _Shape:
    """A captured step on batches of one shape."""

    def __init__(
        self,
        batch: Batch,
        parameters: Sequence[Tensor],
        backward: Callable[[Batch, float], Tensor],
        capture: Capture,
    ) -> None:
        inputs, _, weight = batch
        self._static = [t.clone() for t in _tensors(batch)]
        n_inputs = len(inputs)
        rest = self._static[n_inputs + 1] if weight is not None else None
        own = tuple(self._static[:n_inputs]), self._static[n_inputs], rest

        def body() -> Tensor:
            for parameter in parameters:
                parameter.grad = None
            return backward(own, 1.0)

        self._replay, self._loss = capture(body)
        self._parameters = parameters
        self._gradients = [p.grad for p in parameters]

    def gradients(self, batch: Batch) -> Tensor:
        """Give the parameters their gradients; return the loss."""
        for static, tensor in zip(self._static, _tensors(batch), strict=True):
            static.copy_(tensor, non_blocking=True)
        self._replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._loss.clone()


class StepGraphs:
    """The captured steps of a training, one for each shape of its batches.

    The first steps of a shape are taken one kernel after the other. A graph whose loss
    or gradient is not that of such a step is not used.

    Parameters
    ----------
    device : torch.device
        Where training is.
    capture : callable
        As `captured` is.
    """

    def __init__(self, device: torch.device, capture: Capture) -> None:
        self._device, self._capture = device, capture
        self._seen: dict[Any, int] = {}
        self._shapes: dict[Any, _Shape] = {}
        self.is_over = False

    def gradients(
        self,
        batch: Batch,
        parameters: Sequence[Tensor],
        backward: Callable[[Batch, float], Tensor],
        one_by_one: Callable[[Batch], Tensor],
    ) -> Tensor:
        """Give parameters without a gradient that of a batch; return its loss.

        Parameters
        ----------
        batch : tuple
            Inputs, target and weight.
        parameters : sequence of Tensor
            The same in every call.
        backward : callable
            Takes a batch and the share of its loss, adds the gradient and returns the
            loss; does not wait for the device.
        one_by_one : callable
            Takes a batch and does the same, however that goes.
        """
        key = tuple((t.shape, t.dtype) for t in _tensors(batch)), batch[2] is None
        if key in self._shapes:
            return self._shapes[key].gradients(batch)
        loss = one_by_one(batch)
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        if seen > _WARM_STEPS and not self.is_over and math.isfinite(loss.item()):
            # The gradients of this step stay those that there are.
            taken = [parameter.grad for parameter in parameters]
            expected = loss.item(), _norm(taken)
            self._take(key, batch, parameters, backward, expected)
            for parameter, gradient in zip(parameters, taken, strict=True):
                parameter.grad = gradient
        return loss

    def _take(
        self,
        key: Any,
        batch: Batch,
        parameters: Sequence[Tensor],
        backward: Callable[[Batch, float], Tensor],
        expected: tuple[float, float],
    ) -> None:
        """Capture a step, and keep it if it is one; else give up."""
        reason = ""
        if len(self._shapes) == _MOST_SHAPES:
            reason = f"batches are of more than {_MOST_SHAPES} shapes"
        else:
            try:
                shape = _Shape(batch, parameters, backward, self._capture)
                loss = shape.gradients(batch).item()
                found = loss, _norm([parameter.grad for parameter in parameters])
                if _alike(expected, found):
                    self._shapes[key] = shape
                else:
                    reason = "what a graph computes differs"
            except RuntimeError as error:
                reason = f"that fails ({str(error).splitlines()[0]})"
        if reason:
            self.is_over = True
            _tell(reason)


def _alike(expected: tuple[float, float], found: tuple[float, float]) -> bool:
    """Tell whether two losses and gradients' norms are of one step, but for masks."""
    (loss, norm), (loss_found, norm_found) = expected, found
    near = abs(loss_found - loss) <= _APART * max(abs(loss), _LITTLE)
    return near and norm / _FACTOR <= norm_found <= norm * _FACTOR


def _norm(gradients: Sequence[Tensor | None]) -> float:
    """Return the norm of gradients, of which a parameter may have none, together."""
    norms = [gradient.norm() for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm().item()


def _tensors(batch: Batch) -> list[Tensor]:
    inputs, target, weight = batch
    return [*inputs, target] if weight is None else [*inputs, target, weight]
