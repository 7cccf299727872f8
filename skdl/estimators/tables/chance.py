"""What of an error out of fold is chance, which places to count it from have, too."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from skdl.training.crossing import OutOfFold

# Rows that tell it, at most, and what is kept of an error at least.
_MOST_ROWS, _LEAST = 4096, 0.5
# The share of rows, those of the smallest gaps, that tell how large gaps are, and their
# part of the variance where gaps are normal: cut off are 1.96 standard deviations.
_ORDINARY, _OF_VARIANCE = 0.95, 0.759


@dataclass(frozen=True)
class Spread:
    """What networks that are blind to rows say of them, beside those that are not.

    Attributes
    ----------
    errors : ndarray of shape (n, K)
        Target less the mean of the networks that are blind to a row.
    gaps : ndarray of shape (n, K)
        The same mean less that of the networks that have learned from the row.
    weight : ndarray of shape (n,)
        Of the rows.
    n_blind, n_seeing, n_all : float
        Networks, in the mean over rows, of either kind and together.
    corrected : ndarray of shape (n, K), optional
        The errors that count, where all networks are corrected alike.
    """

    errors: np.ndarray
    gaps: np.ndarray
    weight: np.ndarray
    n_blind: float
    n_seeing: float
    n_all: float
    corrected: np.ndarray | None = None

    def share(self) -> np.ndarray:
        """Return by what to multiply errors, so that intervals of CV+ fit, (K,).

        An error is noise less what a training leaves to chance, whose variance u is
        smaller in the mean of more networks. CV+ moves what the networks of each fold
        predict by their errors, so that u is in an interval twice, where the mean of
        all networks has less of it than those of one fold. Twice what it has less is
        taken from the errors. Corrected errors are counted from the mean of all
        networks, so that once is enough: what a correction knows of the networks'
        chance it has taken from that mean.

        Of networks that have learned from a row a part of the noise is in what they
        predict for it. So the mean squares of errors and gaps and their mean product,
        three numbers, follow from three: the variance of the noise, the part, and u,
        which solves a quadratic equation.

        At a jump, or where one network has learned little, a few rows have most of the
        chance, and nothing is to be taken for that from the errors of all others. So
        the numbers are those of rows with ordinary gaps, as if all gaps were normal.
        """
        mean = partial(np.average, axis=0, weights=self._of_ordinary_rows())
        ordinary = mean(self.gaps**2)
        squares = np.where(ordinary > 0, ordinary, 1.0)
        of_gaps = ordinary / _OF_VARIANCE
        rest = of_gaps - ordinary
        slope = -mean(self.errors * self.gaps) / squares
        product = slope * of_gaps
        of_errors = mean(self.errors**2) + slope**2 * rest
        more = self.n_blind / self.n_seeing
        half = product - (of_gaps + (1 + more) * of_errors) / 2
        beside = np.maximum(0.0, of_gaps * of_errors - product**2)
        root = np.sqrt(np.maximum(0.0, half**2 - more * beside))
        chance = np.clip((-half - root) / more, 0.0, of_errors)
        too_much = (1 - self.n_blind / self.n_all) * chance
        if self.corrected is None:
            too_much = 2 * too_much
        else:
            slope = mean(self.corrected * self.gaps) / squares
            of_errors = mean(self.corrected**2) + slope**2 * rest
        left = 1 - too_much / np.where(of_errors > 0, of_errors, 1.0)
        return np.sqrt(np.maximum(left, _LEAST**2))

    def _of_ordinary_rows(self) -> np.ndarray:
        """Return the weights of rows (n, K), 0 where a gap is out of the ordinary."""
        sizes = np.abs(self.gaps)
        is_ordinary = sizes <= np.quantile(sizes, _ORDINARY, axis=0)
        return self.weight[:, None] * is_ordinary


def spread(
    look: OutOfFold,
    raw: Tensor,
    inputs: tuple[Tensor, ...],
    blind: np.ndarray,
    shares: np.ndarray,
    added: Tensor | None = None,
) -> Spread | None:
    """Return what networks say of rows that some of them are blind to.

    Parameters
    ----------
    look : OutOfFold
        Looks at the networks.
    raw : Tensor
        What it has found.
    inputs : tuple of Tensor
        Of all rows.
    blind : ndarray of shape (n_rows, M)
        Above zero where a network has not learned from a row.
    shares : ndarray of shape (M,)
        By how much each network counts.
    added : Tensor of shape (n_rows, K), optional
        What all networks are corrected by, which is taken from the errors.

    Returns
    -------
    Spread or None
        None where no row has networks of both kinds.
    """
    of_blind = np.where(blind > 0, shares, 0.0)
    of_seeing = np.where(blind > 0, 0.0, shares)
    weight = look.score_weight
    weights = np.ones(len(blind)) if weight is None else weight.double().cpu().numpy()
    told = of_blind.any(axis=1) & of_seeing.any(axis=1) & (weights > 0)
    found = np.flatnonzero(told)
    if not len(found):
        return None
    places = np.linspace(0, len(found) - 1, min(len(found), _MOST_ROWS)).astype(int)
    chosen = found[places]
    rows = torch.from_numpy(chosen).to(look.target.device)
    seeing = torch.from_numpy(of_seeing[chosen]).to(rows.device)
    blind_mean = look.predictions(raw)[rows]
    seeing_mean = look.predict(tuple(t[rows] for t in inputs), seeing, 1.0)
    errors = _numpy(look.target[rows]) - _numpy(blind_mean)
    return Spread(
        errors,
        _numpy(blind_mean) - _numpy(seeing_mean),
        weights[chosen],
        _number(of_blind[chosen]),
        _number(of_seeing[chosen]),
        _number(shares[np.newaxis]),
        None if added is None else errors - _numpy(added[rows]),
    )


def _number(shares: np.ndarray) -> float:
    """Return how many networks that count alike are worth as much, in the mean."""
    return float(np.mean(shares.sum(axis=1) ** 2 / (shares**2).sum(axis=1)))


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.double().cpu().numpy())
