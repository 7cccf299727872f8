"""Names that people bring from elsewhere, and what is called so here."""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
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
    "validation_fraction": "validation",
    "validation_split": "validation",
    "train_split": "validation",
    "valid_size": "validation",
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
    "learning_rate_schedule": "schedule",
    "lr_schedule": "schedule",
    "lr_decay": "schedule",
    "decay_rate": "schedule",
    "warmup": "schedule",
    "warmup_steps": "schedule",
    "pct_start": "schedule",
    "max_lr": "lr",
    "bs": "batch_size",
    "n_epoch": "max_epochs",
    "num_iterations": "max_epochs",
    "num_boost_round": "max_epochs",
    "units": "hidden_layer_sizes",
    "hidden_units": "hidden_layer_sizes",
    "neurons": "hidden_layer_sizes",
    "hidden_dim": "hidden_layer_sizes",
    "hidden_size": "hidden_layer_sizes",
    "width": "hidden_layer_sizes",
    "depth": "hidden_layer_sizes",
    "num_layers": "hidden_layer_sizes",
    "nonlinearity": "activation",
    "bn": "batch_norm",
    "use_bn": "batch_norm",
    "emb_szs": "embedding_dim",
    "emb_drop": "embedding_dropout",
    "wd": "weight_decay",
    "l2_reg": "weight_decay",
    "reg_lambda": "weight_decay",
    "kernel_regularizer": "weight_decay",
    "loss_fn": "loss",
    "gpu": "device",
    "use_cuda": "device",
    "devices": "device, which takes a list of them",
    "n_devices": 'device, which takes a list such as ["cuda:0", "cuda:1"]',
    "n_gpus": 'device, which takes a list such as ["cuda:0", "cuda:1"]',
    "accelerator": "device",
    "amp": "precision",
    "fp16": "precision",
    "mixed_precision": "precision",
    "checkpoint_path": "checkpoint",
    "dirpath": "checkpoint",
    "beta_1": "betas, whose first number it is",
    "beta_2": "betas, whose second number it is",
    "moms": "betas, whose first number is the momentum",
    "nesterovs_momentum": 'optimizer="sgd", whose momentum is the first of betas',
    "epsilon": "optimizer=functools.partial(torch.optim.AdamW, eps=...)",
    "eps": "optimizer=functools.partial(torch.optim.AdamW, eps=...)",
    "is_unbalance": 'class_weight="balanced"',
    "scale_pos_weight": "class_weight={0: 1, 1: ...}",
    "init_model": "warm_start=True, or partial_fit",
    "xgb_model": "warm_start=True, or partial_fit",
    "tol": "early_stopping with n_iter_no_change",
    "shuffle": "always so: training samples are shuffled in every epoch",
    "metrics": "sklearn.callback.ScoringMonitor, or validation_score in history_",
    "eval_metric": "sklearn.callback.ScoringMonitor, or validation_score in history_",
    "input_dim": "found by fit",
    "input_shape": "found by fit",
    "output_dim": "found by fit",
    "num_class": "found by fit",
    "num_classes": "found by fit",
    "raw_score": "network_(*map(torch.from_numpy, model.encode(X)))",
    "validation_steps": "X_val and y_val, which fit takes",
    "X_valid": "X_val",
    "X_test": "X_val",
    "y_valid": "y_val",
    "y_test": "y_val",
    "sample_weight_eval_set": "sample_weight_val",
    "eval_sample_weight": "sample_weight_val",
    "callbacks": "set_callbacks(...), scikit-learn's way",
    "n_jobs": "OMP_NUM_THREADS or torch.set_num_threads: a fit takes torch's threads",
    "num_workers": "OMP_NUM_THREADS or torch.set_num_threads, as for torch",
    "nthread": "OMP_NUM_THREADS or torch.set_num_threads, as for torch",
    "threads": "OMP_NUM_THREADS or torch.set_num_threads, as for torch",
    "num_threads": "OMP_NUM_THREADS or torch.set_num_threads, as for torch",
    "image_shape": "ImageClassifier and ImageRegressor, which take pictures",
    "augmentation": "ImageClassifier and ImageRegressor, which take pictures",
}


def answer(name: str, known: Iterable[str], constructor: Iterable[str] = ()) -> str:
    """Say what a name that is not known is called here, as well as can be told.

    Parameters
    ----------
    name : str
        What was given.
    known : iterable of str
        What could be given.
    constructor : iterable of str, default=()
        For a method, what the estimator's constructor takes.
    """
    known = list(known)
    meant = FOREIGN.get(name, name)
    if meant in constructor and meant not in known:
        return f"that is for the constructor or set_params: {meant}=..."
    if meant == name or (meant.isidentifier() and meant not in known):
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        meant = close[0] if close else ""
    if meant:
        return f"here that is {meant}"
    return "it knows " + ", ".join(sorted(known))


def close_to(wanted: Any, known: Sequence[Any]) -> str:
    """Say which values may have been meant by one that is not known; else name some.

    Parameters
    ----------
    wanted : object
        What was given, such as a category.
    known : sequence
        What could be given.
    """
    names = {str(name).casefold(): name for name in known}
    text = str(wanted).casefold()
    found = difflib.get_close_matches(text, names, n=3)
    if not found:  # an abbreviation, or a part of a name
        found = [n for n in names if n.startswith(text) or text.startswith(n)][:3]
    if found:
        return f"; close to it are {[names[n] for n in found]}"
    few = list(known[:5])
    return f", which has {few}{' and others' if len(known) > len(few) else ''}"


def unexpected(
    owner: str,
    given: Iterable[str],
    known: Iterable[str],
    constructor: Iterable[str] = (),
) -> str:
    """Return the message for names that are not known; "" if all are."""
    known = list(known)
    wrong = [name for name in given if name not in known]
    if not wrong:
        return ""
    answers = "; ".join(
        f"{name!r} ({answer(name, known, constructor)})" for name in wrong
    )
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
        if given and given.keys() - known:
            owner = f"{type(self).__name__}.{method.__name__}"
            names = self._get_param_names()
            raise TypeError(unexpected(owner, given, known, names))
        return method(self, *args, **given)

    return checked  # type: ignore[return-value]
