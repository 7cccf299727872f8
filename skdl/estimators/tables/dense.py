"""The family of estimators that takes numbers: columns, or arrays of any shape."""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_y,
    check_array,
    check_consistent_length,
    validate_data,
)
from torch import nn

from skdl.data.arrays import ArrayEncoder
from skdl.data.columns import refuse_dates
from skdl.data.numeric import NumericEncoder
from skdl.estimators.core.checks import MOST, check_sizes
from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.inputs import plain, refuse_no_table
from skdl.estimators.core.learning_on import with_new_scales
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.user_network import new_user_network
from skdl.estimators.tables.cross_fitted import CrossFittedEstimator
from skdl.estimators.tables.numbers import FLOATS, explain, numbers_of, readable
from skdl.estimators.tables.packs import with_range
from skdl.networks.mlp import ACTIVATIONS, MLP

# Values up to which the validation of inputs takes longer than the network.
_FEW_VALUES = 1 << 16


@parameters
class DenseParameters:
    """What networks on numbers can be told.

    Parameters
    ----------
    hidden_layer_sizes : int, sequence of int or None
        Units of each hidden layer of the default network; empty for a linear model.
        None is (128, 128) with folds as `validation` (of 64 units below 100 rows and
        256 from 100,000 on, a third layer for real targets from 1,000 rows on) and
        (256, 128) of one network.
    activation : str
        "relu", "silu", "gelu", "selu", "mish", "elu", "leaky_relu", "tanh", "sigmoid"
        or "identity".
    dropout : float or None
        Probability that a hidden unit is zeroed in training, in [0, 1). None is 0 with
        folds as `validation`, .1 of one network.
    batch_norm : bool
        Whether to normalise each hidden layer over the batch.
    network : callable, class, torch.nn.Module or None
        Your own network in place of the dense one, for which the four parameters above
        are. A callable or class is called as ``network(n_inputs, n_outputs)`` and
        returns a ``torch.nn.Module``, which maps ``(n_rows, n_inputs)`` float32 to raw
        outputs ``(n_rows, n_outputs)`` without a softmax or sigmoid; for arrays of more
        axes it gets ``(n_rows, ..., n_inputs)``. `n_inputs` counts one more column for
        each column with missing values. Options of a callable are nested parameters:
        ``set_params(network__width=64)``, ``GridSearchCV(model, {"network__width": [64,
        128]})``. What is trained is a copy, also of a module.
    scale_inputs : bool
        Whether to centre each column on its median, divide it by its interquartile
        range and bend outliers smoothly toward +-3 (RealMLP, arXiv 2407.04491, section
        3). Missing values (NaN) become the median, with an indicator column, either
        way.
    numeric_embedding : {"auto", "piecewise", "cosine"} or None
        Vectors of numbers that networks with folds as `validation` have beside the
        numbers themselves: "piecewise" ones bend at the edges of bins (Gorishniy et
        al. 2022, arXiv 2203.05556, section 3.1), "cosine" ones are of learned
        frequencies (arXiv 2607.05380, section 3.2). "auto" is both, where
        `scale_inputs` is True, and a vector for each value of whole numbers that name
        things, such as shops (see docs/tables.md); one network trained alone has none.
    n_estimators : int
        Networks that are trained side by side, on the same batches but from other
        initial weights; predictions are their mean.
    diversity : {"settings"} or None
        In what networks with folds as `validation` differ, beside their initial weights
        and the fold that each is blind to. With "settings" the networks of each round
        of folds have a rate, decay, dropouts, activation and vectors of numbers of
        their own, around what the other parameters say, and the first round just that.
        Settings are chosen greedily, with replacement, so that their mean has the
        lowest out-of-fold loss; networks of the others are dropped, and `settings_`
        tells of all. A search in one fit: with 4 folds ``n_estimators=16`` is four
        settings (see docs/tables.md).
    """

    hidden_layer_sizes: int | Sequence[int] | None = None
    activation: str = "silu"
    dropout: float | None = None
    batch_norm: bool = False
    network: Callable[..., nn.Module] | nn.Module | None = None
    scale_inputs: bool = True
    numeric_embedding: str | None = "auto"
    n_estimators: int = 1
    diversity: str | None = None

    _constraints = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, MOST, closed="both"),
            None,
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "batch_norm": ["boolean"],
        "network": [callable, None],
        "scale_inputs": ["boolean"],
        "numeric_embedding": [StrOptions({"auto", "piecewise", "cosine"}), None],
        "n_estimators": [Interval(Integral, 1, MOST, closed="both")],
        "diversity": [StrOptions({"settings"}), None],
    }


class DenseEstimator(CrossFittedEstimator):
    """The family that takes numbers and has a dense network by default."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = self.network is not None
        return tags

    def _check_parameters(self) -> None:
        if isinstance(self.network, str):
            name = type(self).__name__
            family = "Image" + name.removeprefix("EntityEmbedding").removeprefix(
                "Neural"
            )
            raise ValueError(
                f"network={self.network!r} is not a network: {name} takes None, a "
                f"callable or a torch.nn.Module. Pictures and their convolutional "
                f"network are {family}'s."
            )
        super()._check_parameters()
        check_sizes(self._setting("hidden_layer_sizes"))

    def _new_inputs(self, X: Any) -> Any:
        few = self._few_as_fitted(X)
        return super()._new_inputs(X) if few is None else few

    def _check_inputs(self, X: Any, *, reset: bool) -> Any:
        refuse_no_table(X, self)
        if _n_axes(X) > 2:
            return self._check_array(X, reset=reset)
        X = self._validate(X, reset=reset)
        self._check_shape(X, reset=reset)
        return X

    def _few_as_fitted(self, X: Any) -> Any:
        """Return few rows that there is nothing to object to, found cheaply; else None.

        scikit-learn's validation takes longer than a network does for a few rows.
        """
        names = vars(self).get("feature_names_in_")
        if names is not None:
            X = numbers_of(X, names) if _is_small_frame(X) else None
        return X if are_few_numbers(X, self._row_shape) else None

    def _check_rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Rows:
        X, y = self._check_inputs_and_target(X, y, reset=reset)
        return self._weighted_rows(X, y, sample_weight)

    def _check_inputs_and_target(self, X: Any, y: Any, *, reset: bool) -> tuple:
        few = None if reset else self._few_as_fitted(X)
        if few is not None and _is_plain_target(y, len(few)):
            return few, self._check_target(y)
        refuse_no_table(X, self)
        if _n_axes(X) > 2:
            return self._check_array_and_target(X, y, reset=reset)
        X, y = self._validate(X, y, reset=reset, multi_output=True)
        self._check_shape(X, reset=reset)
        return X, self._check_target(y)

    def _validate(self, *arrays: Any, reset: bool, **options: Any) -> Any:
        name = type(self).__name__
        if issparse(arrays[0]):
            raise TypeError(
                f"Sparse data was passed for X, but {name} takes dense data. Use "
                "X.toarray(); in a pipeline OneHotEncoder(sparse_output=False) and "
                "ColumnTransformer(sparse_threshold=0)."
            )
        X, *y = arrays
        X = readable(X, self, reset=reset)
        try:
            found = validate_data(
                self,
                X,
                *y,
                reset=reset,
                dtype=FLOATS,
                ensure_all_finite="allow-nan",
                **options,
            )
            return tuple(map(plain, found)) if y else plain(found)
        except (ValueError, TypeError, OverflowError) as error:
            explain(error, X)
            if "could not convert string to float" not in str(error):
                raise
            family = name.replace("Neural", "EntityEmbedding")
            raise ValueError(
                f"{name} takes numbers, but X holds text ({error}). "
                f"Use {family}, which learns a vector for every category, or encode "
                "the text with sklearn.preprocessing.OneHotEncoder first."
            ) from error

    # Arrays of more than two axes.

    def _check_array_and_target(self, X: Any, y: Any, *, reset: bool) -> tuple:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        X = self._check_array(X, reset=reset)
        y = _check_y(y, multi_output=True, estimator=self)
        check_consistent_length(X, y)
        return X, self._check_target(y)

    def _check_array(self, X: Any, *, reset: bool) -> np.ndarray:
        if self.network is None:
            pictures = type(self).__name__.replace("Neural", "Image")
            raise ValueError(
                f"X has shape {np.shape(X)}, but the dense network takes columns of "
                "numbers. Give a network of your own that takes such rows, or "
                f"X.reshape(len(X), -1); pictures are for {pictures}."
            )
        refuse_dates(X)
        X = check_array(
            X,
            dtype=FLOATS,
            ensure_all_finite="allow-nan",
            allow_nd=True,
            estimator=self,
        )
        if reset:
            vars(self).pop("feature_names_in_", None)
            self.n_features_in_ = X.shape[-1]
        self._check_shape(X, reset=reset)
        return X

    def _check_shape(self, X: np.ndarray, *, reset: bool) -> None:
        if reset:
            self._row_shape = X.shape[1:]
        elif X.shape[1:] != self._row_shape:
            raise ValueError(
                f"X has rows of shape {X.shape[1:]}, but {type(self).__name__} was "
                f"fitted on rows of shape {self._row_shape}."
            )

    # What a family gives.

    def _new_encoder(
        self, X: Any, rng: np.random.RandomState
    ) -> NumericEncoder | ArrayEncoder:
        kind = NumericEncoder if X.ndim == 2 else ArrayEncoder
        return kind(scale=self.scale_inputs).fit(X, rng)

    def _grown(self, X: Any) -> tuple[Any, nn.Module]:
        encoder, rescaling = self._encoder.extended(X)
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        network = self.network_
        return with_range(*with_new_scales(encoder, rescaling, network, list(names)))

    def _new_network(self, encoder: Any, n_outputs: int) -> nn.Module:
        return self._new_head(encoder.n_outputs, n_outputs)

    def _new_head(self, n_inputs: int, n_outputs: int) -> nn.Module:
        """Return the user's network, or the dense one."""
        if self.numeric_embedding in ("piecewise", "cosine"):
            raise ValueError(
                f"numeric_embedding={self.numeric_embedding!r} is for networks with "
                "folds as `validation`, and this is one network without: set "
                "validation=4, or leave numeric_embedding at 'auto'."
            )
        if self.network is not None:
            return new_user_network(self.network, n_inputs, n_outputs)
        return MLP(
            n_inputs,
            n_outputs,
            hidden_layer_sizes=np.atleast_1d(
                self._setting("hidden_layer_sizes")
            ).tolist(),
            activation=self.activation,
            dropout=self._setting("dropout"),
            batch_norm=self.batch_norm,
        )

    def _numbers_of(self, X: Any) -> np.ndarray:
        return X


def are_few_numbers(X: Any, row_shape: tuple[int, ...]) -> bool:
    """Tell whether X is an array of few numbers, none infinite, as networks take it."""
    return (
        type(X) is np.ndarray
        and X.dtype in FLOATS
        and X.shape[1:] == row_shape
        and 0 < X.size <= _FEW_VALUES
        and not np.isinf(X).any()
    )


def _is_small_frame(X: Any) -> bool:
    return type(X) is pd.DataFrame and X.size <= _FEW_VALUES


def _is_plain_target(y: Any, n_rows: int) -> bool:
    """Tell, cheaply, whether there is nothing to convert and nothing to object."""
    return (
        type(y) is np.ndarray
        and y.shape == (n_rows,)
        and y.dtype.kind in "iubf"
        and bool(np.isfinite(y).all())
    )


def _n_axes(X: Any) -> int:
    """Return the axes of an array, also of one in nested lists."""
    if hasattr(X, "ndim"):
        return X.ndim
    axes, inner = 0, X
    while isinstance(inner, list | tuple) and len(inner):
        axes, inner = axes + 1, inner[0]
    return axes + int(getattr(inner, "ndim", 0))
