"""Names that people bring from elsewhere, and what is called so here."""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

_Method = TypeVar("_Method", bound=Callable[..., Any])

# What other libraries call what is here. A value is a name, or an answer.
FOREIGN = {
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "eta": "lr",
    "epochs": "max_epochs",
    "n_epochs": "max_epochs",
    "num_epochs": "max_epochs",
    "max_iter": "max_epochs",
    "hidden_layers": "hidden_layer_sizes",
    "layers": "hidden_layer_sizes",
    "hidden_sizes": "hidden_layer_sizes",
    "module": "network",
    "model": "network",
    "alpha": "weight_decay",
    "l2": "weight_decay",
    "solver": "optimizer",
    "criterion": "loss",
    "objective": "loss",
    "patience": "n_iter_no_change",
    "early_stopping_rounds": "n_iter_no_change",
    "validation_split": "validation_fraction",
    "train_split": "validation_fraction",
    "valid_size": "validation_fraction",
    "lr_scheduler": "schedule",
    "scheduler": "schedule",
    "seed": "random_state",
    "random_seed": "random_state",
    "cat_features": "categorical_features",
    "categorical_feature": "categorical_features",
    "cat_names": "categorical_features",
    "embed_p": "embedding_dropout",
    "drop_p": "dropout",
    "drop_mult": "dropout",
    "dropout_rate": "dropout",
    "tokenizer": "analyzer",
    "max_features": "max_vocab",
    "gradient_clip_val": "clip_grad_norm",
    "max_grad_norm": "clip_grad_norm",
    "weights": "sample_weight",
    "sample_weights": "sample_weight",
    "momentum": "betas, whose first number is the momentum",
    "freeze": "fine_tuning=FineTuning(freeze=...)",
    "thaw": "fine_tuning=FineTuning(thaw=...)",
    "layer_lr_decay": "fine_tuning=FineTuning(layer_lr_decay=...)",
    "checkpoint_every": "checkpoint=(path, epochs)",
    "eval_set": "X_val and y_val, which fit takes",
    "validation_data": "X_val and y_val, which fit takes",
    "valid_sets": "X_val and y_val, which fit takes",
    "callbacks": "set_callbacks(...), scikit-learn's way",
    "n_jobs": "OMP_NUM_THREADS or torch.set_num_threads: a fit takes torch's threads",
    "image_shape": "ImageClassifier and ImageRegressor, which take pictures",
    "augmentation": "ImageClassifier and ImageRegressor, which take pictures",
}


def answer(name: str, known: Iterable[str]) -> str:
    """Say what a name that is not known is called here, as well as can be told."""
    known = list(known)
    meant = FOREIGN.get(name, "")
    if meant.isidentifier() and meant not in known:
        meant = ""
    if not meant:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        meant = close[0] if close else ""
    if meant:
        return f"here that is {meant}"
    return "it knows " + ", ".join(sorted(known))


def unexpected(owner: str, given: Iterable[str], known: Iterable[str]) -> str:
    """Return the message for names that are not known; "" if all are."""
    known = list(known)
    wrong = [name for name in given if name not in known]
    if not wrong:
        return ""
    answers = "; ".join(f"{name!r} ({answer(name, known)})" for name in wrong)
    return f"{owner} has no parameter {answers}."


def answers_names(method: _Method) -> _Method:
    """Let a method that gets a keyword it does not know say what is meant."""
    known = [
        name
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.kind is not parameter.POSITIONAL_ONLY and name != "self"
    ]

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **given: Any) -> Any:
        if given.keys() - known:
            owner = f"{type(self).__name__}.{method.__name__}"
            raise TypeError(unexpected(owner, given, known))
        return method(self, *args, **given)

    return checked  # type: ignore[return-value]
