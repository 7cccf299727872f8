"""What parameters of tables stand for that are not given: the one recipe of packs."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from skdl.estimators.core.fitting import resolve_batch_size

# Entries of all numbers' vectors of either kind, and bins of all columns together, at
# most. Vectors have 8 entries, or 4 where numbers are predicted from many columns.
_ENTRIES, _BINS = 2048, 8192
_ENTRIES_OF_MANY, _SHORT, _LONG = 128, 4, 8
# Steps that any table may take.
_FEWEST_STEPS = 250
# Columns of numbers from which on none has bins.
_MOST_COLUMNS = 2048
# Rows below which trees on the target have no say in the bins: since they know the
# targets of blind rows, the out-of-fold score of 300 rows of noise is 1.5% too good.
_ROWS_FOR_TREES = 1000
# Rows of a category, in the mean, from which on a column's vectors have no dropout, of
# numbers to predict and of classes; and columns of categories from which on all have:
# what one does not tell others do.
_ROWS_FOR_NO_DROPOUT, _COLUMNS_FOR_DROPOUT = (100, 200), 30
# Rows from which on networks that predict numbers have a third layer.
_ROWS_FOR_THREE_LAYERS = 1000
# Folds, and more of them for so many rows, of numbers to predict and of classes; below
# so many rows only if they have so many values at most.
_FOLDS, _MORE_FOLDS = 4, 8
_ROWS_FOR_MORE_FOLDS = range(200, 1500), range(200, 100_000)
_VALUES_FOR_MORE_FOLDS = {500: 20_000, 1500: 300_000}
# Units of a layer, and steps before the first look, below so many rows.
_SIZES = {100: (64, 40), 500: (128, 60), 100_000: (128, 150)}
_LARGEST_SIZE = (256, 150)
# Columns up to which steps are short; where there are more of numbers there are fewer.
_FEW_COLUMNS = 64
# Steps at most, and from how many rows on so many, for classes and for numbers, and
# where there are many columns.
_STEPS = (6000, 4000), (8000, 6000)
_FEWER_STEPS = (3000, 4000), (8000, 10_000)
# Passes over many rows that they may take at any rate; and, where numbers are
# predicted, more of them up to so many steps.
_PASSES, _MORE_PASSES, _STEPS_OF_MORE = 10, 20, 16_000
# Rows of few columns, with numbers to predict, for which eight networks learn from
# small batches; the largest, how many times more steps they may take, and the rows from
# which on they may take all of these.
_ROWS_FOR_NOISE = range(6000, 100_000)
_BATCH_WITH_NOISE, _STEPS_WITH_NOISE, _ROWS_FOR_MOST_STEPS = 64, 3.5, 30_000
# Bins of the histogram that these learn numbers beside, and passes over the rows before
# their first look: of rare or far targets it must not be chance that ends a training.
_TARGET_BINS, _PASSES_TO_LOOK = 32, 2
# Decay of weights, and the batches of a pass from which on that of classes is the less
# the more there are: it is steps that decay, but passes over the rows that teach.
_DECAY_FOR_NUMBERS, _DECAY_FOR_CLASSES, _BATCHES_FOR_LESS_DECAY = 0.02, 0.2, 156
# Of a large table the first look comes after a pass over the rows, or after so many
# steps: until then what shows in several columns together is not yet learned.
_LATEST_FIRST_LOOK = 2000
# Units of each layer where vectors alone are wanted, and the learning rates for numbers
# and classes: at a higher one classes are learned by heart before it shows.
_UNITS_FOR_VECTORS, _RATES_FOR_VECTORS = 64, (1.2e-2, 6e-3)


# What parameters that are None are when one network is trained.
ONE_NETWORK: dict[str, Any] = {
    "hidden_layer_sizes": (256, 128),
    "dropout": 0.1,
    "embedding_dropout": 0.0,
    "max_epochs": 20,
    "lr": 1e-2,
    "weight_decay": 0.1,
    "betas": (0.9, 0.99),
    "validation": 0.1,
}


@dataclass(frozen=True)
class Recipe:
    """How a pack is made and trained.

    Attributes
    ----------
    hidden_layer_sizes, dropout, embedding_dropout, lr, betas, weight_decay, batch_size
        As the parameters of estimators; a user's own value takes their place.
    most_entries, rows_of_an_entry : int, float
        Entries of a category's vector at most; or, where that is more, one for so many
        rows that a category has in the mean.
    dropout_rows : float
        Vectors of columns whose categories have so many rows or more, in the mean, have
        no dropout.
    rare_rows : int
        Categories of so many rows or fewer count as unknown.
    n_quantiles, n_leaves : int
        Bins of a number; see `BinEncoder`. No quantiles: no bins.
    names_things : bool
        Whether integers that name things have vectors, as categories have.
    entries, slope : int, float
        Entries of a number's vector of either kind, and what is left of those that bend
        where they are below zero.
    target_bins : int
        Bins of the histogram that a mean is learned beside; 0 for none.
    gate_pace : float
        By how much faster than weights the gates of columns move; see `InputGates`. 0
        for no gates.
    max_steps : int
        Steps at most.
    first_look : int
        Steps before the first look at the out-of-fold loss; the learning rate rises in
        the first half of them and stays.
    growth : float
        By how much later each look comes than the one before.
    patience, patience_if_rising, tolerance : int, int, float
        Looks before training ends whose loss is not lower than the lowest by this share
        of it, and how many are enough where the loss rises faster and faster.
    """

    hidden_layer_sizes: Any = (128, 128)
    dropout: float = 0.0
    embedding_dropout: float = 0.2
    dropout_rows: float = 200.0
    lr: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.02
    batch_size: int = 256
    most_entries: int = 12
    rows_of_an_entry: float = 4.0
    n_quantiles: int = 32
    n_leaves: int = 32
    names_things: bool = True
    entries: int = 8
    slope: float = 0.01
    rare_rows: int = 0
    target_bins: int = 0
    gate_pace: float = 2.0
    max_steps: int = 3000
    first_look: int = 150
    growth: float = 1.25
    patience: int = 3
    patience_if_rising: int = 2
    tolerance: float = 5e-3


def recipe_for(
    n_rows: int,
    n_numbers: int,
    n_classes: int,
    *,
    n_categorical: int = 0,
    n_members: int = _FOLDS,
    for_vectors: bool = False,
    batch_size: int | str = "auto",
) -> Recipe:
    """Return the recipe for a table.

    Parameters
    ----------
    n_rows : int
        Training rows.
    n_numbers : int
        Columns of numbers.
    n_classes : int
        Classes or labels; 0 for real targets.
    n_categorical : int, default=0
        Columns of categories.
    n_members : int, default=4
        Networks side by side.
    for_vectors : bool, default=False
        Whether only vectors of categories are wanted.
    batch_size : int or "auto", default="auto"
        Rows of a batch, if somebody says it.

    Returns
    -------
    Recipe
        The batch is the power of two next below a 50th of the rows, from 32 to 256: few
        rows need many steps, many rows fast ones. Where numbers of 6,000 rows or more
        are predicted by eight networks or more, batches are a quarter as large, 64 rows
        at most: noisy steps learn fewer rows by heart. They may be three and a half
        times as many, each of which is shorter. These networks learn numbers beside a
        histogram of them. The first look comes after two passes, so that a few lucky
        batches do not end a training. The mean of many small networks is ahead of that
        of few large ones, and sooner trained: layers have 128 units, 64 below 100 rows
        and 256 from 100,000 on. Below 500 rows the first look is earlier, and of large
        tables after a pass or 2,000 steps. From 1,000 rows on what predicts numbers has
        a third layer. What tells classes has more decay, and more dropout of vectors,
        than what tells numbers; decay for classes is less where a pass over the rows
        has more steps, as many rows have (Wang & Aitchison 2024, arXiv 2405.13698).
        There is no dropout of vectors in columns whose categories have many rows,
        unless there are many such columns: a few that tell all must not be dropped.
        Networks that tell classes are mostly best early, and take 6,000 steps at most
        where the loss falls to the end. Those that predict numbers get better for
        longer and take 8,000. Both take fewer below 4,000, 6,000 and, with small
        batches, 30,000 rows; but no fewer than ten passes over the rows, or for numbers
        twenty, if these are at most 16,000 steps. Where there are more than 64 columns
        of numbers steps take long, and for classes there are half as many, for numbers
        fewer below 10,000 rows. Vectors are as good from networks of 64 units and two
        layers, which learn at a higher rate; those that tell classes after a sixth of
        the steps. Bins of few rows are quantiles alone, so that targets of blind rows
        stay unknown. Categories of one to three rows, the more of them the larger the
        table, count as unknown: a vector of so few rows knows these rows by heart. The
        more rows categories have, the longer their vectors may be. Where there are
        hundreds of columns of numbers, each has fewer bins and a shorter vector, so
        that the first layer stays about as wide as the others. Integers that name
        things have vectors as long as those of categories, but not where vectors of
        categories are what is wanted: beside these numbers stand as they are. Where
        numbers are predicted, vectors of more than 16 columns are shorter, of 32 and
        more half as long: that is as good and takes a quarter less time, where classes
        want them whole. The more columns of numbers there are, the more of them may be
        noise, and the faster gates move: where a few columns all counted fast ones did
        harm. Where vectors are what is wanted there are no gates, which would take a
        part of their lengths.
    """
    noisy = n_members >= _MORE_FOLDS and n_rows in _ROWS_FOR_NOISE
    noisy = noisy and not (n_classes or for_vectors)
    if isinstance(batch_size, str):
        batch_size = resolve_batch_size(batch_size, n_rows // 4 if noisy else n_rows)
        if noisy:
            batch_size = min(_BATCH_WITH_NOISE, batch_size)
    batches = math.ceil(n_rows / batch_size)
    columns = max(1, n_numbers)
    is_wide = columns > _FEW_COLUMNS and not for_vectors
    most, for_most = (_FEWER_STEPS if is_wide else _STEPS)[not n_classes]
    if noisy:
        most, for_most = round(most * _STEPS_WITH_NOISE), _ROWS_FOR_MOST_STEPS
    passes = _PASSES
    if for_vectors and n_classes:
        most, passes = most // 6, 4
    steps = round(most * min(1.0, (n_rows / for_most) ** 0.6))
    if not (n_classes or for_vectors):
        steps = max(steps, min(_MORE_PASSES * batches, _STEPS_OF_MORE))
    share = min(1.0, _BINS / (64 * columns))
    width, first_look = _size(n_rows)
    if noisy:
        first_look = max(first_look, _PASSES_TO_LOOK * batches)
    elif not for_vectors:
        first_look = max(first_look, min(batches, _LATEST_FIRST_LOOK))
    drops_all = for_vectors or n_categorical >= _COLUMNS_FOR_DROPOUT
    depth = 3 if not n_classes and n_rows >= _ROWS_FOR_THREE_LAYERS else 2
    recipe = Recipe(
        hidden_layer_sizes=(width,) * depth,
        first_look=first_look,
        weight_decay=_decay(batches, n_classes > 0),
        embedding_dropout=0.4 if n_classes else 0.2,
        dropout_rows=math.inf if drops_all else _ROWS_FOR_NO_DROPOUT[n_classes > 0],
        batch_size=batch_size,
        target_bins=_TARGET_BINS if noisy else 0,
        rare_rows=min(3, n_rows // 300),
        gate_pace=0.0 if for_vectors else min(20.0, max(2.0, columns / 2)),
        max_steps=max(steps, _FEWEST_STEPS, passes * batches),
        n_quantiles=0 if columns > _MOST_COLUMNS else max(2, round(32 * share)),
        n_leaves=1 if n_rows < _ROWS_FOR_TREES else max(2, round(32 * share)),
        entries=_entries(columns, n_classes > 0),
        slope=0.0 if n_classes else 0.01,
    )
    if not for_vectors:
        return recipe
    units = (_UNITS_FOR_VECTORS,) * 2
    rate = _RATES_FOR_VECTORS[n_classes > 0]
    return replace(
        recipe,
        hidden_layer_sizes=units,
        lr=rate,
        rows_of_an_entry=math.inf,
        names_things=False,
    )


def default_folds(n_rows: int, n_columns: int, has_classes: bool) -> int:
    """Return in how many folds rows are parted if nobody says it.

    Eight from 200 rows on where there are classes, and to 1,500 rows where there are
    numbers to predict: then a network learns from seven eighths of the rows in place of
    three fourths, and twice as many vote. Numbers of more rows are as well predicted by
    four, and sooner, but from 6,000 rows on, in tables of at most 64 columns, where
    eight learn from small batches. There are four from 100,000 rows on, and below 500
    rows of more than 20,000 values or 1,500 of more than 300,000, where eight would
    take long for little.

    Parameters
    ----------
    n_rows, n_columns : int
        Of the table.
    has_classes : bool
        Whether classes are predicted.
    """
    for few, most in _VALUES_FOR_MORE_FOLDS.items():
        if n_rows < few and n_rows * n_columns > most:
            return _FOLDS
    has_few = n_columns <= _FEW_COLUMNS
    is_noisy = has_few and not has_classes and n_rows in _ROWS_FOR_NOISE
    more = is_noisy or n_rows in _ROWS_FOR_MORE_FOLDS[has_classes]
    return _MORE_FOLDS if more else _FOLDS


def _entries(n_columns: int, has_classes: bool) -> int:
    """Return how long a number's vector of either kind is."""
    longest = max(_SHORT, _ENTRIES_OF_MANY // n_columns)
    longest = _LONG if has_classes else min(_LONG, longest)
    return min(longest, max(2, _ENTRIES // n_columns))


def _decay(n_batches: int, has_classes: bool) -> float:
    """Return the decay of weights; that of classes is at most so much in a pass."""
    if not has_classes:
        return _DECAY_FOR_NUMBERS
    return _DECAY_FOR_CLASSES * min(1.0, _BATCHES_FOR_LESS_DECAY / n_batches)


def _size(n_rows: int) -> tuple[int, int]:
    """Return the units of a layer and the steps before the first look."""
    sizes = (size for most, size in _SIZES.items() if n_rows < most)
    return next(sizes, _LARGEST_SIZE)


def with_parameters(recipe: Recipe, estimator: Any) -> Recipe:
    """Return the recipe with what the parameters of an estimator say.

    Parameters
    ----------
    recipe : Recipe
        As `recipe_for` makes it.
    estimator : estimator
        Parameters that are None or "auto" leave the recipe as it is.
    """
    parameters = {f.name: getattr(estimator, f.name, None) for f in fields(Recipe)}
    given = {k: v for k, v in parameters.items() if not (v is None or _is(v, "auto"))}
    if "embedding_dropout" in given:
        given["dropout_rows"] = math.inf
    return replace(recipe, **given)


def given_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters that are not at their defaults."""
    found = {}
    for field in fields(type(estimator)):
        value = getattr(estimator, field.name)
        if not _is(value, field.default):
            found[field.name] = value
    return found


def _is(value: Any, default: Any) -> bool:
    if value is default or default is None:
        return value is default
    if isinstance(value, str) or isinstance(default, str) or np.ndim(value) == 0:
        return type(value) is type(default) and bool(value == default)
    return np.shape(value) == np.shape(default) and bool(
        np.all(np.asarray(value) == np.asarray(default))
    )
