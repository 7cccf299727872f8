"""The family of estimators that takes texts with labels."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.callback import with_callbacks
from sklearn.utils.validation import _check_y, check_consistent_length

from skdl.data.text import check_texts
from skdl.estimators.core.description import described
from skdl.estimators.core.fine_tuning import FineTuning
from skdl.estimators.core.fitting import sweep_lr
from skdl.estimators.core.held_out import check_held_out
from skdl.estimators.core.inputs import about_held_out, plain
from skdl.estimators.core.labels import labels_as_given
from skdl.estimators.core.left_out import LeftOut
from skdl.estimators.core.network_estimator import NetworkEstimator
from skdl.estimators.core.rows import Rows, check_weight, weighing
from skdl.estimators.core.state import all_or_nothing, draw_seed, seed_source
from skdl.estimators.core.wrong_names import answers_names
from skdl.estimators.text.given_model import (
    check_language_model,
    fitted_language_model,
    inside,
)
from skdl.estimators.text.labelled_parameters import (
    check_ngram_range,
    resolve_fine_tuning,
)
from skdl.estimators.text.labelled_texts import labelled_texts
from skdl.estimators.text.labelled_use import LabelledTextUse
from skdl.estimators.text.reader import new_parts, reader_batches
from skdl.estimators.text.reader_fit import ReaderFit
from skdl.estimators.text.stack import Stack
from skdl.estimators.text.words import Branches, new_reading
from skdl.training.loop import Outcome
from skdl.training.range_test import Curve


class LabelledTextEstimator(LabelledTextUse, NetworkEstimator):
    """The family that takes texts and predicts labels or numbers.

    Parameters
    ----------
    max_epochs : int
        With `fine_tuning`, passes over the texts that the reader learns from.
    batch_size : int or "auto"
        With `fine_tuning`, texts in a step; "auto" is 32.
    early_stopping : bool
        With `fine_tuning`, whether to stop when the loss of the texts held out has not
        fallen for `n_iter_no_change` epochs, and go back to the weights of the best
        epoch. Texts are held out either way, to weigh the reader.
    validation : float
        With `fine_tuning`, share of the texts that the reader does not learn from,
        stratified for classes, unless `fit` is given `X_val` and `y_val`.
    warm_start : bool
        Must be False: words and their weights are learned anew in every fit.
    precision : str
        Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto"
        is "bfloat16" on GPUs and CPUs that are made for it. All else is float32.

    Attributes
    ----------
    branches_ : pandas.DataFrame
        What says how much: a row for each branch ("presence" of words and runs of
        them, "tf-idf", "topics" in which words go together, and the vectors of a
        "language model"), with its `loss` on texts that it has not learned from, the
        inverse `strength` of its penalty that was chosen so, and its `weight`; and the
        loss of all "together". With `fine_tuning` the "reader", with its loss on texts
        held out and its weight beside the others.
    oof_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Probabilities or targets of the texts that `fit` was given, by models that have
        not learned from them. NaN of texts whose weight is zero, and of those beyond
        20,000.
    oof_score_ : float
        Accuracy or R^2 of these predictions.
    language_model_ : TextLM or None
        The fitted language model whose vectors are read.
    network_ : torch.nn.Module or None
        With `fine_tuning`, the trained network, in evaluation mode.
    history_ : pandas.DataFrame
        With `fine_tuning`, one row an epoch of training the network: `epoch`, `loss`,
        `lr` (at its end), `seconds`, `training_seconds`, and of texts held out
        `validation_loss` and `validation_score` (accuracy or R^2); else empty.
    """

    _is_real = False
    _takes_several_devices = False
    _prefers_bfloat16 = True
    fine_tuning: Any
    language_model: Any
    ngram_range: Any

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    @property
    def _fine_tuning(self) -> FineTuning | None:
        """How the language model's layers are trained."""
        return resolve_fine_tuning(self.fine_tuning)

    # Fitting.

    @answers_names
    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        unlabeled: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ):
        """Learn from texts and their labels.

        Parameters
        ----------
        X : iterable of str
            Texts: a list, Series, array, polars column, frame of one column or
            generator. Empty ones are texts, too; missing ones are not.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the texts; those of weight zero are left out.
        unlabeled : iterable of str, default=None
            Texts of the same kind without labels. Which words there are, which go
            together, and how the language goes is learned from them too.
        X_val, y_val : default=None
            With `fine_tuning`, texts and labels by which the best epoch of the reader
            and its weight are chosen, in place of a share of X.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Weights of these texts.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If data or parameters are not as described; the estimator stays as it was.
        FloatingPointError
            If training the reader diverges and going back does not help.
        KeyboardInterrupt
            If interrupted (Ctrl-C). With `fine_tuning` the epochs done are kept; before
            the first one the estimator stays as it was.

        Warns
        -----
        UserWarning
            If a language model that is not fitted is going to learn for minutes.
        """
        self._check_parameters()
        epochs = self.max_epochs if self.fine_tuning is not None else 0
        context = self._init_callback_context(max_subtasks=epochs)
        metadata = {"sample_weight": sample_weight, "unlabeled": unlabeled}
        given = {name: v for name, v in metadata.items() if v is not None}
        seen = {"X": X, "y": y, "metadata": given}
        with all_or_nothing(self):
            check_held_out(X_val, y_val, sample_weight_val)
            more = _unlabeled(unlabeled)
            rows, held_out = self._rows(X, y, sample_weight), None
            if X_val is not None:
                with about_held_out():
                    held_out = self._held_out(X_val, y_val, sample_weight_val)
            failure = self._fit(rows, held_out, more, (context, seen))
        if failure is not None:
            self._conclude(failure)
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_ngram_range(self.ngram_range)
        check_language_model(self.language_model)
        if self.fine_tuning is not None and self.language_model is None:
            raise ValueError(
                "fine_tuning trains the layers of a language model, but language_model "
                "is None: give a TextLM."
            )
        if self.warm_start:
            raise ValueError(
                f"{type(self).__name__} learns words and their weights anew in every "
                "fit: warm_start must be False."
            )

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> Rows:
        """Validate texts, targets and weights."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None. Texts without labels alone are for TextLM."
            )
        texts = check_texts(X)
        weight = check_weight(plain(sample_weight), texts)
        array = np.empty(len(texts), dtype=object)
        array[:] = texts
        try:
            y = _check_y(labels_as_given(plain(y)), multi_output=True, estimator=self)
            check_consistent_length(texts, y)
            y = self._check_target(y)
        except ValueError as error:
            if "missing" in str(error) or "NaN" in str(error):
                error.add_note("Texts without labels may be given to fit as unlabeled.")
            raise
        return Rows(array, y, weight, score_weight=weight)

    def _held_out(self, X: Any, y: Any, sample_weight: Any) -> Rows:
        if self.fine_tuning is None:
            raise ValueError(
                "X_val chooses the best epoch of a network, but without fine_tuning "
                "there is none: give fit all labelled texts as X and y."
            )
        return weighing(self._rows(X, y, sample_weight), "held-out rows")

    def _fit(
        self,
        rows: Rows,
        held_out: Rows | None,
        unlabeled: list[str],
        watch: tuple[Any, dict],
    ) -> Outcome | None:
        checkpoint, rng = self._begin(warm=False, continued=False)
        n_given, target = len(rows), self._new_target(rows, None)
        rows, kept = self._training_rows(rows, target)
        texts = [*rows.X.tolist(), *unlabeled]
        lm = fitted_language_model(self, texts, draw_seed(rng))
        reading, objective = new_reading(self, lm), self._new_objective(target)
        branches = Branches(
            objective,
            is_real=self._is_real,
            two_classes=not self._is_real and _has_two_classes(target),
        )
        labelled = labelled_texts(rows, target)
        with self._runtime().seeded(draw_seed(rng)):
            raw = branches.fit(*reading.fit(texts, len(rows)), labelled, rng)
            self._keep_fitted(reading, branches, target, objective)
            self._keep_held_out(raw, labelled.target, rows, kept, n_given)
            reader = ReaderFit(self, watch, checkpoint)
            if self.fine_tuning is None:
                return reader.none()
            if held_out is not None:
                held_out = weighing(self._weigh(held_out, target), "held-out rows")
            return reader.fit(rows, held_out, raw, draw_seed(rng))

    def _training_rows(self, rows: Rows, target: Any) -> tuple[Rows, np.ndarray]:
        """Return the weighted rows that are learned from, and where they were."""
        kept = np.arange(len(rows))
        if rows.weight is not None:
            kept = np.flatnonzero(rows.weight > 0)
        rows = rows.take(kept)
        target.fit(rows.y, rows.weight)
        rows = self._weigh(rows, target)
        if rows.weight is not None:
            kept = kept[rows.weight > 0]
        rows = weighing(rows, "rows to train on")
        if len(rows) < 2:
            raise ValueError(
                "X has 1 sample (n_samples=1) with a weight; at least 2 are needed, so "
                "that each can be predicted by a model that has not learned from it."
            )
        return rows, kept

    def _keep_fitted(
        self, reading: Any, branches: Branches, target: Any, objective: Any
    ) -> None:
        self._reading, self._branches = reading, branches
        self._target, self._objective = target, objective
        self._reader_stack: Stack | None = None
        for name, value in self._task_attributes(target).items():
            setattr(self, name, value)

    def _keep_held_out(
        self, raw: np.ndarray, encoded: Any, rows: Rows, kept: np.ndarray, n: int
    ) -> None:
        """Keep what models say of texts that they have not learned from."""
        drawn = ~np.isnan(raw).any(axis=1)
        output = self._objective.inverse_link(torch.from_numpy(raw[drawn]))
        weight = None
        if rows.score_weight is not None:
            weight = torch.from_numpy(rows.score_weight[drawn])
        self.oof_score_ = self._target.score(output, encoded[drawn], weight)
        found = self._oof_output(output.numpy())
        self.oof_prediction_ = np.full((n, *found.shape[1:]), np.nan)
        self.oof_prediction_[kept[drawn]] = found

    def _oof_output(self, output: np.ndarray) -> np.ndarray:
        """Return outputs as `oof_prediction_` has them."""
        return output

    def _task_attributes(self, target: Any) -> dict[str, Any]:
        """Return the fitted attributes that the task adds."""
        return {}

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """Return what texts that are held out are stratified by."""
        return None

    def _weigh(self, rows: Rows, target: Any) -> Rows:
        """Return the rows with the weights that the task adds."""
        return rows

    def _sweep_lr(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> Curve:
        self._check_parameters()
        if self.fine_tuning is None:
            raise ValueError(
                f"{type(self).__name__} has a learning rate with fine_tuning only; "
                "without it nothing is trained in steps."
            )
        with all_or_nothing(self):
            rng, runtime = seed_source(self.random_state), self._runtime()
            rows = self._rows(X, y, sample_weight).without_zero_weights()
            target = self._new_target(rows, None)
            target.fit(rows.y, rows.weight)
            labelled = labelled_texts(self._weigh(rows, target), target)
            lm = fitted_language_model(self, labelled.texts, draw_seed(rng))
            with runtime.seeded(draw_seed(rng)):
                parts = new_parts(self, lm, self._new_objective(target), runtime)
                batches, work = reader_batches(self, parts, labelled, runtime)
                with runtime.threads(work):
                    return sweep_lr(self, parts, batches, runtime, **how)

    # State.

    @property
    def branches_(self) -> pd.DataFrame:
        """What says how much."""
        if "_branches" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no branches_ before fit.")
        report = self._branches.report()
        if self._reader_stack is not None:
            weight = self._reader_stack.weights[1]
            report.loc["reader"] = [self._reader_loss, np.nan, weight]
        return report

    @property
    def language_model_(self) -> Any:
        """The fitted language model whose vectors are read."""
        if "_reading" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has no language_model_ before fit."
            )
        return self._reading.language_model

    def _state(self) -> dict[str, Any]:
        """Return the state; once fitted, without the fitted model that was given."""
        state = super()._state()
        given = inside(state["language_model"])
        if "_branches" in state and hasattr(given, "_lm_encoder"):
            state["language_model"] = LeftOut(described(given))
        return state


def _has_two_classes(target: Any) -> bool:
    return not target.multilabel and target.n_outputs == 2


def _unlabeled(texts: Any) -> list[str]:
    """Return texts without labels; there may be none."""
    if texts is None:
        return []
    try:
        return check_texts(texts, may_be_empty=True)
    except (TypeError, ValueError) as error:
        error.add_note("This is about unlabeled, texts that have no labels.")
        raise
