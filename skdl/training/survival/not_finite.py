"""Steps whose loss or gradient is not finite are dropped."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

# Steps in a row that may be dropped before a training counts as lost.
_IN_A_ROW = 3
_PLAIN = {torch.float32, torch.float64, torch.bfloat16, torch.float16}
# Steps after which the device's count of them comes to the CPU.
_LOOK_EVERY = 64


class StepGuard:
    """Tells which steps to take, and adds up the losses of those taken.

    All gradients are looked at in one call, which costs little beside making them.

    Parameters
    ----------
    device : torch.device
        Where loss and gradients are.

    Attributes
    ----------
    dropped : int
        Steps of this epoch that were not taken.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._found = torch.zeros((), device=device)  # one if something is not finite
        self._one = torch.ones((), device=device)
        self._in_a_row = 0
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Begin to count anew, but for steps dropped in a row."""
        self.dropped, self._taken, self._total = 0, 0, 0.0

    def allows(self, loss: Tensor, gradients: list[Tensor]) -> bool:
        """Tell whether a step is to be taken.

        Parameters
        ----------
        loss : Tensor of shape ()
            Of the batch.
        gradients : list of Tensor
            Of all parameters, or their norm.
        """
        value = loss.item()
        self._look_at(gradients)
        if self._found.item() or not math.isfinite(value):
            self._found.zero_()
            self.dropped += 1
            self._in_a_row += 1
            return False
        self._in_a_row = 0
        self._taken += 1
        self._total += value
        return True

    def _look_at(self, tensors: list[Tensor]) -> None:
        """Set the flag if some entry is NaN or infinite."""
        tensors = [
            t if t.dtype in _PLAIN and not t.is_sparse else _entries(t) for t in tensors
        ]
        groups: Iterable[list[Tensor]] = [tensors] if tensors else []
        if self._device.type != "cpu":  # the kernel takes tensors of one type
            by_type: dict[torch.dtype, list[Tensor]] = {}
            for tensor in tensors:
                by_type.setdefault(tensor.dtype, []).append(tensor)
            groups = by_type.values()
        for group in groups:  # what it multiplies by is one
            torch._amp_foreach_non_finite_check_and_unscale_(
                group, self._found, self._one
            )

    def is_lost(self) -> bool:
        """Tell whether so many steps in a row were dropped that more are of no use."""
        return self._in_a_row >= _IN_A_ROW

    def mean_loss(self) -> float:
        """Return the mean loss of the steps taken; NaN if more are of no use."""
        if self._in_a_row >= _IN_A_ROW or not self._taken:
            return math.nan
        return self._total / self._taken

    def reset(self) -> None:
        """Forget the steps dropped in a row."""
        self._in_a_row = 0


class DeviceGuard(StepGuard):
    """The same, without making the device wait: its optimizer itself drops the step.

    The fused optimizers of torch take no step where their `found_inf` is one. How many
    were dropped is counted on the device, and looked at when it has long been copied.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        One that takes `found_inf`; see `takes_found_inf`.
    device : torch.device
        Where loss and gradients are.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        # Dropped in a row, the most in a row, dropped and taken in this epoch.
        self._counts = torch.zeros(4, device=device)
        self._sum = torch.zeros((), device=device)
        self._seen = torch.zeros(4, pin_memory=device.type == "cuda")
        self._steps = 0
        super().__init__(device)
        optimizer.found_inf = self._found  # type: ignore[attr-defined]

    def begin_epoch(self) -> None:
        """Begin to count anew, but for steps dropped in a row."""
        self.dropped = 0
        self._counts[1:].zero_()
        self._sum.zero_()

    def allows(self, loss: Tensor, gradients: list[Tensor]) -> bool:
        """Return True: whether the step is taken the optimizer finds on the device."""
        self._found.zero_()
        self._look_at([loss, *gradients])
        row = (self._counts[0] + self._found) * self._found
        most = torch.maximum(self._counts[1], row)
        dropped, taken = self._counts[2:] + torch.stack([self._found, 1 - self._found])
        self._counts.copy_(torch.stack([row, most, dropped, taken]))
        self._sum += torch.where(self._found > 0, 0.0, loss.float())
        return True

    def is_lost(self) -> bool:
        """Tell whether too many steps in a row were dropped, as far as is known yet."""
        self._steps += 1
        if self._steps % _LOOK_EVERY:
            return False
        if self._seen[1].item() >= _IN_A_ROW:  # copied that many steps ago
            return True
        self._seen.copy_(self._counts, non_blocking=True)
        return False

    def mean_loss(self) -> float:
        """Return the mean loss of the steps taken; NaN if more are of no use."""
        most, self.dropped, taken = (int(c) for c in self._counts[1:].tolist())
        if most >= _IN_A_ROW or not taken:
            return math.nan
        return self._sum.item() / taken

    def reset(self) -> None:
        """Forget the steps dropped in a row."""
        self._counts.zero_()
        self._seen.zero_()


def takes_found_inf(optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether an optimizer drops a step where its `found_inf` is one.

    SGD does, but its first step then leaves a momentum that was never written.
    """
    able = getattr(optimizer, "_step_supports_amp_scaling", False)
    return bool(able) and not isinstance(optimizer, torch.optim.SGD)


def _entries(tensor: Tensor) -> Tensor:
    """Return the entries of a sparse or complex tensor as real numbers, not copied."""
    values = tensor._values() if tensor.is_sparse else tensor
    return torch.view_as_real(values) if values.is_complex() else values
