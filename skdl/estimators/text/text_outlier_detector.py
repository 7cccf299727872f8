"""TextOutlierDetector: texts that are not like the others, by what is written next."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from skdl.data.text import check_texts
from skdl.estimators.core.checks import is_number
from skdl.estimators.core.documentation_link import DocumentationLink
from skdl.estimators.core.plain_state import PlainState
from skdl.estimators.core.state import all_or_nothing, draw_seed, seed_source
from skdl.estimators.core.wrong_names import answers_names
from skdl.estimators.text.given_model import (
    check_language_model,
    fitted_language_model,
    inside,
)
from skdl.estimators.text.held_out import split_texts
from skdl.estimators.text.text_lm import TextLM

# Share of the texts that are not learned from: the strangest ones, which the threshold
# lies among, are mostly these, so that it holds for new texts too.
_HELD_OUT = 0.2
_RARE = 2000  # a token less frequent than one in so many is a name or a number
# And one that occurs once, however few texts there are: what is new is read as what is
# rare, so something has to be, or else every new number is the strangest of all.
_LEAST = 2


class TextOutlierDetector(OutlierMixin, PlainState, DocumentationLink, BaseEstimator):
    """Finds texts in which something comes that was not to be expected there.

    A language model learns what follows what. A token counts by how much more
    surprising it is than a token had to be at its place: a new number where numbers
    come and go says nothing, a common word in the wrong order does. A text is as
    strange as the strangest of its tokens.

    Parameters
    ----------
    language_model : TextLM or None, default=None
        What judges. One that is not fitted learns in `fit`; a fitted one, or a
        ``FrozenEstimator`` of one, stays as it is, and `fit` finds the threshold only.
        None is a small one for logs and sequences of events, to which tokens that occur
        once, or make up less than a 2,000th of the texts, are all alike.
    contamination : float, default=0.01
        Share of the texts of `fit` that `predict` takes for outliers, in (0, 0.5].
    random_state : int, RandomState instance or None, default=None
        Governs which texts the threshold is found on, and the language model where that
        has no `random_state` of its own.

    Attributes
    ----------
    language_model_ : TextLM
        The fitted language model.
    offset_ : float
        Scores below it are outliers: those of a share `contamination` of the texts that
        `fit` was given. A fifth of these are not learned from, unless the language
        model was fitted before, since a model knows by heart what it has read.

    See Also
    --------
    TextLM.surprise : Nats of every token.
    SurpriseDisplay : The text itself, coloured by them.

    Examples
    --------
    >>> from skdl import TextOutlierDetector
    >>> logs = ["open read close", "open write sync close"] * 100
    >>> detector = TextOutlierDetector(random_state=0).fit(logs)
    >>> detector.predict(["open read close", "open write close"]).tolist()
    [1, -1]
    """

    def __init__(
        self,
        *,
        language_model: Any = None,
        contamination: float = 0.01,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.language_model = language_model
        self.contamination = contamination
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    @answers_names
    def fit(self, X: Any, y: Any = None):
        """Learn how texts go, and from which score on they are strange.

        Parameters
        ----------
        X : iterable of str
            Texts; a few outliers among them do no harm.
        y : None
            Ignored.

        Returns
        -------
        self : TextOutlierDetector

        Raises
        ------
        TypeError, ValueError
            If texts or parameters are not as described.
        """
        if not is_number(self.contamination) or not 0 < self.contamination <= 0.5:
            raise ValueError(
                f"contamination must be in (0, 0.5], got {self.contamination!r}."
            )
        check_language_model(self.language_model)
        with all_or_nothing(self):
            texts = learned = check_texts(X)
            rng = seed_source(self.random_state)
            seed = draw_seed(rng)
            if not hasattr(inside(self.language_model), "_lm_encoder"):
                if len(texts) < 2:
                    raise ValueError(
                        "X holds 1 text; at least 2 are needed, one to learn from and "
                        "one that is not learned from."
                    )
                learned, _ = split_texts(texts, _HELD_OUT, seed)
            self.language_model_ = self._fitted(learned, draw_seed(rng))
            scores = self.score_samples(texts)
            self.offset_ = float(np.quantile(scores, self.contamination))
        return self

    def _fitted(self, texts: list[str], seed: int) -> TextLM:
        if self.language_model is not None:
            return fitted_language_model(self, texts, seed)
        n_tokens = sum(len(text.split()) + 1 for text in texts)
        model = TextLM(
            embedding_dim=64,
            hidden_size=128,
            min_frequency=max(_LEAST, n_tokens // _RARE),
            max_epochs=12,
            batch_size=max(1, min(10, n_tokens // 500)),
            lr=1e-2,
            weight_decay=0.01,
            dropout=0.2,
            random_state=seed,
        )
        return model.fit(texts)

    def surprise(self, X: Any) -> pd.DataFrame:
        """Return how strange every token is.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        DataFrame
            As `TextLM.surprise` returns it, with a column `excess`: the nats beyond
            those that were expected.
        """
        check_is_fitted(self)
        found = self.language_model_.surprise(X)
        return found.assign(excess=found["nats"] - found["expected"])

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how usual texts are: minus the largest excess of their tokens.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        ndarray of shape (n_texts,)
            In nats; lower is stranger.
        """
        found = self.surprise(X)
        largest = found.groupby("document", sort=True)["excess"].max()
        return -largest.to_numpy(dtype=np.float64)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return `score_samples` less `offset_`: negative for outliers.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        ndarray of shape (n_texts,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return -1 for outliers and 1 for the others.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        ndarray of int of shape (n_texts,)
        """
        return np.where(self.decision_function(X) < 0, -1, 1)
