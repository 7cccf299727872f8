"""What rows that networks have not learned from say about the errors on new rows.

Each new row is predicted by the networks of every fold, and each held-out row says how
far those of its fold were from the truth. A new value is taken to be as far from a
prediction as one of these: CV+ (Barber et al. 2021, arXiv 1905.02928, section 3), which
covers as often as it says where new rows are like the held-out ones. Both have the same
chance of a training in them, by which intervals would be too long; see `chance`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Halvings in the search for a quantile: beyond the digits of a float64.
_HALVINGS = 60


@dataclass(frozen=True)
class HeldOut:
    """The values of the rows that a fold holds out.

    Attributes
    ----------
    members : ndarray of int
        The networks that are blind to the fold.
    values : ndarray of shape (n_rows, K)
        Sorted by column.
    mass : ndarray of shape (1 + n_rows, K)
        The weight of the first, the first two, ... of these rows.
    shares : ndarray of shape (n_members,) or None
        By how much each of the members counts beside the others of the fold, where
        they do not count alike.
    """

    members: np.ndarray
    values: np.ndarray
    mass: np.ndarray
    shares: np.ndarray | None = None

    def mean(self, predictions: np.ndarray) -> np.ndarray:
        """Return what the fold's members predict in the mean, (n, M, ...)."""
        own = predictions[:, self.members]
        if self.shares is None:
            return own.mean(axis=1)
        return np.average(own, axis=1, weights=self.shares)

    def mass_up_to(self, values: np.ndarray, column: int) -> np.ndarray:
        """Return the weight of held-out rows whose value is at most the one given."""
        found = np.searchsorted(self.values[:, column], values, side="right")
        return self.mass[found, column]


def held_out(
    members: Sequence[int],
    values: np.ndarray,
    weight: np.ndarray,
    shares: np.ndarray | None = None,
) -> HeldOut:
    """Sort the values (n_rows, K) that rows of these weights have."""
    order = np.argsort(values, axis=0, kind="stable")
    mass = np.zeros((1 + len(values), values.shape[1]))
    np.cumsum(weight[order], axis=0, out=mass[1:])
    own = None if shares is None else shares[list(members)]
    values = np.take_along_axis(values, order, axis=0)
    return HeldOut(np.asarray(members), values, mass, own)


@dataclass(frozen=True)
class Conformal:
    """What is kept of a fit.

    Attributes
    ----------
    folds : list of HeldOut
        Residuals of each fold, or the probabilities of the right classes. A row that
        several folds hold out is in all of them, each time with its share of its
        weight.
    total : float
        The weight of all rows, the mean of which is one.
    shares : ndarray of shape (M,) or None
        By how much each network counts, where they do not count alike.
    """

    folds: list[HeldOut]
    total: float
    shares: np.ndarray | None = None

    def interval(
        self, predictions: np.ndarray, coverage: float, columns: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of intervals whose tails are of one size.

        Parameters
        ----------
        predictions : ndarray of shape (n, M, K)
            Of new rows by each network.
        coverage : float
            Share of new values inside.
        columns : sequence of two int
            Of which outputs lower and upper end are made.

        Returns
        -------
        lower, upper : ndarray of shape (n,)
        """
        tail = (1 - coverage) / 2
        least = tail * (self.total + 1)
        if least < 1 - 1e-9:
            raise ValueError(
                f"coverage={coverage:g} leaves out less than what one of "
                f"{self.total:.0f} held-out rows stands for: at most "
                f"{max(0.0, 1 - 2 / (self.total + 1)):.3g} can be told from so few."
            )
        first, last = columns
        # Sums of weights in another order may differ in their last digits.
        outside = least - 1 + 1e-9 * self.total
        lower = self._quantile(predictions[..., first], outside, first)
        upper = self._quantile(predictions[..., last], self.total - outside, last)
        return np.minimum(lower, upper), np.maximum(lower, upper)

    def _quantile(
        self, predictions: np.ndarray, mass: float, column: int
    ) -> np.ndarray:
        """Return up to where so much of the weight lies, (n, M) -> (n,).

        The weight is that of held-out rows, each at its residual away from what the
        networks of its fold predict for the new row.
        """
        places = [fold.mean(predictions) for fold in self.folds]
        low = np.min(
            [p + f.values[0, column] for p, f in zip(places, self.folds, strict=True)],
            axis=0,
        )
        high = np.max(
            [p + f.values[-1, column] for p, f in zip(places, self.folds, strict=True)],
            axis=0,
        )
        low = low - 1e-12 * (1 + np.abs(low))
        for _ in range(_HALVINGS):
            middle = low + (high - low) / 2
            below = np.zeros(len(middle))
            for place, fold in zip(places, self.folds, strict=True):
                below += fold.mass_up_to(middle - place, column)
            enough = below >= mass
            high, low = np.where(enough, middle, high), np.where(enough, low, middle)
        return high

    def members_of_set(self, probabilities: np.ndarray, coverage: float) -> np.ndarray:
        """Return which classes cannot be ruled out.

        A class is, if it is less probable than the right classes of all but
        ``1 - coverage`` of the held-out rows were (least ambiguous sets, Sadinle et al.
        2019, arXiv 1609.00451). The most probable class never is.

        Parameters
        ----------
        probabilities : ndarray of shape (n, M, K)
            Of new rows by each network.
        coverage : float
            Share of new rows whose class is in their set.

        Returns
        -------
        ndarray of bool, shape (n, K)
        """
        worse = np.zeros((len(probabilities), probabilities.shape[2]))
        for fold in self.folds:
            worse += fold.mass_up_to(fold.mean(probabilities), 0)
        chosen = worse + 1 > (1 - coverage) * (self.total + 1)
        best = np.average(probabilities, axis=1, weights=self.shares).argmax(axis=1)
        chosen[np.arange(len(chosen)), best] = True
        return chosen


def conformal(
    predictions: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    target: np.ndarray,
    weight: np.ndarray | None,
    shares: np.ndarray | None = None,
    share_of_error: np.ndarray | None = None,
    n_around: int | None = None,
) -> Conformal:
    """Return what held-out rows say.

    Parameters
    ----------
    predictions : sequence of tuple
        Of each fold: the networks that are blind to it, its rows, and what these
        networks predict for them in the mean (n_rows, K).
    target : ndarray
        Of all rows: numbers (n, 1) or (n, K), of which residuals are kept, or classes
        (n,), of which the probability is.
    weight : ndarray of shape (n,) or None
        Of all rows.
    shares : ndarray of shape (M,), optional
        By how much each network counts; None is alike.
    share_of_error : ndarray of shape (K,), optional
        By what residuals are multiplied; see `chance`.
    n_around : int, optional
        New rows are around the mean of so many networks, which is all, whose chance is
        then not in the places that residuals are counted from. Otherwise of those of
        each fold.
    """
    times = np.zeros(len(target))
    for _, rows, _ in predictions:
        times[rows] += 1
    share = np.ones(len(target)) if weight is None else weight.astype(np.float64)
    share = share * (np.count_nonzero(times) / share[times > 0].sum())
    folds = []
    for members, rows, predicted in predictions:
        if target.ndim == 1:
            values = np.take_along_axis(predicted, target[rows, None], axis=1)
        else:
            values = target[rows] - predicted
            if share_of_error is not None:
                values = values * share_of_error
        of = members if n_around is None else np.arange(n_around)
        folds.append(held_out(of, values, share[rows] / times[rows], shares))
    return Conformal(folds, float(np.count_nonzero(times)), shares)
