"""Networks side by side, each blind to other rows.

Members of a pack are trained at once, each with weight zero on rows of its own. So
every row has predictions of members that never saw it, from the one training that all
rows take part in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skdl.training.objectives import MemberMean, Objective


class BlindMean(MemberMean):
    """The objective of members each of which has weights of its own.

    Parameters
    ----------
    member : Objective
        Of each member.
    n_members : int
        Members; raw outputs are (B, n_members * K).
    shares : sequence of float, optional
        By how much each member counts in the mean; their sum is one. None is alike.

    Examples
    --------
    >>> import torch
    >>> from skdl.training.objectives import SquaredError
    >>> objective = BlindMean(SquaredError(1), 2)
    >>> sees = torch.tensor([[2.0, 0.0], [0.0, 2.0]])  # the second row is the first's
    >>> raw, target = torch.tensor([[1.0, 9.0], [9.0, 1.0]]), torch.zeros(2, 1)
    >>> objective.loss(raw, target, sees)
    tensor(0.5000)
    >>> BlindMean(SquaredError(1), 2, [0.75, 0.25]).inverse_link(raw)
    tensor([[3.],
            [7.]])
    """

    shares: list[float] | None = None  # of files from before there were any

    def __init__(
        self,
        member: Objective,
        n_members: int,
        shares: Sequence[float] | None = None,
    ) -> None:
        super().__init__(member, n_members)
        self.shares = None if shares is None else [float(share) for share in shares]

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the members' mean loss, with the gradient of each one's own loss.

        `weight` is (B,), of each row in all members, or (B, n_members).
        """
        each = self._by_row_and_member(raw)
        if weight is not None:
            weight = weight.view(len(raw), -1).expand(-1, self.n_members).flatten()
        target = target.repeat_interleave(self.n_members, dim=0)
        total = self.member.loss(each, target, weight) * self.n_members
        return total - total.detach() * (1 - 1 / self.n_members)

    def each(self, raw: Tensor) -> Tensor:
        """Return the members' predictions, (B, M, K)."""
        links = self.member.inverse_link(self._by_row_and_member(raw))
        # Not unflatten, which would fix the rows in an export.
        return links.reshape(-1, self.n_members, *links.shape[1:])

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the mean of the members' predictions."""
        each = self.each(raw)
        if _is_plain(raw) and len(raw) == 1:
            # Arrays, with the same bits, take less than half the time.
            return torch.from_numpy(self._mean(each.transpose(0, 1).numpy()))
        return self._mean(each.unbind(1))

    def _mean(self, each: Any) -> Any:
        """Return the mean of predictions.

        They are added one after the other: a mean by `torch.mean` has other bits with
        other rows beside it.
        """
        if self.shares is not None:
            pairs = zip(each, self.shares, strict=True)
            each = [predictions * share for predictions, share in pairs]
        total = each[0]
        for predictions in each[1:]:
            total = total + predictions
        return total if self.shares is not None else total / self.n_members

    def _by_row_and_member(self, raw: Tensor) -> Tensor:
        """Return raw outputs with a row for each row and member, (B * M, K)."""
        return raw.reshape(-1, self.member.n_outputs)


def _is_plain(raw: Tensor) -> bool:
    """Tell whether nothing but numbers is wanted of raw outputs that NumPy can read."""
    if torch.compiler.is_compiling() or not torch.is_inference_mode_enabled():
        return False
    return raw.device.type == "cpu" and raw.dtype.itemsize >= 4


@dataclass(frozen=True)
class Tempered:
    """An objective whose raw outputs are divided by a temperature at predict time.

    Above 1 probabilities are less certain, below 1 more (Guo et al. 2017, arXiv
    1706.04599).
    """

    objective: Objective
    temperature: float

    @property
    def n_outputs(self) -> int:
        """Columns that the network must return."""
        return self.objective.n_outputs

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the loss without the temperature."""
        return self.objective.loss(raw, target, weight)

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the predictions at this temperature."""
        return self.objective.inverse_link(raw / self.temperature)


def pack_objective(
    member: Objective,
    n_members: int,
    temperature: float | None = None,
    shares: Sequence[float] | None = None,
) -> BlindMean:
    """Return the objective of a pack, whose members may have a temperature."""
    if temperature is not None:
        member = Tempered(member, temperature)
    return BlindMean(member, n_members, shares)


def seen_weights(blind: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return each row's weight in each member, of mean one in every member.

    Parameters
    ----------
    blind : Tensor of shape (n_rows, n_members)
        bool; True where a member must not learn from a row.
    weight : Tensor of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    Tensor of shape (n_rows, n_members)
        float32, zero where a member is blind.

    Raises
    ------
    ValueError
        If nothing is left for a member to learn from.
    """
    seen = (~blind).float()
    if weight is not None:
        seen *= weight.view(-1, 1)
    totals = seen.sum(0)
    empty = torch.nonzero(totals <= 0).flatten().tolist()
    if empty:
        raise ValueError(
            f"Network {empty[0]} would have nothing to learn from: all rows are in its "
            "held-out fold, or those that are not have weight zero. Use other folds, "
            "or fewer."
        )
    return seen * (len(blind) / totals)


class BlindRows:
    """The rows that each member is blind to, so that it is run on these alone.

    With one blind member a row, looking at all rows costs what one network costs.

    Parameters
    ----------
    blind : Tensor of shape (n_rows, n_members)
        bool; True where a member has not learned from a row. A row may be held out of
        several members, or of none. Or float: by how much a member counts that has not
        learned from a row, above zero, and zero where it has.

    Attributes
    ----------
    rows : Tensor of shape (n_members, most)
        Positions of each member's rows; shorter lists are filled up with some row.
    filled : Tensor of shape (n_members, most)
        bool; False where a list is filled up.
    counts : Tensor of shape (n_rows,)
        Members blind to each row, or what these count for together.
    """

    def __init__(self, blind: Tensor) -> None:
        self._share_of_member = None if blind.dtype == torch.bool else blind.amax(0)
        self.counts = blind.sum(1)
        blind = blind > 0
        lengths = blind.sum(0)
        order = torch.argsort(blind.T.int(), dim=1, descending=True, stable=True)
        self.rows = order[:, : int(lengths.max())]  # a member's own rows come first
        places = torch.arange(self.rows.shape[1], device=blind.device)
        self.filled = places < lengths.unsqueeze(1)

    def raw(
        self,
        each: Callable[..., Tensor],
        inputs: tuple[Tensor, ...],
        rows_at_once: int = 4096,
    ) -> Tensor:
        """Run every member on its rows.

        Parameters
        ----------
        each : callable
            `Pack.each` of a network in evaluation mode.
        inputs : tuple of Tensor
            Of all rows, (n_rows, ...).
        rows_at_once : int, default=4096
            Rows of all members together that are worked through at a time.

        Returns
        -------
        Tensor of shape (n_members, most, K)
            float32.
        """
        size = max(1, rows_at_once // len(self.rows))
        found = [
            each(*(tensor[rows] for tensor in inputs)).float()
            for rows in self.rows.split(size, dim=1)
        ]
        return torch.cat(found, dim=1)

    def shares(self, weight: Tensor | None) -> Tensor:
        """Return by how much each place of `rows` counts, (n_members, most).

        A row of several members is shared out among them; `weight` is of all rows.
        """
        counts = self.counts[self.rows]
        if self._share_of_member is None:
            share = self.filled / counts.clamp(min=1)
        else:
            own = self._share_of_member.unsqueeze(1)
            share = self.filled * own / counts.where(counts > 0, 1.0)
        return share if weight is None else share * weight[self.rows]

    def loss(
        self, member: Objective, raw: Tensor, target: Tensor, weight: Tensor | None
    ) -> Tensor:
        """Return the mean loss out of fold; a row counts once, however many saw it not.

        `raw` as the method gives it; `target` and `weight` of all rows.
        """
        share = self.shares(weight)
        share = (share / share.mean()).flatten()
        return member.loss(raw.flatten(0, 1), target[self.rows].flatten(0, 1), share)

    def predictions(self, member: Objective, raw: Tensor) -> Tensor:
        """Return predictions out of fold.

        Returns
        -------
        Tensor of shape (n_rows, K)
            The mean over the members blind to a row; NaN where there is none.
        """
        each = member.inverse_link(raw.flatten(0, 1))
        if self._share_of_member is not None:
            own = self._share_of_member.to(each).repeat_interleave(self.rows.shape[1])
            each = each * own.view(-1, 1)
        total = each.new_zeros((len(self.counts), each.shape[1]))
        total.index_add_(0, self.rows[self.filled], each[self.filled.flatten()])
        return total / self.counts.unsqueeze(1)

    def by_fold(
        self, member: Objective, raw: Tensor
    ) -> list[tuple[list[int], Tensor, Tensor]]:
        """Return what members that are blind to the same rows predict for these.

        Returns
        -------
        list of tuple
            The members, positions of their rows (n,), and the mean of the members'
            predictions (n, K).
        """
        folds: dict[bytes, list[int]] = {}
        for m in range(len(self.rows)):
            key = self.rows[m][self.filled[m]].cpu().numpy().tobytes()
            folds.setdefault(key, []).append(m)
        found = []
        for members in folds.values():
            filled = self.filled[members[0]]
            each = torch.stack([member.inverse_link(raw[m][filled]) for m in members])
            rows = self.rows[members[0]][filled]
            found.append((members, rows, self._mean(each, members)))
        return [fold for fold in found if len(fold[1])]

    def _mean(self, each: Tensor, members: list[int]) -> Tensor:
        """Return the mean of what members predict, (m, n, K) -> (n, K)."""
        if self._share_of_member is None:
            return each.mean(dim=0)
        own = self._share_of_member[members].to(each)
        return (each * (own / own.sum()).view(-1, 1, 1)).sum(dim=0)
