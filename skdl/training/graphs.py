"""Steps by replaying what was captured once: a CUDA graph.

Small networks on a GPU wait for the launches of their kernels, of which a step has
hundreds. A graph launches all of them with one call. It computes on tensors that stay
where they are: batches are copied into them, and the gradients come out in the same
places each time. Where the optimizer can, its step is part of the graph.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from skdl.randomness import generators_on, random_states, set_random_states
from skdl.training.captures import alone_on_gpus, is_alone
from skdl.training.foreign import is_foreign
from skdl.training.runtime import Runtime

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor | None]
Capture = Callable[[Callable[[], Any]], tuple[Callable[[], None], Any]]

# Steps of a shape before it is captured, in which libraries choose their kernels; and
# shapes that are captured at most.
_WARM_STEPS, _MOST_SHAPES = 3, 4
# The share by which a replayed loss may differ from one that is computed anew; losses
# below are about zero. The factor for gradients' norms.
_APART, _LITTLE, _FACTOR = 0.5, 0.1, 3.0


def step_graphs(
    network: nn.Module, runtime: Runtime, *, is_frozen: bool = False
) -> "StepGraphs | None":
    """Return what captures the steps of a training; None where they are not captured.

    Parameters
    ----------
    network : nn.Module
        In any mode; it is going to be trained.
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
    if is_frozen:  # what has a gradient differs by epoch
        return None
    if is_foreign(network):
        _tell("the network has modules that are neither torch's nor skdl's, or hooks")
        return None
    return StepGraphs(runtime.device, captured)


_told: set[str] = set()  # once is enough


def _tell(reason: str, details: str = "") -> None:
    if reason in _told:
        return
    _told.add(reason)
    warnings.warn(
        f"The steps of training are not captured in a CUDA graph, since {reason}"
        f"{details}: small networks are several times slower so.",
        RuntimeWarning,
        stacklevel=2,
    )


def captured(body: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    """Capture what a function computes; return what replays it, and its result.

    The function must not wait for the device, and have run some times before.
    """
    graph = torch.cuda.CUDAGraph()
    for generator in generators_on(torch.device("cuda")):
        graph.register_generator_state(generator)
    # Other threads may ask for memory meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = body()
    return graph.replay, result


class Update(Protocol):
    """What follows the gradients in a step, done by the device alone."""

    def __call__(self, loss: Tensor) -> None:
        """Do it; what is captured."""

    def fix(self) -> None:
        """Take the parameters' gradients for those of all steps."""

    def prepare(self) -> None:
        """Bring to the device what differs by step."""


class Steps(Protocol):
    """What steps are made of; `Trainer` is one."""

    network: nn.Module
    parameters: Sequence[Tensor]

    def backward(self, batch: Batch, share: float) -> Tensor:
        """Add the gradient of a share of the loss; return the loss.

        Does not wait for the device.
        """

    def one_by_one(self, batch: Batch) -> Tensor:
        """Give parameters without a gradient theirs, however that goes."""

    def device_update(self) -> Update | None:
        """Return what follows the gradients, if the device can do it alone."""


class _Shape:
    """A captured step on batches of one shape, or the gradients of one."""

    def __init__(
        self, batch: Batch, steps: Steps, capture: Capture, update: Update | None
    ) -> None:
        inputs, _, weight = batch
        self._static = [t.clone() for t in _tensors(batch)]
        n_inputs = len(inputs)
        rest = self._static[n_inputs + 1] if weight is not None else None
        own = tuple(self._static[:n_inputs]), self._static[n_inputs], rest

        def body() -> Tensor:
            for parameter in steps.parameters:
                parameter.grad = None
            loss = steps.backward(own, 1.0)
            if update is not None:
                update(loss)
            return loss

        self._replay, self._loss = capture(body)
        self._parameters, self.update = steps.parameters, update
        self._gradients = [p.grad for p in steps.parameters]
        if update is not None:
            update.fix()

    def replay(self, batch: Batch) -> Tensor:
        """Do what was captured with a batch; return its loss."""
        for static, tensor in zip(self._static, _tensors(batch), strict=True):
            static.copy_(tensor, non_blocking=True)
        if self.update is not None:
            self.update.prepare()
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
        self.is_over = False
        self.forget()

    def forget(self) -> None:
        """Capture anew: tensors of the optimizer are others than before."""
        self._seen: dict[Any, int] = {}
        self._shapes: dict[Any, _Shape] = {}

    def step(self, batch: Batch, steps: Steps) -> tuple[Tensor, bool]:
        """Give parameters without a gradient that of a batch, or take the whole step.

        Parameters
        ----------
        batch : tuple
            Inputs, target and weight.
        steps : Steps
            The same in every call.

        Returns
        -------
        loss : Tensor of shape ()
            Of the batch.
        is_whole : bool
            Whether the step has been taken.
        """
        key = tuple((t.shape, t.dtype) for t in _tensors(batch)), batch[2] is None
        shape = self._shapes.get(key)
        if shape is not None:
            return shape.replay(batch), shape.update is not None
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        # Whether steps are finite the device is asked, which others would wait for.
        is_due = seen > _WARM_STEPS and not self.is_over and is_alone()
        drawn = random_states(self._device) if is_due else []
        loss = steps.one_by_one(batch)
        if is_due and math.isfinite(loss.item()):
            # The gradients of this step stay those that there are.
            taken = [parameter.grad for parameter in steps.parameters]
            with alone_on_gpus() as is_still:
                if is_still:
                    self._take(key, batch, steps, loss, drawn)
            for parameter, gradient in zip(steps.parameters, taken, strict=True):
                parameter.grad = gradient
        return loss, False

    def _take(
        self, key: Any, batch: Batch, steps: Steps, loss: Tensor, drawn: list[Tensor]
    ) -> None:
        """Capture the step that gave a loss, and keep it if it is one; else give up.

        What is drawn goes on as if nothing had been captured, and so do running
        statistics; `drawn` is where generators were before the step.
        """
        if len(self._shapes) == _MOST_SHAPES:
            self._give_up(f"batches are of more than {_MOST_SHAPES} shapes")
            return
        expected = loss.item(), _norm([p.grad for p in steps.parameters])
        goes_on = random_states(self._device)
        statistics = [(b, b.clone()) for b in steps.network.buffers()]
        try:
            shape = _Shape(batch, steps, self._capture, None)
            set_random_states(drawn, self._device)  # the same masks
            found = (
                shape.replay(batch).item(),
                _norm([p.grad for p in steps.parameters]),
            )
            if _alike(expected, found):
                self._shapes[key] = self._whole(batch, steps) or shape
            else:
                details = f" (loss and gradient {found} instead of {expected})"
                self._give_up("what a graph computes differs", details)
        except RuntimeError as error:
            self._give_up("that fails", f" ({str(error).splitlines()[0]})")
        finally:
            set_random_states(goes_on, self._device)
            with torch.no_grad():
                for buffer, kept in statistics:
                    buffer.copy_(kept)

    def _give_up(self, reason: str, details: str = "") -> None:
        self.is_over = True
        _tell(reason, details)

    def _whole(self, batch: Batch, steps: Steps) -> _Shape | None:
        """Capture gradients, which are right, and what follows, if that can be."""
        update = None
        if all(parameter.grad is not None for parameter in steps.parameters):
            update = steps.device_update()
        return None if update is None else _Shape(batch, steps, self._capture, update)


def _alike(expected: tuple[float, float], found: tuple[float, float]) -> bool:
    """Tell whether two losses and gradients' norms are of one step, but for noise."""
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
