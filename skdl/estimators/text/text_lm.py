"""TextLM: a language model behind fit, score and transform."""

from typing import Any

from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.parameters import FineTuningParameter
from skdl.estimators.text.language_model import LanguageModelEstimator
from skdl.estimators.text.presets import PRESETS
from skdl.estimators.text.text_parameters import TextParameters
from skdl.estimators.text.uses import TextUse


@parameters
class TextLM(
    TextUse,
    LanguageModelEstimator,
    FineTuningParameter,
    TextParameters,
):
    """Language model: learns from texts which token comes next.

    It tells how likely texts are, writes on from a beginning, and turns documents into
    vectors for other models. The network is an AWD-LSTM (Merity et al. 2017, arXiv
    1708.02182).

    Parameters
    ----------
    analyzer : {"word", "char", "bpe"} or callable, default="word"
        What a token is: a word, a character, or a piece found by byte pair encoding
        (with the extra ``text``); or a function from a text to its tokens.
    token_pattern : str, default=None
        For words, a regular expression that matches one, such as ``r"[a-z]+"``. "auto"
        takes words and punctuation marks, None splits at whitespace.
    lowercase : bool, default=False
        Whether to put texts into lower case.
    min_frequency : int, default=2
        Rarer tokens become ``<unk>``, which so learns to stand for what is new. For
        "bpe", how often two pieces must stand side by side to be joined.
    max_vocab : int, default=None
        Tokens that are kept at most, the most frequent ones. None keeps all; for "bpe"
        it is 10,000.
    embedding_dim : int, default=256
        Width of the vectors of tokens.
    hidden_size : int, default=256
        Width of the recurrent layers; with tied weights the last one is `embedding_dim`
        wide.
    num_layers : int, default=2
        Recurrent layers.
    cell : {"lstm", "qrnn"}, default="lstm"
        "qrnn" makes all products of a window at once and leaves little to be done step
        by step (Bradbury et al. 2016, arXiv 1611.01576), which is faster for wide
        layers.
    tie_weights : bool, default=True
        Whether the softmax has the tokens' vectors as its weight (Press & Wolf 2016,
        arXiv 1608.05859).
    softmax : {"auto", "full", "adaptive"} or sequence of int, default="auto"
        "adaptive" puts rare tokens into clusters that are slices of the embedding,
        which takes a fraction of the time (Grave et al. 2017, arXiv 1609.04309); a
        sequence gives the first token of each cluster. Probabilities are exact either
        way. "auto" is adaptive on a CPU from 5,000 tokens on.
    dropout : float, dict or "auto", default="auto"
        A number p is the dropout of the tokens' vectors and of the outputs, and p / 2
        that between layers and, for "lstm", of recurrent weights: more for a text that
        is read often, less for much text. "auto" goes by the `max_epochs` that there
        are when the network is made: .2 for 5, .1 more where they double, from .1 to
        .35. A dict sets each by itself, the others stay as for 0.2: "input", "hidden",
        "output" (with masks that stay the same over a window), "recurrent" (of
        recurrent weights; for "qrnn" of all weights of the layers), "word" (share of
        words whose vectors are zeroed in a window); in [0, 1).
    zoneout : float, default=0.0
        For "qrnn", share of units that keep their past for a step, in [0, 1).
    activation_penalty : float, default=0.0
        Penalty on the size of the top layer's outputs (arXiv 1708.01009).
    temporal_penalty : float, default=0.0
        Penalty on their change from step to step (arXiv 1708.01009).
    bptt : int or "auto", default=35
        Tokens of a window, through which gradients go back. "auto" chooses among 35,
        70, 140 and 280 (less where these do not fit memory or the text): the shortest
        window that is at most 5% slower than the fastest, among those that fit into
        memory, leave 200 steps an epoch and 2000 in all, and keep the loss finite.
        Shorter windows are more updates. Speed is measured with `random_state` None;
        otherwise it is estimated by formula, and the choice depends on nothing but
        data, parameters and how much memory the device has in all. It is made once;
        `warm_start` and `partial_fit` keep it.
    variable_bptt : bool, default=True
        Whether windows have random lengths around `bptt`, with the rate scaled likewise
        (arXiv 1708.02182, section 5).
    init_from : TextLM, default=None
        A fitted model, or a ``FrozenEstimator`` of one, with whose weights to begin.
        The vocabulary is that of the new texts; words that the other model does not
        know begin at its mean vector.
    pooling : {"all", "last", "max", "mean"}, default="all"
        What `transform` makes of the top layer's outputs: the last, the highest, their
        mean, or all three beside each other. May be changed after fitting.
    fine_tuning : FineTuning or None, default=None
        What of the network is frozen, when it thaws, and how much more slowly early
        layers learn, when going on from trained weights.
    max_epochs : int, default=10
        Passes over the training data.
    batch_size : int or "auto", default=20
        Streams that are read side by side. "auto" chooses as `bptt` does, among 10 to
        80, on a GPU 20 to 160, and takes the fewest tokens a step.
    lr : float or "auto", default=0.004
        Learning rate, where `schedule` is 1. "auto" finds one on the training data with
        a range test of at most 100 steps (see `lr_find`).
    optimizer : str or callable, default="adamw"
        "adamw" (decoupled weight decay, arXiv 1711.05101), "adam" (decay as an L2 term
        of the gradient), "sgd" (Nesterov momentum), "muon" (orthogonal steps of hidden
        matrices, arXiv 2502.16982; the rest by AdamW), or a ``torch.optim.Optimizer``
        class or a ``functools.partial`` of one.
    schedule : str or callable, default="one_cycle"
        "one_cycle" (rise for a quarter of training, then fall; momentum moves the other
        way by +-.05; arXiv 1803.09820), "cosine", "warm_restarts" (three cosine falls,
        each twice as long as the last; arXiv 1608.03983), "flat_cosine", "constant", or
        a function that takes progress in [0, 1] and returns the factor of `lr`.
    weight_decay : float, default=0.1
        Decay of weights; biases are not decayed.
    betas : tuple of two floats, default=(0.8, 0.99)
        Memory of the gradient, which is the momentum of "sgd", and of its square, for
        Adam and AdamW; in [0, 1).
    clip_grad_norm : float, default=0.25
        Largest norm of the gradient of all weights together; longer ones are shortened.
    weight_averaging : {"ema", "nt_asgd"} or None, default=None
        "ema" keeps an exponential moving average of the weights over about the last
        tenth of training in place of the last weights. It helps with a schedule that
        does not fall to zero, such as "constant". "nt_asgd" keeps the plain mean from
        where the validation loss stops falling on (arXiv 1708.02182, section 4); it
        needs held-out data and a constant rate.
    early_stopping : bool, default=False
        Whether to hold out data, stop when its loss has not fallen for
        `n_iter_no_change` epochs, and go back to the weights of the best epoch.
    validation : float, default=0.1
        Share of the documents that early stopping holds out, at random, unless `fit` is
        given `X_val`; of a single document its end.
    n_iter_no_change : int, default=10
        Epochs without a new lowest validation loss before early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit: its weights, and scales and categories
        that go on being learned.
    checkpoint : str, os.PathLike or tuple of a path and an int, default=None
        File that the state of training is written to after every epoch, or with a tuple
        after so many. If `fit` is cut off, the same `fit` with the same file goes on
        after the last epoch written; on a CPU its result is the same, bit for bit, as
        if it had never been cut off. The file is removed once `fit` is done. One path a
        fit: searches over parameters cannot share one.
    device : str or torch.device, default="auto"
        "auto" takes a CUDA GPU where there is one; otherwise "cpu", "cuda", "cuda:1",
        ... A list, such as ["cuda:0", "cuda:1"] or ["cpu", "cpu"], trains with a
        process on each, and predicts on the first; not for text (docs/scaling.md).
    precision : str, default="auto"
        Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto"
        is "bfloat16" on GPUs and CPUs that are made for it. All else is float32.
    random_state : int, RandomState instance or None, default=None
        Governs initial weights, order of the samples, dropout and validation split; an
        int gives the same weights, bit for bit, on the same machine. None takes fresh
        entropy. Neither NumPy's nor torch's global random state is touched.
    verbose : int, default=0
        1 shows a progress bar, 2 a line for every epoch.

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
    network_ : torch.nn.Module
        The trained network, in evaluation mode.
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        The epoch whose weights are kept: the last one, or the best with early stopping.
    lr_ : float
        The learning rate where `schedule` is 1; halved by every restoration. What
        `partial_fit` went on at is in `history_`.
    device_ : str
        Where the network is. A pickle holds no device: it loads where there is no GPU.

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

    max_epochs: int = 10
    batch_size: int | str = 20
    lr: float | str = 4e-3
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.8, 0.99)
    clip_grad_norm: float | None = 0.25

    @classmethod
    def from_preset(cls, preset: str, **changes: Any) -> "TextLM":
        """Return a model with settings for a purpose.

        Parameters
        ----------
        preset : {"quick", "small", "awd"}
            "small" is what `TextLM` has without it: minutes on a CPU. "quick" takes a
            fraction of that, to see whether a language model is of use at all. "awd" is
            the paper's network for a GPU, 23 million weights for 10,000 words, and made
            for a million tokens that are read 280 times: give more tokens fewer
            `max_epochs` and less `dropout`.
        **changes
            Parameters to set otherwise.

        Returns
        -------
        TextLM

        Examples
        --------
        >>> from skdl import TextLM
        >>> TextLM.from_preset("awd", max_epochs=30).hidden_size
        1024
        """
        if preset not in PRESETS:
            raise ValueError(
                f"preset must be one of {sorted(PRESETS)}, got {preset!r}."
            )
        return cls(**{**PRESETS[preset], **changes})
