"""Training the reading branch within a fit, and what it counts beside the others."""

from typing import Any

import numpy as np

from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.held_out import split_validation
from skdl.estimators.core.history import History
from skdl.estimators.core.inputs import about_held_out
from skdl.estimators.core.network_estimator import told_of
from skdl.estimators.core.rows import Rows
from skdl.estimators.text.labelled_texts import LabelledTexts, labelled_texts
from skdl.estimators.text.reader import new_parts, raw_outputs, train_reader
from skdl.estimators.text.stack import Stack
from skdl.training.loop import Outcome

# How many texts draw the reader's weight to none: it has to show what it is good for.
_PULL = 10.0


class ReaderFit:
    """Gives an estimator its reader, or none.

    Parameters
    ----------
    estimator : LabelledTextEstimator
        Whose other branches are fitted.
    watch : tuple
        Context of callbacks, and what they are told.
    checkpoint : Checkpoint or None
        Of the fit.
    """

    def __init__(
        self, estimator: Any, watch: tuple[Any, dict], checkpoint: Any
    ) -> None:
        self._estimator, self._watch = estimator, watch
        self._checkpoint = checkpoint
        self._runtime = estimator._runtime()

    def none(self) -> None:
        """Give the estimator no reader."""
        context, seen = self._watch
        estimator = self._estimator
        context.call_on_fit_task_begin(estimator=estimator, **seen)
        fitted = {"network_": None, "device_": str(self._runtime.device), "lr_": None}
        outcome = Outcome([], "finished", 0)
        estimator._keep(fitted, [], outcome, extend=False)
        context.call_on_fit_task_end(
            estimator=estimator, reconstruction_attributes=dict, **seen
        )

    def fit(
        self, rows: Rows, held_out: Rows | None, raw: np.ndarray, seed: int
    ) -> Outcome:
        """Train a reader on the labelled texts.

        Parameters
        ----------
        rows : Rows
            The labelled texts.
        held_out : Rows or None
            By which the best epoch is chosen; None holds out some of the others.
        raw : ndarray of shape (n, K)
            Of the other branches, for `rows`, by models that have not learned from
            them; NaN where there are none.
        seed : int
            Decides which texts are held out.
        """
        estimator = self._estimator
        places: Any = np.arange(len(rows))
        if held_out is None:
            positions = Rows(places, rows.y, rows.weight, rows.score_weight)
            left, out = split_validation(
                positions, estimator.validation, estimator._strata(rows.y), seed
            )
            places, held_out = out.X, rows.take(out.X)
            rows, raw = rows.take(left.X), raw[places]
        else:
            texts = held_out.X.tolist()
            raw = estimator._branches.raw(estimator._reading.read(texts))
        target = estimator._target
        with about_held_out():  # it may have labels that the others have not
            judges = labelled_texts(held_out, target)
        return self._train(labelled_texts(rows, target), judges, raw)

    def _train(
        self, training: LabelledTexts, held_out: LabelledTexts, raw: np.ndarray
    ) -> Outcome:
        estimator, runtime = self._estimator, self._runtime
        parts = new_parts(
            estimator, estimator.language_model_, estimator._objective, runtime
        )
        reporter = EpochReporter(
            estimator,
            *self._watch,
            lambda outcome, state: {
                **self._fitted(parts.copied(state), held_out, raw),
                **told_of(History(outcome.rows()), outcome),
            },
            estimator.max_epochs,
        )
        reporter.fit_begin()
        outcome = train_reader(
            estimator,
            parts,
            training,
            held_out,
            runtime,
            estimator._target.score,
            reporter=reporter,
            checkpoint=self._checkpoint,
        )
        fitted = self._fitted(parts, held_out, raw)
        estimator._keep(fitted, outcome.rows(), outcome, extend=False)
        reporter.fit_end()
        return outcome

    def _fitted(
        self, parts: FittedParts, held_out: LabelledTexts, raw: np.ndarray
    ) -> dict[str, Any]:
        """Return the attributes of a trained reader."""
        encoder = parts.encoder
        stream = encoder.transform(held_out.texts)
        read = raw_outputs(parts.network, stream, encoder.end_id).double().numpy()
        known = np.flatnonzero(~np.isnan(raw).any(axis=1))
        told, weight = held_out.target[known], held_out.weight[known]
        weight = weight / weight.mean()
        stack = Stack(parts.objective, expected=(1.0, 0.0), pull=_PULL)
        stack.fit([raw[known], read[known]], told, weight)
        return {
            "network_": parts.network.eval(),
            "lr_": parts.lr,
            "device_": str(self._runtime.device),
            "_reader_stack": stack,
            "_reader_loss": stack.loss(read[known], told, weight),
        }
