"""The family of estimators that takes columns of numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data
from torch import nn

from skdl.data.numeric import NumericEncoder
from skdl.estimators.core.base import NeuralEstimator
from skdl.networks.mlp import ACTIVATIONS, MLP
from skdl.randomness import lent_generators

# Values up to which the validation of inputs takes longer than the network.
_FEW_VALUES = 1 << 16


@dataclass(kw_only=True, eq=False, repr=False)
class DenseEstimator(NeuralEstimator):
    """The family that takes numbers and has a dense network by default."""

    hidden_layer_sizes: int | Sequence[int] = (256, 128)
    activation: str = "silu"
    dropout: float = 0.1
    batch_norm: bool = False
    network: Callable[[int, int], nn.Module] | None = None
    scale_inputs: bool = True

    _parameter_constraints = {
        **NeuralEstimator._parameter_constraints,
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_norm": ["boolean"],
        "network": [callable, None],
        "scale_inputs": ["boolean"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes))
        if sizes.ndim > 1 or (
            sizes.size and (sizes.dtype.kind not in "iu" or sizes.min() < 1)
        ):
            raise ValueError(
                "hidden_layer_sizes must be positive integers, got "
                f"{self.hidden_layer_sizes!r}."
            )

    def _check_inputs(self, X: Any, *, reset: bool) -> Any:
        if not reset and self._is_as_fitted(X):
            return X
        return self._validate(X, reset=reset)

    def _is_as_fitted(self, X: Any) -> bool:
        """Tell, cheaply, whether there is nothing to convert and nothing to object.

        scikit-learn's validation takes longer than a network does for a few rows.
        """
        return (
            type(X) is np.ndarray
            and X.dtype in (np.float64, np.float32)
            and X.ndim == 2
            and 0 < X.size <= _FEW_VALUES
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
            and bool(np.isfinite(X).all())
        )

    def _check_inputs_and_target(self, X: Any, y: Any, *, reset: bool) -> tuple:
        X, y = self._validate(X, y, reset=reset, multi_output=True)
        return X, self._check_target(y)

    def _validate(self, *arrays: Any, reset: bool, **options: Any) -> Any:
        name = type(self).__name__
        if issparse(arrays[0]):
            raise TypeError(
                f"Sparse data was passed for X, but {name} takes dense data. Use "
                "X.toarray(); in a pipeline OneHotEncoder(sparse_output=False) and "
                "ColumnTransformer(sparse_threshold=0)."
            )
        try:
            return validate_data(
                self,
                *arrays,
                reset=reset,
                dtype=(np.float64, np.float32),
                ensure_all_finite="allow-nan",
                **options,
            )
        except ValueError as error:
            if "could not convert string to float" not in str(error):
                raise
            family = name.replace("Neural", "EntityEmbedding")
            raise ValueError(
                f"{name} takes numbers, but X holds text ({error}). "
                f"Use {family}, which learns a vector for every category, or encode "
                "the text with sklearn.preprocessing.OneHotEncoder first."
            ) from error

    def _new_encoder(self, X: Any, rng: np.random.RandomState) -> NumericEncoder:
        return NumericEncoder(scale=self.scale_inputs).fit(X, rng)

    def _new_network(self, encoder: NumericEncoder, n_outputs: int) -> nn.Module:
        return self._new_head(encoder.n_outputs, n_outputs)

    def _new_head(self, n_inputs: int, n_outputs: int) -> nn.Module:
        """Return the user's network, or the dense one."""
        if self.network is not None:
            with lent_generators():
                return self.network(n_inputs, n_outputs)
        return MLP(
            n_inputs,
            n_outputs,
            hidden_layer_sizes=np.atleast_1d(self.hidden_layer_sizes).tolist(),
            activation=self.activation,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
        )
