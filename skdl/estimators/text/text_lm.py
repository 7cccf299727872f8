"""TextLM: a language model behind fit, score and transform."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval, StrOptions

from skdl.data.text import TextEncoder, TokenStream, check_texts
from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.core.continuing import goes_on
from skdl.estimators.core.docs import fill_docstring
from skdl.estimators.core.fitting import FittedParts, sweep_lr, train_parts
from skdl.estimators.core.network import NetworkEstimator
from skdl.estimators.core.state import all_or_nothing, draw_seed, seed_source
from skdl.estimators.text.building import (
    DROPOUTS,
    PRESETS,
    check_source,
    language_history,
    new_encoder,
    new_network,
    progress_details,
    split_texts,
    step_work,
    validation,
)
from skdl.estimators.text.uses import POOLINGS, TextUse
from skdl.estimators.text.windows import (
    Windows,
    choose_windows,
    training_streams,
)
from skdl.networks.language_model import Continued
from skdl.training.loop import Outcome
from skdl.training.runtime import Runtime, resolve_runtime
from skdl.training.text.next_token import NextTokenLoss

_SHARE = Interval(Real, 0, 1, closed="left")
_COUNT = Interval(Integral, 1, None, closed="left")


@fill_docstring
@dataclass(kw_only=True, eq=False, repr=False)
class TextLM(TextUse, NetworkEstimator):
    """Language model: learns from texts which token comes next.

    It tells how likely texts are, writes on from a beginning, and turns documents into
    vectors for other models. The network is an AWD-LSTM (Merity et al. 2017, arXiv
    1708.02182).

    Parameters
    ----------
    {text}
    {text_training}

    Attributes
    ----------
    tokens_ : list of str
        The vocabulary by id, the most frequent token first; ``<unk>`` stands for all
        that is not in it, ``<eos>`` ends every document.
    embeddings_ : pandas.DataFrame of shape (n_tokens, embedding_dim)
        Vectors of the tokens.
    network_ : torch.nn.Module
        The trained network, in evaluation mode.
    history_ : pandas.DataFrame
        One row an epoch: `epoch`, `loss` (nats a token, without penalties), `lr`,
        `seconds`, `perplexity`, `tokens_per_second`; with held-out texts
        `training_seconds`, `validation_loss`, `validation_score` (minus the loss) and
        `validation_perplexity`, measured on up to 16 parallel streams.
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        The epoch whose weights are kept.
    lr_ : float
        The learning rate used.
    bptt_, batch_size_ : int
        Tokens of a window and streams.
    bptt_report_ : pandas.DataFrame
        Where one of them was "auto": a row for each candidate, with `steps` an epoch,
        `memory_bytes` at the peak, whether it `fits`, `predicted_tokens_per_second`,
        `tokens_per_second` if measured, `finite` if tried, `chosen` and `reason`.
    device_ : str
        Where the network is. A pickle holds no device.

    See Also
    --------
    skdl.datasets.read_lines : Texts from a file.

    Examples
    --------
    >>> from skdl import TextLM
    >>> texts = ["the cat sat on the mat", "the dog sat on the rug"] * 20
    >>> model = TextLM(
    ...     hidden_size=32, embedding_dim=16, batch_size=4, bptt=10, lr=0.02,
    ...     max_epochs=30, random_state=0,
    ... ).fit(texts)
    >>> model.predict(["the cat sat"]).tolist()
    ['on']
    >>> model.transform(texts).shape
    (40, 48)
    """

    analyzer: str | Callable[[str], Sequence[str]] = "word"
    token_pattern: str | None = None
    lowercase: bool = False
    min_frequency: int = 2
    max_vocab: int | None = None
    embedding_dim: int = 256
    hidden_size: int = 256
    num_layers: int = 2
    tie_weights: bool = True
    cell: str = "lstm"
    softmax: str | Sequence[int] = "auto"
    dropout_scale: float = 1.0
    input_dropout: float = 0.2
    hidden_dropout: float = 0.1
    output_dropout: float = 0.2
    word_dropout: float = 0.0
    recurrent_dropout: float | str = "auto"
    zoneout: float = 0.0
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    bptt: int | str = 35
    variable_bptt: bool = True
    init_from: Any = None
    pooling: str = "all"
    lr: float | str = 4e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.8, 0.99)
    max_epochs: int = 10
    batch_size: int | str = 20
    clip_grad_norm: float | None = 0.25

    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
        "analyzer": [StrOptions({"word", "char", "bpe"}), callable],
        "token_pattern": [str, None],
        "lowercase": ["boolean"],
        "min_frequency": [_COUNT],
        "max_vocab": [Interval(Integral, 3, None, closed="left"), None],
        "embedding_dim": [_COUNT],
        "hidden_size": [_COUNT],
        "num_layers": [_COUNT],
        "tie_weights": ["boolean"],
        "cell": [StrOptions({"lstm", "qrnn"})],
        "zoneout": [_SHARE],
        "softmax": [StrOptions({"auto", "full", "adaptive"}), "array-like"],
        "dropout_scale": [Interval(Real, 0, None, closed="left")],
        **{name: [_SHARE] for name in DROPOUTS},
        "recurrent_dropout": [_SHARE, StrOptions({"auto"})],
        "activation_penalty": [Interval(Real, 0, None, closed="left")],
        "temporal_penalty": [Interval(Real, 0, None, closed="left")],
        "bptt": [_COUNT, StrOptions({"auto"})],
        "variable_bptt": ["boolean"],
        "init_from": "no_validation",
        "pooling": [StrOptions({"all", *POOLINGS})],
    }

    @classmethod
    def from_preset(cls, preset: str, **changes: Any) -> "TextLM":
        """Return a model with settings for a purpose.

        Parameters
        ----------
        preset : {"small", "awd"}
            "small" is what `TextLM` has without it: minutes on a CPU. "awd" is the
            network of the paper, 24 million weights for 10,000 words, for a GPU.
        **changes
            Parameters to set otherwise.

        Returns
        -------
        TextLM

        Examples
        --------
        >>> from skdl import TextLM
        >>> TextLM.from_preset("awd", max_epochs=30).hidden_size
        1150
        """
        if preset not in PRESETS:
            raise ValueError(
                f"preset must be one of {sorted(PRESETS)}, got {preset!r}."
            )
        return cls(**{**PRESETS[preset], **changes})

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags

    # Fitting.

    @with_callbacks
    def fit(self, X: Any, y: Any = None, *, X_val: Any = None) -> "TextLM":
        """Learn the vocabulary and train the network.

        Parameters
        ----------
        X : iterable of str
            Documents: a list, Series, array, polars column or generator. For a text
            that goes on from line to line, its lines.
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
            Not where ``batch_size="auto"``.
        """
        self._check_parameters()
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        seen = {"X": X, "y": y, "metadata": {}}
        with all_or_nothing(self):
            texts = check_texts(X)
            held_out = None if X_val is None else check_texts(X_val)
            warm = goes_on(self, is_warm=self.warm_start)
            outcome = self._fit(texts, held_out, warm=warm, watch=(context, seen))
        self._conclude(outcome)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "TextLM":
        """Train for one epoch, at a constant rate; the vocabulary stays as it is.

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
            outcome = self._fit(check_texts(X), None, warm=warm, continued=True)
        self._conclude(outcome, continued=True)
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_source(self.init_from)

    def _runtime(self) -> Runtime:
        return resolve_runtime(self.device, self.precision, prefer_bfloat16=True)

    def _parts(
        self, texts: list[str], runtime: Runtime, *, warm: bool
    ) -> tuple[FittedParts, TokenStream]:
        """Return what is trained, and what it is trained on."""
        if warm:
            encoder = self._lm_encoder
            stream = encoder.transform(texts)
            model = copy.deepcopy(self.network_)
            state, lr = copy.deepcopy(self._optimizer_state), self.lr_
        else:
            encoder = new_encoder(self)
            stream = encoder.fit_transform(texts)
            model, state, lr = new_network(self, encoder, runtime), None, None
        objective = NextTokenLoss(
            len(encoder.tokens), self.activation_penalty, self.temporal_penalty
        )
        network = Continued(model).to(runtime.device)
        return FittedParts(encoder, None, objective, network, state, lr), stream

    def _fit(
        self,
        texts: list[str],
        held_out: list[str] | None,
        *,
        warm: bool,
        continued: bool = False,
        watch: tuple[Any, dict] | None = None,
    ) -> Outcome:
        checkpoint, rng = self._begin(warm=warm, continued=continued)
        runtime = self._runtime()
        if held_out is None and self.early_stopping and not continued:
            texts, held_out = split_texts(
                texts, self.validation_fraction, draw_seed(rng)
            )
        with runtime.seeded(draw_seed(rng)):
            parts, stream = self._parts(texts, runtime, warm=warm)
            windows = choose_windows(
                self, parts, stream, runtime, warm=warm, checkpoint=checkpoint
            )
            batches = training_streams(self, windows, parts.encoder, stream, runtime)
            validate = None
            if held_out is not None:
                validate = validation(
                    parts.network,
                    parts.encoder,
                    parts.encoder.transform(held_out),
                    runtime,
                    windows.bptt,
                )
            reporter = EpochReporter(
                self,
                *(watch or (None, {})),
                lambda: self._fitted(copy.deepcopy(parts), runtime, windows),
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
        history = language_history(outcome.records, batches.n_tokens)
        vars(self).pop("bptt_report_", None)  # there is none where nothing was chosen
        fitted = self._fitted(parts, runtime, windows)
        self._keep(fitted, history, outcome, extend=continued and warm)
        reporter.fit_end()
        return outcome

    def _sweep_lr(
        self, X: Any, y: Any, sample_weight: Any, **how: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        self._check_parameters()
        if sample_weight is not None:
            raise ValueError("TextLM takes no sample_weight.")
        with all_or_nothing(self):
            warm = goes_on(self, is_warm=self.warm_start)
            rng = seed_source(self.random_state)
            runtime = self._runtime()
            with runtime.seeded(draw_seed(rng)):
                parts, stream = self._parts(check_texts(X), runtime, warm=warm)
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
        return pd.DataFrame(weight, index=pd.Index(tokens, name="token"))

    def _fitted_encoder(self, name: str) -> TextEncoder:
        if "_lm_encoder" not in vars(self):
            raise AttributeError(f"TextLM has no {name} before fit.")
        return self._lm_encoder
