"""The parameters of networks on tables with categories."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.constructor import parameters


@parameters
class EmbeddingParameters:
    """What networks on tables with categories can be told.

    Parameters
    ----------
    categorical_features : "from_dtype", array-like or None
        Which columns hold categories. "from_dtype" takes those of text, categories and
        booleans, found by looking where a column holds objects; names and indices are
        added to these; a mask says it of all columns; None takes none. Numbers of any
        type are numbers unless named here; see `numeric_embedding` of those that name
        things, such as shops.
    embedding_dim : "auto", int, dict or callable
        Entries of the vectors: for all columns, by name of the column, or a function of
        the number of categories. "auto" is ``min(50, round(1.6 * n_categories **
        0.56))``, but no more than there are rows for a category, also for columns that
        a dict leaves out; with folds as `validation` no more than 12, or a fourth of
        these rows where that is more.
    embedding_dropout : float or None
        Probability that an entry of a vector is zeroed in training, in [0, 1). None is
        .4 for classes and .2 for numbers with folds as `validation`, in columns of few
        rows a category, and otherwise 0.
    shared_embeddings : sequence of sequences of column names
        Groups of columns that hold the same kind of thing, such as ``[("home_team",
        "away_team")]``: they share categories and vectors.
    random_effects : sequence of column names or tuples of them
        Columns, or combinations of columns such as ``[("year", "month", "day")]``,
        whose rows share something that no column tells, and of which there will be new
        ones. In training each group has an intercept that is drawn toward zero, so that
        the network does not learn the group by heart; new groups have none (Simchoni &
        Rosset 2023, arXiv 2206.03314). Columns in a combination keep their vectors, a
        column named by itself has none. All must be categorical, and `optimizer`
        "adamw", "muon" or a callable.
    handle_unknown : {"ignore", "warn"}
        Whether to count categories never seen before in a warning when predicting. They
        are no error either way. A column that is mostly unknown is named once in any
        case: it seems to come in another form than in `fit`.
    max_categories : int or None
        Vectors of a column at most. Where there are more categories, the most frequent
        ones get three quarters of the vectors and all others are hashed to the last
        quarter, so that memory stays bounded, also by `partial_fit`: there the first
        ones to come keep theirs.
    """

    categorical_features: Any = "from_dtype"
    embedding_dim: str | int | Mapping | Callable[[int], int] = "auto"
    embedding_dropout: float | None = None
    shared_embeddings: Sequence[Sequence[Any]] | None = None
    random_effects: Sequence[Any] | None = None
    handle_unknown: str = "ignore"
    max_categories: int | None = 50_000

    _constraints = {
        "categorical_features": ["array-like", str, None],
        "embedding_dim": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            dict,
            callable,
        ],
        "embedding_dropout": [Interval(Real, 0, 1, closed="left"), None],
        "shared_embeddings": ["array-like", None],
        "random_effects": ["array-like", None],
        "handle_unknown": [StrOptions({"ignore", "warn"})],
        "max_categories": [Interval(Integral, 4, None, closed="left"), None],
    }
