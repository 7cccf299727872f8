"""What may change between a fit and one that goes on from it, and what may not.

`partial_fit` and `warm_start` go on with the network, the encoder and the target's
scale that are there. `CHANGES` says of each parameter whether a new value takes effect
then. A parameter that is new in an estimator gets an entry.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from sklearn.base import BaseEstimator

from skdl.estimators.core.description import described
from skdl.estimators.core.user_warnings import warn_user

_TAKEN = (
    # How steps are taken.
    *("optimizer", "lr", "weight_decay", "betas", "fine_tuning", "schedule"),
    *("max_epochs", "batch_size", "clip_grad_norm", "weight_averaging"),
    *("early_stopping", "validation", "n_iter_no_change"),
    *("class_weight", "label_smoothing", "augmentation"),
    *("activation_penalty", "temporal_penalty", "bptt", "variable_bptt"),
    # Where, and what is said and written.
    *("device", "precision", "random_state", "verbose", "warm_start"),
    *("checkpoint", "on_unreadable", "memory_limit"),
    # What predictions are made of.
    *("handle_unknown", "test_time_augmentation", "pooling"),
)
_FIXED = (
    # What is learned: the loss, and what its outputs mean.
    *("loss", "quantile"),
    # The network.
    *("network", "n_estimators", "hidden_layer_sizes", "activation", "dropout"),
    *(
        "diversity",
        "batch_norm",
        "embedding_dim",
        "embedding_dropout",
        "shared_embeddings",
    ),
    *("random_effects", "hidden_size", "num_layers", "tie_weights"),
    *("cell", "softmax", "zoneout", "init_from"),
    # How inputs are read.
    *("scale_inputs", "numeric_embedding", "image_shape"),
    *("categorical_features", "max_categories"),
    *("analyzer", "token_pattern", "lowercase", "min_frequency", "max_vocab"),
)

# Whether a new value takes effect in the next `partial_fit` or warm start; those that
# do not are refused.
CHANGES = {**dict.fromkeys(_TAKEN, True), **dict.fromkeys(_FIXED, False)}

_LONGEST = 60  # of a value that an error quotes
_MUTABLE = (dict, list, set)


@dataclass(frozen=True)
class MadeWith:
    """The parameters that a network was made with.

    Attributes
    ----------
    texts : dict of str to str
        What each was.
    values : dict
        The same as objects, where they are still known to be the same.
    lr_is_new : bool
        Whether `lr` has changed since the last fit.
    """

    texts: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    lr_is_new: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: without the objects."""
        return {**vars(self), "values": {}, "lr_is_new": False}

    def __deepcopy__(self, memo: dict[int, Any]) -> "MadeWith":
        """Return itself: nothing in it changes."""
        return self


def goes_on(estimator: Any, *, is_warm: bool) -> bool:
    """Tell whether a fit goes on from an earlier one, which must be of the same thing.

    Called within `all_or_nothing`: if a fit begins anew, the estimator remembers what
    it is made with.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.
    is_warm : bool
        Whether it is to go on if it is fitted.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If a parameter has changed that the fitted network cannot follow.
    """
    if not (is_warm and estimator.__sklearn_is_fitted__()):
        parameters = estimator.get_params(deep=False)
        kept = {k: v for k, v in parameters.items() if k == "lr" or not _takes(k)}
        texts = {name: _text(value) for name, value in kept.items()}
        values = {k: v for k, v in kept.items() if not isinstance(v, BaseEstimator)}
        estimator._made_with = MadeWith(texts, values)
        return False
    made_with = getattr(estimator, "_made_with", None)
    if made_with is None:  # from a pickle of an earlier version
        return True
    parameters = {k: getattr(estimator, k, None) for k in made_with.texts}
    _refuse(type(estimator).__name__, _changed(parameters, made_with), parameters)
    lr = _text(parameters["lr"])
    estimator._made_with = replace(
        made_with,
        texts={**made_with.texts, "lr": lr},
        lr_is_new=lr != made_with.texts["lr"],
    )
    return True


def _takes(name: str) -> bool:
    return CHANGES.get(name, True)


def _changed(parameters: dict[str, Any], made_with: MadeWith) -> dict[str, str]:
    """Return what fixed parameters were that have another value now."""
    changed = {}
    for name, text in made_with.texts.items():
        if _takes(name):
            continue
        value, missing = parameters[name], object()
        same = made_with.values.get(name, missing) is value
        if same and not isinstance(value, _MUTABLE) and not hasattr(value, "dtype"):
            continue
        if _text(value) != text:
            changed[name] = text
    return changed


def _refuse(
    estimator: str, changed: dict[str, str], parameters: dict[str, Any]
) -> None:
    if not changed:
        return
    told = "; ".join(
        f"{name} was {_quoted(text)} and is {_quoted(_text(parameters[name]))} now"
        for name, text in changed.items()
    )
    raise ValueError(
        f"This {estimator} is fitted, and {told}. partial_fit and warm_start go on "
        "with the network that is there, which does not follow such a change. Set the "
        "old value again, or begin anew: a clone, or fit with warm_start=False."
    )


def _text(value: Any) -> str:
    try:
        return described(value)
    except ValueError:  # what cannot be told apart counts as the same
        return type(value).__qualname__


def _quoted(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}...{text[-half:]}"


def lr_is_new(settings: Any) -> bool:
    """Tell whether `lr` is another one than in the fit that is gone on from."""
    made_with = getattr(settings, "_made_with", None)
    return made_with is not None and made_with.lr_is_new


def tell_of_new_state(reason: str) -> None:
    """Say that an optimizer begins anew, if there is a reason."""
    if reason:
        warn_user(
            f"The optimizer's state of the last partial_fit is not gone on with: "
            f"{reason}. Its averages begin anew; the weights go on.",
            UserWarning,
        )
