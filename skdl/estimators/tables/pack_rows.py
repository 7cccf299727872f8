"""The rows of a pack: what it is trained on, and what it is looked at with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.data.batches import ResidentBatches
from skdl.data.binned import (
    BinnedTableEncoder,
    count_codes,
    rows_of_a_category,
    untrained_rows,
    within,
    without_rare,
)
from skdl.data.folds import FoldNumbers
from skdl.data.streamed import BlindBatches, BlockBatches
from skdl.estimators.core.rows import Rows
from skdl.estimators.tables.recipe import Recipe
from skdl.training.blind import seen_weights
from skdl.training.crossing import OutOfFold
from skdl.training.trainer import BatchSource

# Rows that a pack is looked at with, where there are too many to look at all.
_LOOK_ROWS = 1 << 17


@dataclass
class PackRows:
    """Encoded rows.

    Attributes
    ----------
    batches : BatchSource
        To train on; weights are (B, n_members).
    inputs : tuple of Tensor
        Of the rows that are looked at: all of them where they are in memory.
    target, weight, score_weight : Tensor
        Likewise; weights may be None.
    blind : ndarray of bool, shape (n_rows, n_members)
        Likewise.
    untrained : tuple of Tensor
        Vectors of categories that members do not learn; see `untrained_rows`.
    rows_of_a_category : ndarray of shape (n_categorical,)
        Rows of a category in the mean.
    codes : ndarray of int
        What the encoder's codes become: rare categories count as unknown.
    """

    batches: BatchSource
    inputs: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor | None
    score_weight: Tensor | None
    blind: np.ndarray
    untrained: tuple[Tensor, ...]
    rows_of_a_category: np.ndarray
    codes: np.ndarray

    def out_of_fold(
        self, look: OutOfFold, raw: Tensor, temperature: float
    ) -> tuple[Tensor, float]:
        """Return predictions for all rows, and their score.

        Parameters
        ----------
        look : OutOfFold
            With these rows.
        raw : Tensor
            What it has found.
        temperature : float
            Of a single network.
        """
        found = look.predictions(raw, temperature)
        return found, look.score(found)


def rows_in_memory(
    rows: Rows,
    target: Tensor,
    blind: np.ndarray,
    encoder: BinnedTableEncoder,
    recipe: Recipe,
    device: torch.device,
) -> PackRows:
    """Return rows of which all that is encoded stays where the network is."""
    indices, *others = encoder.of_all(rows.X)
    codes = without_rare(count_codes(indices, encoder), encoder, recipe.rare_rows)
    indices = torch.from_numpy(codes[indices.numpy()])
    inputs = tuple(t.to(device) for t in (indices, *others))
    target = target.to(device)
    weight, score_weight = _weights(rows, device)
    seen = seen_weights(torch.from_numpy(blind).to(device), weight)
    counts = [count_codes(indices[torch.from_numpy(~b)], encoder) for b in blind.T]
    return PackRows(
        ResidentBatches(inputs, target, seen, batch_size=recipe.batch_size),
        inputs,
        target,
        weight,
        score_weight,
        blind,
        untrained_rows(counts, encoder),
        rows_of_a_category(indices[:, : len(encoder.vocabulary_of_column)]),
        codes,
    )


def looked_at_with(found: PackRows, held_out: Rows, encoder: Any, target: Tensor):
    """Return rows to train on that are looked at with others, of which none learns.

    Parameters
    ----------
    found : PackRows
        To train on; of rows in memory.
    held_out : Rows
        The others.
    encoder : BinnedTableEncoder
        Fitted on the first.
    target : Tensor
        Encoded, of the others.

    Returns
    -------
    PackRows
    """
    device, n_members = found.target.device, found.blind.shape[1]
    indices, *others = encoder.of_all(held_out.X)
    indices = torch.from_numpy(found.codes[indices.numpy()])
    weight, score_weight = _weights(held_out, device)
    return replace(
        found,
        inputs=tuple(t.to(device) for t in (indices, *others)),
        target=target.to(device),
        weight=weight,
        score_weight=score_weight,
        blind=np.ones((len(target), n_members), dtype=bool),
    )


def _weights(rows: Rows, device: torch.device) -> list[Tensor | None]:
    return [
        None if w is None else torch.from_numpy(w.astype(np.float32)).to(device)
        for w in (rows.weight, rows.score_weight)
    ]


def rows_of_a_stream(
    rows: Rows,
    target: Tensor,
    folds: FoldNumbers,
    encoder: BinnedTableEncoder,
    recipe: Recipe,
    device: torch.device,
    seed: int,
) -> PackRows:
    """Return rows that are read anew in every epoch, and some to look at."""
    drawn = np.random.Generator(np.random.Philox(seed)).random(
        len(rows), dtype=np.float32
    )
    chosen = np.flatnonzero(drawn < _LOOK_ROWS / len(rows))
    counts, looked_at = _read_once(rows, folds, encoder, chosen)
    codes = torch.from_numpy(without_rare(counts.sum(0), encoder, recipe.rare_rows))
    kept = np.zeros_like(counts)
    np.add.at(kept, (slice(None), codes.numpy()), counts)

    def encode(part: Any) -> tuple[Tensor, ...]:
        indices, *others = encoder.transform(part)
        return codes[indices.long()], *others

    looked_at[0] = codes[looked_at[0].long()]
    weight, score_weight = _weights(rows, torch.device("cpu"))
    numbers = torch.from_numpy(folds.numbers)
    if weight is not None:
        numbers = torch.stack([numbers.float(), weight], dim=1)
    batches = BlockBatches(
        rows.X,
        encode,
        target,
        numbers,
        batch_size=recipe.batch_size,
        device=device,
    )
    rest = [None if t is None else t[chosen].to(device) for t in (weight, score_weight)]
    return StreamedRows(
        BlindBatches(batches, _scale(folds, weight).to(device)),
        tuple(t.to(device) for t in looked_at),
        target[chosen].to(device),
        *rest,
        folds[chosen],
        untrained_rows((~folds.patterns).T.astype(np.int64) @ kept, encoder),
        _rows_by_vocabulary(encoder, len(rows)),
        codes.numpy(),
        rows=rows,
        chosen=chosen,
        target_of_all=target,
        folds=folds,
        encode=encode,
    )


@dataclass
class StreamedRows(PackRows):
    """Rows of which a part, those chosen, is looked at, and all at the end."""

    rows: Rows
    chosen: np.ndarray
    target_of_all: Tensor
    folds: FoldNumbers
    encode: Callable[[Any], tuple[Tensor, ...]]

    def out_of_fold(
        self, look: OutOfFold, raw: Tensor, temperature: float
    ) -> tuple[Tensor, float]:
        """Read all rows once more, and predict them."""
        device, found = self.target.device, []
        for first, part in self.rows.X.chunks():
            inputs = tuple(t.to(device) for t in self.encode(part))
            blind = torch.from_numpy(self.folds[first : first + len(inputs[0])])
            found.append(look.predict(inputs, blind.to(device), temperature).cpu())
        predictions = torch.cat(found)
        # Corrections come from these rows: each is corrected by the others.
        predictions[torch.from_numpy(self.chosen)] = look.predictions(
            raw, temperature
        ).to(predictions)
        held_out = torch.nonzero(~predictions[:, 0].isnan()).flatten()
        _, weight = _weights(self.rows, torch.device("cpu"))
        score = look.score_of(
            predictions[held_out],
            self.target_of_all[held_out],
            None if weight is None else weight[held_out],
        )
        return predictions, score


def _read_once(
    rows: Rows, folds: FoldNumbers, encoder: BinnedTableEncoder, chosen: np.ndarray
) -> tuple[np.ndarray, list[Tensor]]:
    """Return the rows of each code by fold, and the inputs of some rows."""
    sizes, _ = encoder.sizes
    counts = np.zeros((len(folds.patterns), sum(sizes)), dtype=np.int64)
    found = []
    for first, part in rows.X.chunks():
        inputs = encoder.transform(part)
        n_rows = len(inputs[0])
        numbers = folds.numbers[first : first + n_rows]
        for fold in range(len(counts)):
            own = torch.from_numpy(numbers == fold)
            counts[fold] += count_codes(inputs[0][own], encoder)
        some = torch.from_numpy(within(chosen, first, n_rows))
        found.append([t[some] for t in inputs])
    return counts, [torch.cat(same) for same in zip(*found, strict=True)]


def _scale(folds: FoldNumbers, weight: Tensor | None) -> Tensor:
    """Return what the weight of a fold's rows is multiplied by in each member.

    It is that of `seen_weights`, where each fold stands for its rows.
    """
    given, n_folds = None if weight is None else weight.numpy(), len(folds.patterns)
    totals = np.bincount(folds.numbers, weights=given, minlength=n_folds)
    shares = torch.from_numpy(totals / len(folds.numbers) * n_folds).float()
    seen = seen_weights(torch.from_numpy(folds.patterns), shares)
    return seen / shares.where(shares > 0, 1.0).unsqueeze(1)


def _rows_by_vocabulary(encoder: BinnedTableEncoder, n_rows: int) -> np.ndarray:
    sizes = [len(v.categories) for v in encoder.vocabularies]
    known = [max(1, sizes[v]) for v in encoder.vocabulary_of_column]
    return n_rows / np.array(known, dtype=np.float64)
