"""What estimators on labelled texts can be told."""

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.checks import MOST, as_list, is_count
from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.fine_tuning import FineTuning
from skdl.estimators.text.text_parameters import TokenParameters


@parameters
class LabelledTextParameters(TokenParameters):
    """What is read of texts that have labels.

    Parameters
    ----------
    min_frequency : int
        Words, and runs of them, that occur less often or in fewer texts are not
        counted. For "bpe", how often two pieces must stand side by side to be joined.
    ngram_range : tuple of two int
        Lengths of the shortest and the longest runs of words that are counted. For
        ``analyzer="char"``, (1, 5) is a good choice.
    language_model : TextLM or None
        A language model whose vectors of the texts are read beside their words. A
        fitted one, or a ``FrozenEstimator`` of one, stays as it is (`clone` and
        searches take the fit from one that is not frozen); one that is not fitted
        learns in `fit`, from X and the unlabelled texts. None reads words only.
    fine_tuning : FineTuning, "gradual" or None
        How the language model's layers are trained on labels, below a head of their
        own, beside the other branches. "gradual" is the recipe of Howard & Ruder 2018
        (arXiv 1801.06146): the head first, one more layer in every epoch, each at a
        rate 2.6 times lower than the one above it; its names in a `FineTuning` are
        "reading" and "head". None leaves them as they are, which takes a fraction of
        the time: their vectors go to a linear model.
    dropout : float
        With `fine_tuning`, of a text's vector, in [0, 1).
    bptt : int
        With `fine_tuning`, tokens at the end of a text that gradients go through. The
        state goes through all of it.
    """

    token_pattern: str | None = "auto"
    lowercase: bool = True
    ngram_range: tuple[int, int] = (1, 3)
    language_model: Any = None
    fine_tuning: FineTuning | str | None = None
    dropout: float = 0.4
    bptt: int = 128

    _constraints = {
        "ngram_range": ["array-like"],
        "language_model": "no_validation",
        "fine_tuning": [FineTuning, StrOptions({"gradual"}), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "bptt": [Interval(Integral, 1, MOST, closed="both")],
    }


def check_ngram_range(ngram_range: Any) -> None:
    """Refuse what is not two lengths, the shorter one first.

    Raises
    ------
    ValueError
        With what came.
    """
    values = as_list(ngram_range)
    counts = values is not None and all(
        isinstance(v, Integral) and is_count(v) for v in values
    )
    if values is None or len(values) != 2 or not counts or values[0] > values[1]:
        raise ValueError(
            "ngram_range must be two positive integers, the smaller one first, such as "
            f"(1, 2); got {ngram_range!r}."
        )


def resolve_fine_tuning(fine_tuning: FineTuning | str | None) -> FineTuning | None:
    """Return what `fine_tuning` stands for."""
    if isinstance(fine_tuning, str):
        return FineTuning(freeze="reading", thaw="gradual", layer_lr_decay=1 / 2.6)
    return fine_tuning
