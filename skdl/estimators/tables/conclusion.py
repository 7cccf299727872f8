"""What a training of a pack says in the end of rows that networks have not seen."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from skdl.data.categories import UNKNOWN
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.tables.chance import spread
from skdl.estimators.tables.conformal import Conformal, conformal
from skdl.estimators.tables.corrections.columns import Layout
from skdl.estimators.tables.corrections.fitting import Found, corrections_of
from skdl.estimators.tables.corrections.search import Correction
from skdl.estimators.tables.pack_rows import PackRows
from skdl.estimators.tables.verdicts import Judge, Verdict
from skdl.networks.folding import settle
from skdl.training.blind import pack_objective
from skdl.training.calibration import best_temperature, sharpening
from skdl.training.crossing import OutOfFold
from skdl.training.objectives import Quantile, Quantiles


class Conclusion:
    """The end of a training.

    Attributes
    ----------
    temperature : float
        What raw outputs are divided by.
    verdict : Verdict
        What columns are worth to the networks.
    corrections : sequence of Correction
        What is added to their outputs.
    predictions : Tensor of shape (n_rows, K)
        Out of fold.
    score : float
        Of these.
    conformal : Conformal or None
        What they say of rows to come.
    """

    estimator: Any
    parts: FittedParts
    rows: PackRows
    out_of_fold: OutOfFold
    judge: Judge
    harmful: Sequence[int]
    has_classes: bool
    temperature: float
    verdict: Verdict
    corrections: Sequence[Correction] = ()
    _has_folds: bool
    _folds_at_random: bool
    # By how much networks count in the end, where not alike; and networks of other
    # settings that a row is predicted by which have not seen it.
    _shares: list[float] | None = None
    _n_chosen = 1

    def conclude(self) -> None:
        """Predict out of fold with what is kept, and set the temperature."""
        look, parts = self.out_of_fold, self.parts
        settle(parts.network)
        raw = look.raw()
        self.temperature = 1.0
        held_out = 1.0  # of predictions out of fold
        shares = self._shares
        n_members = parts.objective.n_members
        temperature = None
        if self.has_classes:
            # Near its lowest point a loss in float32 tells no more than four digits.
            loss = partial(look.loss, raw.double())
            single = best_temperature(loss)
            losses = look.loss(raw, single), look.uninformed_loss()
            self.temperature = single * sharpening(*losses, n_members)
            held_out = single * sharpening(*losses, self._n_chosen)
            temperature = self.temperature
        if temperature is not None or shares is not None:
            parts.objective = pack_objective(
                parts.objective.member, n_members, temperature, shares
            )
        self.verdict = self.judge(temperature=held_out)
        found = self._left_over(raw, held_out)
        corrected, of_all, added = raw, raw, None
        if found is not None:  # outputs are divided by a temperature
            added = found.added * self.temperature
            of_all = look.with_added(raw, added)
            corrected = look.with_added(raw, found.added * held_out)
        self.conformal = self._held_out(raw, of_all, added)
        if found is not None:
            self.corrections = found.corrections
            parts.network.corrections = found.network
            found.network.scale(held_out)
        self.predictions, self.score = self.rows.out_of_fold(look, corrected, held_out)
        if found is not None:
            found.network.scale(self.temperature / held_out)

    def _left_over(self, raw: torch.Tensor, temperature: float) -> Found | None:
        """Return what some values of one or two columns have beside what is learned.

        Rows that are held out in other ways than at random are new in these ways, and
        so is what they leave over. Of groups with effects of their own it is known.
        """
        look = self.out_of_fold
        _, n_groups = self.parts.encoder.sizes
        if not (self._folds_at_random and self._has_folds) or n_groups:
            return None
        order = np.argsort(-self.verdict.mean, kind="stable")
        return corrections_of(
            look.member,
            look.predictions(raw, temperature),
            look.target,
            self.rows.weight,
            self.rows.inputs,
            [int(j) for j in order if j not in self.harmful],
            self._layout(),
        )

    def _layout(self) -> Layout:
        """Return where columns are among the inputs."""
        encoder = self.parts.encoder
        unknown = encoder.offsets[encoder.vocabulary_of_column] + UNKNOWN
        is_category = self.estimator._is_categorical
        return Layout(is_category, unknown, encoder.numeric.indicators)

    def _held_out(
        self, each: torch.Tensor, raw: torch.Tensor, added: torch.Tensor | None
    ) -> Conformal | None:
        """Return what held-out rows say of new ones; None where there are labels.

        `each` are the raw outputs of members, to which corrections are `added`.
        """
        look = self.out_of_fold
        if self.has_classes and look.target.ndim > 1:
            return None
        folds = look.by_fold(raw, self.temperature)
        weight = look.score_weight
        return conformal(
            [(np.array(m), r.cpu().numpy(), p.cpu().numpy()) for m, r, p in folds],
            look.target.cpu().numpy(),
            None if weight is None else weight.cpu().numpy(),
            None if self._shares is None else np.array(self._shares),
            self._share_of_error(each, added),
            None
            if self.has_classes or added is None
            else self.parts.objective.n_members,
        )

    def _share_of_error(
        self, raw: torch.Tensor, added: torch.Tensor | None
    ) -> np.ndarray | None:
        """Return what of a residual counts.

        Folds that are not drawn at random hold out rows that are new in other ways: in
        these ways all networks are blind to new rows, and residuals stay as they are.
        So do those of quantiles, whose mean is not zero.
        """
        is_quantile = isinstance(self.parts.objective.member, Quantile | Quantiles)
        if self.has_classes or is_quantile or not self._folds_at_random:
            return None
        rows, n_members = self.rows, self.parts.objective.n_members
        shares = np.array(self._shares or [1.0] * n_members)
        found = spread(self.out_of_fold, raw, rows.inputs, rows.blind, shares, added)
        return None if found is None else found.share()

    def attributes(self, kept: np.ndarray | slice, n_rows: int) -> dict[str, Any]:
        """Return the values of `ATTRIBUTES`."""
        values = {
            "feature_importances_": self.verdict.mean,
            "feature_importances_std_": self.verdict.error,
            "_conformal": self.conformal,
        }
        if self.has_classes:
            values["temperature_"] = self.temperature
        if self._has_folds:
            values["oof_score_"] = self.score
            values["oof_prediction_"] = self._out_of_fold(kept, n_rows)
        if self.corrections:
            values["_corrections"] = [c.told() for c in self.corrections]
        return values

    def _out_of_fold(self, kept: np.ndarray | slice, n_rows: int) -> np.ndarray:
        """Return predictions in the units of y; NaN of rows that are not kept."""
        found = self.predictions.cpu().numpy()
        known = found if self.has_classes else self.parts.target.decode(found)
        everywhere = np.full((n_rows, *known.shape[1:]), np.nan, dtype=known.dtype)
        everywhere[kept] = known
        return everywhere
