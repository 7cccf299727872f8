"""Which rate ``lr="auto"`` takes: a range test before the fit, read by one rule."""

from sklearn.exceptions import ConvergenceWarning

from skdl.estimators.core.user_warnings import warn_user
from skdl.training.range_test import doubts, suggest, sweep
from skdl.training.trainer import BatchSource, Trainer

# Range and rule were chosen with benchmarks/lr_find.py.
AUTO_RANGE = {"min_lr": 1e-5, "max_lr": 10.0}
DEFAULT_SUGGESTION = "slide"
_FEWEST_STEPS, _MOST_STEPS = 30, 100


def find_auto_lr(trainer: Trainer, batches: BatchSource) -> float:
    """Return the rate that the range test suggests for ``lr="auto"``.

    Parameters
    ----------
    trainer : Trainer
        Of a copy of the network, since the test changes it.
    batches : BatchSource
        What will be trained on; the test goes through one and a half epochs of it,
        but takes at least 30 and at most 100 steps.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the loss is not finite at the lowest rate already.

    Warns
    -----
    ConvergenceWarning
        If the curve speaks against trusting it.
    """
    num_iter = max(_FEWEST_STEPS, min(_MOST_STEPS, len(batches) * 3 // 2))
    curve = sweep(trainer, batches, num_iter=num_iter, **AUTO_RANGE)
    if len(curve.losses) < 2:
        raise ValueError(
            f"lr='auto' found no learning rate: the loss is not finite at "
            f"{AUTO_RANGE['min_lr']:g} already. Check the data and the network, or "
            "give lr a number."
        )
    smoothed = curve.smoothed()
    for doubt in doubts(curve.lrs, smoothed, num_iter):
        warn_user(
            f"lr='auto' may be off: {doubt}. Look at lr_find(...).plot().",
            ConvergenceWarning,
        )
    return suggest(curve.lrs, smoothed)[DEFAULT_SUGGESTION]
