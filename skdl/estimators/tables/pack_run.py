"""One training of a pack: what is trained, how long, and what came of it."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from skdl.data.folds import FoldNumbers
from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.history import History
from skdl.estimators.core.inputs import about_held_out
from skdl.estimators.core.network_estimator import told_of
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.state import draw_seed
from skdl.estimators.tables.conclusion import Conclusion
from skdl.estimators.tables.learned import learned_beside, without_smoothing
from skdl.estimators.tables.pack_rows import (
    PackRows,
    looked_at_with,
    rows_in_memory,
    rows_of_a_stream,
)
from skdl.estimators.tables.packs import UnknownVectors, begin_alike, work_per_row
from skdl.estimators.tables.recipe import Recipe, recipe_for, with_parameters
from skdl.estimators.tables.verdicts import MANY_ROWS, Judge, places
from skdl.networks.folding import settle
from skdl.networks.packed import Pack
from skdl.training.blind import BlindRows, pack_objective
from skdl.training.crossing import OutOfFold, Stretches, looks, warmed_up
from skdl.training.loop import EpochRecord, Outcome, SoFar, train
from skdl.training.objectives import (
    BinaryCrossEntropy,
    CrossEntropy,
)
from skdl.training.optimization.growing_average import GrowingAverage
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer
from skdl.training.optimization.schedules import SCHEDULES, late_rate
from skdl.training.rank_trainer import new_trainer
from skdl.training.runtime import Runtime
from skdl.training.stopping import EarlyStopping
from skdl.training.survival.not_finite import StepGuard
from skdl.training.trainer import Trainer

# Columns that are judged while the loss still falls.
_SUSPECTS = 8
# What members' products count for where threads might share them: they are small, and
# what is between them takes one thread's time.
_WORTH_OF_WORK = 0.6


class PackRun(Conclusion):
    """One training of a pack."""

    def __init__(
        self,
        estimator: Any,
        rows: Rows,
        target: Any,
        blind: np.ndarray | FoldNumbers,
        runtime: Runtime,
        rng: np.random.RandomState,
        harmful: Sequence[int],
        *,
        held_out: Rows | None = None,
        for_vectors: bool = False,
        folds_at_random: bool = False,
    ) -> None:
        self.estimator = estimator
        self.runtime = runtime
        self.harmful = tuple(harmful)
        self._for_vectors = for_vectors
        self._folds_at_random = folds_at_random and not for_vectors
        self.found_harmful: tuple[int, ...] = ()
        encoded = target.encode(rows.y)
        member = estimator._new_objective(target)
        self.has_classes = isinstance(member, CrossEntropy | BinaryCrossEntropy)
        recipe = recipe_for(
            len(rows),
            estimator._numbers_of(rows.X[:1]).shape[1],
            target.n_outputs if self.has_classes else 0,
            n_categorical=int(np.sum(estimator._is_categorical)),
            n_members=blind.shape[1],
            for_vectors=for_vectors,
            batch_size=estimator.batch_size,
        )
        self.recipe = recipe = with_parameters(recipe, estimator)
        at_random = folds_at_random or held_out is not None
        encoder = estimator._new_pack_encoder(
            rows.X, encoded.numpy(), recipe, rng, None if at_random else blind
        )
        self.rows = _encoded_rows(rows, encoded, blind, encoder, recipe, runtime, rng)
        self._has_folds = held_out is None
        if held_out is not None:
            with about_held_out():
                others = target.encode(held_out.y)
            self.rows = looked_at_with(self.rows, held_out, encoder, others)
        n_members = blind.shape[1]
        _, n_groups = encoder.sizes
        bins = 0 if n_groups else recipe.target_bins
        self._learned = learned_beside(member, encoded, bins)
        self._n_beside = self._learned.n_outputs - member.n_outputs
        network = self._new_network(encoder, target.n_outputs, n_members)
        if not self.rows.blind[:, 0].any():  # the first sees all rows
            begin_alike(network)
        network = network.to(runtime.device)
        objective = pack_objective(member, n_members)
        self.parts = FittedParts(encoder, target, objective, network, lr=recipe.lr)
        self.steps = self._steps(len(self.rows.batches))
        self._look_at(self.rows, rng)

    def _new_network(self, encoder: Any, n_outputs: int, n_members: int) -> Pack:
        given = encoder, n_outputs, n_members, self.recipe, self.harmful
        return self.estimator._new_pack(*given, self._n_beside)

    def _look(self, rows: PackRows, blind: np.ndarray) -> OutOfFold:
        """Return what looks at networks on the rows that they are blind to."""
        parts = self.parts
        return OutOfFold(
            parts.network,
            BlindRows(torch.from_numpy(blind).to(rows.target.device)),
            without_smoothing(parts.objective.member),
            rows.inputs,
            rows.target,
            weight=rows.weight,
            score_weight=rows.score_weight,
            score=parts.target.score,
            prepare=UnknownVectors(parts.network, rows.untrained),
            calibrates=self.has_classes and not self._for_vectors,
        )

    def _look_at(self, rows: PackRows, rng: np.random.RandomState) -> None:
        """Choose what the networks are looked at and judged with."""
        parts, is_categorical = self.parts, self.estimator._is_categorical
        self.out_of_fold = self._look(rows, rows.blind)
        self._validate: Callable[[], tuple[float, float]] = self.out_of_fold
        # Columns that could be learned by heart, the most doubtful first.
        counts = rows.rows_of_a_category
        order = np.argsort(counts, kind="stable")
        columns = np.flatnonzero(is_categorical)[order]
        self._doubtful = columns[counts[order] < MANY_ROWS]
        self.judge = Judge(
            parts.network,
            places(parts.network, parts.encoder, is_categorical),
            without_smoothing(parts.objective.member),
            rows.blind,
            rows.inputs,
            rows.target,
            rows.weight,
            rng,
        )

    def _steps(self, n_batches: int) -> list[int]:
        """Return after which steps to look."""
        recipe, most = self.recipe, self.recipe.max_steps
        if self.estimator.max_epochs is not None:
            most = min(most, self.estimator.max_epochs * n_batches)
        return looks(recipe.first_look, recipe.growth, most)

    def _trainer(self) -> Trainer:
        recipe, parts = self.recipe, self.parts
        settings = OptimizerSettings(
            lr=recipe.lr,
            weight_decay=recipe.weight_decay,
            betas=tuple(recipe.betas),
            momentum=recipe.betas[0],
        )
        return new_trainer(
            parts.network,
            pack_objective(self._learned, parts.objective.n_members),
            self._optimizer(settings),
            lr=recipe.lr,
            # Progress goes by looks: the rate rises until half way to the first.
            schedule=warmed_up(0.5 / len(self.steps)),
            runtime=self.runtime,
            clip_grad_norm=self.estimator.clip_grad_norm,
            average=GrowingAverage(parts.network),
            guard=self._guard(),
        )

    def _guard(self) -> StepGuard | None:
        """Return what tells which steps to take; None is what suits the optimizer."""
        return None

    def _optimizer(self, settings: OptimizerSettings) -> torch.optim.Optimizer:
        network = self.parts.network
        return build_optimizer(self.estimator.optimizer, network, settings)

    def train(self, reporter: EpochReporter, *, drops: bool) -> Outcome:
        """Train until the out-of-fold loss has not fallen for some looks.

        With `drops` also until it has not fallen and columns are found to be harmful;
        and what it ends with is judged, too, since the loss may have fallen to the end.
        Where vectors are wanted, columns that look most like identifiers are judged at
        every look: the loss that these networks are at does not matter by itself, and
        what is dropped soon costs little.
        """
        lowest = math.inf

        def end(record: EpochRecord, so_far: SoFar) -> bool:
            nonlocal lowest
            if reporter.epoch_end(record, so_far):
                return True
            loss = record.validation_loss or 0.0
            falls = loss < lowest
            if drops and (self._for_vectors or not falls):
                with trainer.average.applied():
                    self.found_harmful = self._harmful_now(_SUSPECTS if falls else None)
            lowest = min(loss, lowest)
            return bool(self.found_harmful)

        stretches = Stretches(self.rows.batches, self.steps)

        def begin() -> None:
            stretches.begin()
            reporter.epoch_begin()

        recipe = self.recipe
        with self.threads():
            trainer = self._trainer()
            outcome = train(
                trainer,
                stretches,
                max_epochs=len(self.steps),
                validate=self._validate,
                stopping=EarlyStopping(
                    recipe.patience,
                    recipe.tolerance,
                    recipe.patience_if_rising,
                    self.out_of_fold.uninformed_loss(),
                ),
                on_epoch_begin=begin,
                on_epoch_end=end,
            )
            if outcome.failure is not None and outcome.kept_epoch == 0:
                raise outcome.failure
            self.parts.lr = trainer.lr
            # The mean of the weights is where a falling rate would have ended.
            self.parts.pace = late_rate(SCHEDULES["one_cycle"])
            is_whole = outcome.reason in ("finished", "early_stopping")
            if drops and is_whole and len(self._doubtful):
                self.out_of_fold.calibrated_loss(self.out_of_fold.raw())
                self.found_harmful = self._harmful_now(None)
        return outcome

    def threads(self) -> AbstractContextManager:
        """Use as many threads inside as the networks are worth."""
        work = 3 * work_per_row(self.parts.network) * self.recipe.batch_size
        return self.runtime.threads(_WORTH_OF_WORK * work)

    def _harmful_now(self, most: int | None) -> tuple[int, ...]:
        """Return columns of categories that the networks would do better without.

        Only so many of the most doubtful are judged.
        """
        rest = self._doubtful[~np.isin(self._doubtful, self.harmful)][:most]
        if not len(rest):
            return ()
        verdict = self.judge(rest, self.out_of_fold.temperature)
        found = tuple(sorted(rest[verdict.is_harmful].tolist()))
        left = self.estimator.n_features_in_ - len(self.harmful) - len(found)
        return found if left else ()

    def snapshot(self, outcome: Outcome, state: dict[str, Any]) -> dict[str, Any]:
        """Return the fitted attributes as if training had ended now."""
        parts = self.parts.copied(state)
        settle(parts.network)
        return {
            **self.estimator._fitted(parts, self.runtime),
            **told_of(History(self.history(outcome)), outcome),
            **self.told_in_epochs(outcome),
        }

    def history(self, outcome: Outcome) -> list[dict[str, float]]:
        """Return one row a look."""
        return [self._row(record) for record in outcome.records]

    def told_in_epochs(self, outcome: Outcome) -> dict[str, int]:
        """Return the attributes that count epochs."""
        return {
            "n_iter_": self.epochs_at(len(outcome.records)),
            "best_epoch_": self.epochs_at(outcome.kept_epoch),
        }

    def _row(self, record: EpochRecord) -> dict[str, float]:
        steps = self.steps[record.epoch - 1]
        row = {**record.as_row(), "epoch": steps / len(self.rows.batches)}
        return {"epoch": row.pop("epoch"), "step": steps, **row}

    def epochs_at(self, look: int) -> int:
        """Return the epoch that a look was in."""
        return math.ceil(self.steps[look - 1] / len(self.rows.batches)) if look else 0


def _encoded_rows(
    rows: Rows,
    encoded: torch.Tensor,
    blind: np.ndarray | FoldNumbers,
    encoder: Any,
    recipe: Recipe,
    runtime: Runtime,
    rng: np.random.RandomState,
) -> PackRows:
    """Put the rows where the network is, or as many as are looked at."""
    given = (encoder, recipe, runtime.device)
    if isinstance(blind, FoldNumbers):
        return rows_of_a_stream(rows, encoded, blind, *given, draw_seed(rng))
    return rows_in_memory(rows, encoded, blind, *given)
