"""How a language model is fitted: its texts, windows, network and history."""

import copy
from typing import Any

import pandas as pd
from sklearn.callback import with_callbacks

from skdl.data.text import TextEncoder, TokenStream, as_strings, check_texts
from skdl.data.text_streams import TextStream, text_stream
from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.core.continuing import goes_on
from skdl.estimators.core.fitting import FittedParts, sweep_lr, train_parts
from skdl.estimators.core.history import History
from skdl.estimators.core.inputs import about_held_out
from skdl.estimators.core.network_estimator import NetworkEstimator, told_of
from skdl.estimators.core.state import all_or_nothing, draw_seed, seed_source
from skdl.estimators.core.wrong_names import answers_names
from skdl.estimators.text.encoder import encoded, new_encoder
from skdl.estimators.text.held_out import split_texts, validation
from skdl.estimators.text.history import language_history, progress_details
from skdl.estimators.text.network import (
    check_dropout,
    check_source,
    new_network,
    step_work,
)
from skdl.estimators.text.windows import (
    Windows,
    choose_windows,
    tell_of_minutes,
    training_streams,
)
from skdl.networks.language_model import Continued
from skdl.training.loop import Outcome
from skdl.training.range_test import Curve
from skdl.training.runtime import Runtime
from skdl.training.text.next_token import NextTokenLoss


class LanguageModelEstimator(NetworkEstimator):
    """Fits a language model on strings.

    Parameters
    ----------
    batch_size : int or "auto"
        Streams that are read side by side. "auto" chooses as `bptt` does, among 10 to
        80, on a GPU 20 to 160, and takes the fewest tokens a step.
    weight_decay : float
        Decay of weights; biases are not decayed.
    validation : float
        Share of the documents that early stopping holds out, at random, unless `fit` is
        given `X_val`; of a single document its end.
    precision : str
        Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto"
        is "bfloat16" on GPUs and CPUs that are made for it. All else is float32.

    Attributes
    ----------
    tokens_ : list of str
        The vocabulary by id, the most frequent token first; ``<unk>`` stands for all
        that is not in it, ``<eos>`` ends every document.
    embeddings_ : pandas.DataFrame of shape (n_tokens, embedding_dim)
        Vectors of the tokens.
    history_ : pandas.DataFrame
        One row an epoch: `epoch`, `loss` (nats a token, without penalties), `lr`,
        `seconds`, `perplexity`, `tokens_per_second`; with held-out texts
        `training_seconds`, `validation_loss`, `validation_score` (minus the loss) and
        `validation_perplexity`, measured on up to 16 parallel streams.
    bptt_ : int
        Tokens of a window.
    batch_size_ : int
        Streams that are read side by side.
    bptt_report_ : pandas.DataFrame
        Where one of them was "auto": a row for each candidate, with `steps` an epoch,
        `memory_bytes` at the peak, whether it `fits`, `predicted_tokens_per_second`,
        `tokens_per_second` if measured, `finite` if tried, `chosen` and `reason`.
    """

    _score_name = None  # it is minus the loss
    _takes_several_devices = False
    _prefers_bfloat16 = True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags

    # Fitting.

    @answers_names
    @with_callbacks
    def fit(self, X: Any, y: Any = None, *, X_val: Any = None):
        """Learn the vocabulary and train the network.

        Parameters
        ----------
        X : iterable of str, or path
            Documents: a list, Series, array, polars column or generator. For a text
            that goes on from line to line, its lines. A `pathlib.Path`, or a list of
            them: lines of a text file (UTF-8, also ``.gz`` and ``.xz``), or the column
            of text of Parquet files. What has no length is read in one pass, and of
            more than 16 million tokens the ids are kept in a temporary file.
        y : None
            Ignored.
        X_val : iterable of str, default=None
            Held-out documents whose perplexity is recorded after every epoch and, with
            ``early_stopping=True``, decides when to stop.

        Returns
        -------
        self : TextLM

        Raises
        ------
        TypeError, ValueError
            If texts or parameters are not as described; the model stays as it was.
        FloatingPointError
            If training diverges and going back to the last good epoch does not help;
            the model of that epoch is kept.
        KeyboardInterrupt
            If interrupted (Ctrl-C); the epochs done are kept.

        Warns
        -----
        UserWarning
            If the text is shorter than ``batch_size * bptt``: fewer streams are used.
            Not where ``batch_size="auto"``. And if a fit on a CPU is going to take more
            than about two minutes, and ``verbose=0``.
        """
        self._check_parameters()
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        seen = {"X": X, "y": y, "metadata": {}}
        with all_or_nothing(self):
            texts = self._texts(X, splits=X_val is None and self.early_stopping)
            held_out = None
            if X_val is not None:
                with about_held_out():
                    held_out = self._texts(X_val)
            warm = goes_on(self, is_warm=self.warm_start)
            outcome = self._fit(texts, held_out, warm=warm, watch=(context, seen))
        self._conclude(outcome)
        return self

    @answers_names
    def partial_fit(self, X: Any, y: Any = None):
        """Train for one epoch, at a constant rate; the vocabulary stays as it is.

        The rate is `lr`, or after `fit` `lr` times the mean of `schedule` over its last
        quarter, until `lr` is set anew.

        Parameters
        ----------
        X : iterable of str
            Documents. The first call learns the vocabulary from them.
        y : None
            Ignored.

        Returns
        -------
        self : TextLM
        """
        self._check_parameters()
        with all_or_nothing(self):
            warm = goes_on(self, is_warm=True)
            outcome = self._fit(self._texts(X), None, warm=warm, continued=True)
        self._conclude(outcome, continued=True)
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_source(self.init_from)
        check_dropout(self.dropout)

    def _texts(self, X: Any, *, splits: bool = False) -> list[str] | TextStream:
        """Return texts in memory, or what reads them."""
        stream = text_stream(X, once=not splits and self.analyzer != "bpe")
        return check_texts(X) if stream is None else stream

    def _parts(
        self, texts: list[str] | TextStream, runtime: Runtime, *, warm: bool
    ) -> tuple[FittedParts, TokenStream]:
        """Return what is trained, and what it is trained on."""
        if warm:
            encoder = self._lm_encoder
            stream = encoded(encoder, texts)
            model = copy.deepcopy(self.network_)
            state = copy.deepcopy(self._optimizer_state)
            lr, pace = self.lr_, self._pace
        else:
            encoder = new_encoder(self)
            stream = encoded(encoder, texts, fit=True)
            model, state = new_network(self, encoder, runtime), None
            lr, pace = None, 1.0
        objective = NextTokenLoss(
            len(encoder.tokens), self.activation_penalty, self.temporal_penalty
        )
        network = Continued(model).to(runtime.device)
        parts = FittedParts(encoder, None, objective, network, state, lr, pace)
        return parts, stream

    def _fit(
        self,
        texts: list[str] | TextStream,
        held_out: list[str] | TextStream | None,
        *,
        warm: bool,
        continued: bool = False,
        watch: tuple[Any, dict] | None = None,
    ) -> Outcome:
        checkpoint, rng = self._begin(warm=warm, continued=continued)
        runtime = self._runtime()
        if held_out is None and self.early_stopping and not continued:
            texts, held_out = split_texts(texts, self.validation, draw_seed(rng))
        with runtime.seeded(draw_seed(rng)):
            parts, stream = self._parts(texts, runtime, warm=warm)
            windows = choose_windows(
                self, parts, stream, runtime, warm=warm, checkpoint=checkpoint
            )
            batches = training_streams(self, windows, parts.encoder, stream, runtime)
            if not continued:
                tell_of_minutes(self, parts, windows, batches.n_tokens, runtime)
            validate = None
            if held_out is not None:
                validate = validation(
                    parts.network,
                    parts.encoder,
                    encoded(parts.encoder, held_out),
                    runtime,
                    windows.bptt,
                )
            reporter = EpochReporter(
                self,
                *(watch or (None, {})),
                lambda outcome, state: {
                    **self._fitted(parts.copied(state), runtime, windows),
                    **told_of(
                        History(language_history(outcome.records, batches.n_tokens)),
                        outcome,
                    ),
                },
                1 if continued else self.max_epochs,
                details=lambda record: progress_details(record, batches.n_tokens),
            )
            reporter.fit_begin()
            outcome = train_parts(
                self,
                parts,
                batches,
                runtime,
                work=step_work(parts.network, windows.batch_size, windows.bptt),
                validate=validate,
                continued=continued,
                reporter=reporter,
                checkpoint=checkpoint,
            )
        rows = language_history(outcome.records, batches.n_tokens)
        vars(self).pop("bptt_report_", None)  # there is none where nothing was chosen
        fitted = self._fitted(parts, runtime, windows)
        self._keep(fitted, rows, outcome, extend=continued and warm)
        reporter.fit_end()
        return outcome

    def _sweep_lr(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> Curve:
        self._check_parameters()
        if sample_weight is not None:
            raise ValueError(f"{type(self).__name__} takes no sample_weight.")
        with all_or_nothing(self):
            warm = goes_on(self, is_warm=self.warm_start)
            rng = seed_source(self.random_state)
            runtime = self._runtime()
            with runtime.seeded(draw_seed(rng)):
                parts, stream = self._parts(self._texts(X), runtime, warm=warm)
                windows = choose_windows(self, parts, stream, runtime, warm=warm)
                batches = training_streams(
                    self, windows, parts.encoder, stream, runtime
                )
                work = step_work(parts.network, windows.batch_size, windows.bptt)
                with runtime.threads(work):
                    return sweep_lr(self, parts, batches, runtime, **how)

    def _fitted(
        self, parts: FittedParts, runtime: Runtime, windows: Windows
    ) -> dict[str, Any]:
        """Return all that the methods need, as attributes."""
        encoder: TextEncoder = parts.encoder
        return {
            "network_": parts.network.eval().body,
            "lr_": parts.lr,
            "device_": str(runtime.device),
            "_lm_encoder": encoder,
            "_optimizer_state": parts.optimizer_state,
            "_pace": parts.pace,
            **windows.attributes(),
        }

    @property
    def tokens_(self) -> list[str]:
        """The vocabulary by id."""
        return self._fitted_encoder("tokens_").tokens

    @property
    def embeddings_(self) -> pd.DataFrame:
        """Vectors of the tokens."""
        tokens = self._fitted_encoder("embeddings_").tokens
        weight = self.network_.embedding.weight.detach().cpu().numpy()
        return pd.DataFrame(weight, index=pd.Index(as_strings(tokens), name="token"))

    def _fitted_encoder(self, name: str) -> TextEncoder:
        if "_lm_encoder" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before fit.")
        return self._lm_encoder
