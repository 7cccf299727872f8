"""The language model that an estimator on labelled texts is given."""

import copy
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skdl.estimators.core.left_out import LeftOut
from skdl.estimators.text.language_model import LanguageModelEstimator


def inside(language_model: Any) -> Any:
    """Return the model inside a FrozenEstimator, or the model itself."""
    if isinstance(language_model, FrozenEstimator):
        return language_model.estimator
    return language_model


def check_language_model(language_model: Any) -> None:
    """Refuse what is no TextLM, or frozen before it was fitted.

    Raises
    ------
    TypeError, ValueError
        With what came.
    """
    model = inside(language_model)
    if model is None or isinstance(model, LeftOut):
        return
    if not isinstance(model, LanguageModelEstimator):
        raise TypeError(
            f"language_model must be a TextLM or None, got {type(model).__name__}."
        )
    if model is not language_model and not hasattr(model, "_lm_encoder"):
        raise ValueError(
            "language_model is a FrozenEstimator of a TextLM that is not fitted: fit "
            "it first, or give it as it is, to learn from the texts that fit is given."
        )


def fitted_language_model(settings: Any, texts: list[str], seed: int) -> Any:
    """Return the language model to read with: a copy of a fitted one, or a new one."""
    model = inside(settings.language_model)
    if isinstance(model, LeftOut):
        raise ValueError(
            "language_model is not in the pickle of a fitted model, which does not "
            "need it any more. To fit anew, give it again: "
            "set_params(language_model=...)."
        )
    if model is None:
        return None
    if hasattr(model, "_lm_encoder"):
        return copy.deepcopy(model)  # what happens to the user's own changes nothing
    model = clone(model)
    if model.random_state is None and settings.random_state is not None:
        model.set_params(random_state=seed)
    return model.fit(texts)
