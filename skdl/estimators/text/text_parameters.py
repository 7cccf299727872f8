"""What a language model can be told."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.checks import MOST, STEEPEST
from skdl.estimators.core.constructor import parameters
from skdl.estimators.text.uses import POOLINGS

_SHARE = Interval(Real, 0, 1, closed="left")
_COUNT = Interval(Integral, 1, MOST, closed="both")
_PENALTY = Interval(Real, 0, STEEPEST, closed="both")


@parameters
class TokenParameters:
    """What texts are cut into.

    Parameters
    ----------
    analyzer : {"word", "char", "bpe"} or callable
        What a token is: a word, a character, or a piece found by byte pair encoding
        (with the extra ``text``); or a function from a text to its tokens.
    token_pattern : str
        For words, a regular expression that matches one, such as ``r"[a-z]+"``. "auto"
        takes words and punctuation marks, None splits at whitespace.
    lowercase : bool
        Whether to put texts into lower case.
    min_frequency : int
        Rarer tokens become ``<unk>``, which so learns to stand for what is new. For
        "bpe", how often two pieces must stand side by side to be joined.
    max_vocab : int
        Tokens that are kept at most, the most frequent ones. None keeps all; for "bpe"
        it is 10,000.
    """

    analyzer: str | Callable[[str], Sequence[str]] = "word"
    token_pattern: str | None = None
    lowercase: bool = False
    min_frequency: int = 2
    max_vocab: int | None = None

    _constraints = {
        "analyzer": [StrOptions({"word", "char", "bpe"}), callable],
        "token_pattern": [str, None],
        "lowercase": ["boolean"],
        "min_frequency": [_COUNT],
        "max_vocab": [Interval(Integral, 3, None, closed="left"), None],
    }


@parameters
class TextParameters(TokenParameters):
    """What a language model is and reads.

    Parameters
    ----------
    embedding_dim : int
        Width of the vectors of tokens.
    hidden_size : int
        Width of the recurrent layers; with tied weights the last one is `embedding_dim`
        wide.
    num_layers : int
        Recurrent layers.
    cell : {"lstm", "qrnn"}
        "qrnn" makes all products of a window at once and leaves little to be done step
        by step (Bradbury et al. 2016, arXiv 1611.01576), which is faster for wide
        layers.
    tie_weights : bool
        Whether the softmax has the tokens' vectors as its weight (Press & Wolf 2016,
        arXiv 1608.05859).
    softmax : {"auto", "full", "adaptive"} or sequence of int
        "adaptive" puts rare tokens into clusters that are slices of the embedding,
        which takes a fraction of the time (Grave et al. 2017, arXiv 1609.04309); a
        sequence gives the first token of each cluster. Probabilities are exact either
        way. "auto" is adaptive on a CPU from 5,000 tokens on.
    dropout : float, dict or "auto"
        A number p is the dropout of the tokens' vectors and of the outputs, and p / 2
        that between layers and, for "lstm", of recurrent weights: more for a text that
        is read often, less for much text. "auto" goes by the `max_epochs` that there
        are when the network is made: .2 for 5, .1 more where they double, from .1 to
        .35. A dict sets each by itself, the others stay as for 0.2: "input", "hidden",
        "output" (with masks that stay the same over a window), "recurrent" (of
        recurrent weights; for "qrnn" of all weights of the layers), "word" (share of
        words whose vectors are zeroed in a window); in [0, 1).
    zoneout : float
        For "qrnn", share of units that keep their past for a step, in [0, 1).
    activation_penalty : float
        Penalty on the size of the top layer's outputs (arXiv 1708.01009).
    temporal_penalty : float
        Penalty on their change from step to step (arXiv 1708.01009).
    bptt : int or "auto"
        Tokens of a window, through which gradients go back. "auto" chooses among 35,
        70, 140 and 280 (less where these do not fit memory or the text): the shortest
        window that is at most 5% slower than the fastest, among those that fit into
        memory, leave 200 steps an epoch and 2000 in all, and keep the loss finite.
        Shorter windows are more updates. Speed is measured with `random_state` None;
        otherwise it is estimated by formula, and the choice depends on nothing but
        data, parameters and how much memory the device has in all. It is made once;
        `warm_start` and `partial_fit` keep it.
    variable_bptt : bool
        Whether windows have random lengths around `bptt`, with the rate scaled likewise
        (arXiv 1708.02182, section 5).
    init_from : TextLM
        A fitted model, or a ``FrozenEstimator`` of one, with whose weights to begin.
        The vocabulary is that of the new texts; words that the other model does not
        know begin at its mean vector.
    pooling : {"all", "last", "max", "mean"}
        What `transform` makes of the top layer's outputs: the last, the highest, their
        mean, or all three beside each other. May be changed after fitting.
    """

    embedding_dim: int = 256
    hidden_size: int = 256
    num_layers: int = 2
    cell: str = "lstm"
    tie_weights: bool = True
    softmax: str | Sequence[int] = "auto"
    dropout: str | float | Mapping[str, float] = "auto"
    zoneout: float = 0.0
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    bptt: int | str = 35
    variable_bptt: bool = True
    init_from: Any = None
    pooling: str = "all"

    _constraints = {
        "embedding_dim": [_COUNT],
        "hidden_size": [_COUNT],
        "num_layers": [_COUNT],
        "cell": [StrOptions({"lstm", "qrnn"})],
        "tie_weights": ["boolean"],
        "softmax": [StrOptions({"auto", "full", "adaptive"}), "array-like"],
        "dropout": [_SHARE, dict, StrOptions({"auto"})],
        "zoneout": [_SHARE],
        "activation_penalty": [_PENALTY],
        "temporal_penalty": [_PENALTY],
        "bptt": [_COUNT, StrOptions({"auto"})],
        "variable_bptt": ["boolean"],
        "init_from": "no_validation",
        "pooling": [StrOptions({"all", *POOLINGS})],
    }
