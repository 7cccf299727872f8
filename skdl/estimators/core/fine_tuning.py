"""FineTuning: how training goes on from weights that are good already."""

import html
from collections.abc import Sequence
from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from skdl.estimators.core.checks import as_list


class FineTuning(BaseEstimator):
    """How training goes on from trained weights: what changes late, little or never.

    For the parameter `fine_tuning`. `clone` and searches see through it:
    ``fine_tuning__thaw`` is a name for a grid.

    Parameters
    ----------
    freeze : str or sequence of str, default=None
        Names of modules of the network that are not trained, such as "layer1" or
        "body.0"; "all_but_last" is all layers but the last.
    thaw : int, "gradual" or None, default=None
        Epochs after which frozen layers are trained too; "gradual" thaws one more layer
        after every epoch, the last one first (arXiv 1801.06146, section 3.3).
    layer_lr_decay : float, default=1.0
        Learning rate of each layer as a share of that of the layer after it, in (0, 1]:
        below 1, early layers change less ("discriminative" rates, arXiv 1801.06146,
        section 3.2).

    Examples
    --------
    >>> from skdl import FineTuning, ImageClassifier
    >>> model = ImageClassifier(fine_tuning=FineTuning(freeze="all_but_last", thaw=2))
    >>> model.set_params(fine_tuning__thaw="gradual").fine_tuning
    FineTuning(freeze='all_but_last', thaw='gradual')
    """

    _parameter_constraints = {
        "freeze": [str, "array-like", None],
        "thaw": [
            Interval(Integral, 0, None, closed="left"),
            StrOptions({"gradual"}),
            None,
        ],
        "layer_lr_decay": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        freeze: str | Sequence[str] | None = None,
        thaw: int | str | None = None,
        layer_lr_decay: float = 1.0,
    ) -> None:
        self.freeze = freeze
        self.thaw = thaw
        self.layer_lr_decay = layer_lr_decay

    def _html_repr(self) -> str:
        """Return the HTML of notebooks: scikit-learn's diagrams want a `fit`."""
        return f"<pre>{html.escape(repr(self))}</pre>"

    def check(self) -> None:
        """Refuse values that are out of range."""
        validate_parameter_constraints(
            self._parameter_constraints, self.get_params(), caller_name="FineTuning"
        )
        names = [self.freeze] if isinstance(self.freeze, str) else as_list(self.freeze)
        unset = self.freeze is None
        if not unset and not all(isinstance(n, str) for n in names or [None]):
            raise ValueError(
                "freeze must be the name of a module or a list of names, got "
                f"{self.freeze!r}."
            )
