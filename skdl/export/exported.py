"""What torch exports: scaling, network, inverse link and units in one module."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skdl.data.binned import BinnedTableEncoder
from skdl.data.bins import BinEncoder
from skdl.data.categories import FIRST, MISSING, UNKNOWN
from skdl.data.numeric import FAR, NumericEncoder
from skdl.data.table import TableEncoder
from skdl.estimators.core.quantiles import QuantileTarget
from skdl.estimators.core.targets import RealTarget
from skdl.networks.corrections import count_not_above


def buffer(values: Any, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return constants of a module."""
    return torch.tensor(np.asarray(values), dtype=dtype)


class Numbers(nn.Module):
    """Scales and fills float64 columns as a `NumericEncoder` does."""

    def __init__(self, encoder: NumericEncoder) -> None:
        super().__init__()
        self.scale = encoder.scale
        self.register_buffer("center", buffer(encoder.center))
        self.register_buffer("factor", buffer(encoder.factor))
        self.register_buffer("fill", buffer(encoder.fill, torch.float32))
        self.register_buffer("missing", buffer(encoder.missing, torch.int64))
        self.has_line = encoder.slope is not None
        if self.has_line:
            self.register_buffer("slope", buffer(encoder.slope, torch.float32))
            self.register_buffer("shift", buffer(encoder.shift, torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, n_encoded) float32."""
        absent = x.isnan()
        scaled = (torch.where(absent, self.center, x) - self.center) * self.factor
        if self.scale:
            scaled = scaled.clamp(-FAR, FAR).float()
            scaled = scaled / (1 + scaled * scaled / 9).sqrt()
        scaled = torch.where(absent, self.fill, scaled.float())
        if self.has_line:
            scaled = scaled * self.slope + self.shift
        if not len(self.missing):
            return scaled
        return torch.cat([scaled, absent.index_select(1, self.missing).float()], dim=1)


class Positions(nn.Module):
    """Finds positions in bins as a `BinEncoder` does: the filled shares, added up."""

    def __init__(self, bins: BinEncoder) -> None:
        super().__init__()
        low, slope = bins.ramps()
        self.register_buffer("low", buffer(low))
        self.register_buffer("slope", buffer(slope))
        self.register_buffer("fill", buffer(bins._fill))
        self.register_buffer("columns", buffer(bins.columns, torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, n_columns) float32."""
        x = x.index_select(1, self.columns)
        x = torch.where(x.isnan(), self.fill, x).unsqueeze(-1)
        return ((x - self.low) * self.slope).clamp(0, 1).sum(-1).float()


class Codes(nn.Module):
    """Finds the codes of integers that name things as a `BinnedTableEncoder` does."""

    def __init__(self, encoder: BinnedTableEncoder) -> None:
        super().__init__()
        self.columns = list(encoder.integers.columns)
        self.first = encoder.offsets[len(encoder.vocabularies) :].tolist()
        for i, values in enumerate(encoder.integers.values):
            self.register_buffer(f"values_{i}", buffer(values))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, n_columns) int32."""
        codes = []
        for i, (column, first) in enumerate(zip(self.columns, self.first, strict=True)):
            values: Any = getattr(self, f"values_{i}")
            own = (x[:, column] + 0.5).floor()
            at = (count_not_above(values, own) - 1).clamp(min=0)
            code = torch.where(values[at] == own, at + FIRST, UNKNOWN)
            codes.append(torch.where(own.isnan(), MISSING, code) + first)
        return torch.stack(codes, dim=1).int()


class Units(nn.Module):
    """Brings standardised predictions to the scale of y, as a `RealTarget` does."""

    def __init__(self, target: RealTarget) -> None:
        super().__init__()
        self.register_buffer("factor", buffer(target.factor))
        self.register_buffer("offset", buffer(target.offset))
        self.register_buffer("unit", buffer(target.unit))
        several = isinstance(target, QuantileTarget)
        self.one_dimensional = target.one_dimensional and not several

    def forward(self, predicted: Tensor) -> Tensor:
        """Return (B,), or (B, n_targets) or quantiles, float64."""
        values = (predicted.double() * self.factor + self.offset) * self.unit
        return values[:, 0] if self.one_dimensional else values


class Exported(nn.Module):
    """From raw numbers and codes of categories to probabilities or predictions.

    Parameters
    ----------
    model : NeuralEstimator
        Fitted.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        encoder = model._encoder
        self.network, self.link = model._predictor()
        self.takes_codes = isinstance(encoder, TableEncoder)
        numeric = encoder.numeric if self.takes_codes else encoder
        self.numbers = self.positions = self.codes = self.units = None
        if isinstance(numeric, NumericEncoder):
            self.numbers = Numbers(numeric)
        if isinstance(encoder, BinnedTableEncoder) and encoder.n_bins:
            self.positions = Positions(encoder.bins)
            self.codes = Codes(encoder) if encoder.integers.columns else None
        if isinstance(model._target, RealTarget):
            self.units = Units(model._target)

    def forward(self, x: Tensor, *codes: Tensor) -> Tensor:
        """Return what `predict_proba` or `predict` returns."""
        found = self.link(self.network(*self._encoded(x, *codes)))
        return found.double() if self.units is None else self.units(found)

    def _encoded(self, x: Tensor, *codes: Tensor) -> tuple[Tensor, ...]:
        """Return the network's inputs as `encode` does."""
        if self.numbers is None:
            return (x,)
        numbers = self.numbers(x)
        if not self.takes_codes:
            return (numbers,)
        indices, *groups = codes or (x.new_zeros((x.shape[0], 0)).int(),)
        if self.codes is not None:
            indices = torch.cat([indices, self.codes(x)], dim=1)
        positions = () if self.positions is None else (self.positions(x),)
        return indices, numbers, *positions, *groups
