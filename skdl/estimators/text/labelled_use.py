"""What a fitted estimator on labelled texts says of texts, and why."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from skdl.data.text import as_strings, check_texts
from skdl.estimators.core.checks import finite_array
from skdl.estimators.text.occlusion import left_out_in_turn
from skdl.estimators.text.reader import raw_outputs
from skdl.estimators.text.stack import Stack
from skdl.estimators.text.words import Branches, TextReading


class LabelledTextUse:
    """Methods of a fitted TextClassifier or TextRegressor."""

    network_: Any
    _is_real = False
    _reading: TextReading
    _branches: Branches
    _reader_stack: Stack | None
    _objective: Any
    _target: Any

    def _predict_output(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self._output(check_texts(X))

    def _output(self, texts: list[str], cuts: Any = None) -> np.ndarray:
        raw = self._raw(texts, cuts)
        return finite_array(self._objective.inverse_link(torch.from_numpy(raw)))

    def _raw(self, texts: list[str], cuts: Any) -> np.ndarray:
        """Return the raw outputs (n, K) of all branches together."""
        raw = self._branches.raw(self._reading.read(texts, cuts))
        if self._reader_stack is None:
            return raw
        encoder = self._reading.language_model._lm_encoder
        stream = encoder.transform(texts)
        read = raw_outputs(self.network_, stream, encoder.end_id).double().numpy()
        return self._reader_stack.combined([raw, read])

    def influence(self, X: Any) -> pd.DataFrame:
        """Return what every token says: the difference that it makes to be there.

        Each token is left out in turn, so a text takes as long as predictions for as
        many texts as it has tokens.

        Parameters
        ----------
        X : iterable of str
            A few texts.

        Returns
        -------
        DataFrame
            A row for every token, with its `document` (its position in X), `position`
            in it, and the `token`. For classifiers a column for each label: by how many
            nats its logarithmic probability falls without the token; a label that is
            called like one of the other columns has "_label" behind its name. For
            regressors by how much the prediction falls.
        """
        check_is_fitted(self)
        found = [self._influence(i, text) for i, text in enumerate(check_texts(X))]
        return pd.concat(found, ignore_index=True)

    def _influence(self, document: int, text: str) -> pd.DataFrame:
        texts, cuts = left_out_in_turn(self._reading.encoder, text)
        said, tokens = self._saying(texts, cuts), cuts[0]
        told = pd.DataFrame(
            {
                "document": document,
                "position": range(len(tokens)),
                "token": as_strings(tokens),
            }
        )
        names = [f"{name}_label" if name in told else name for name in self._sayings()]
        difference = pd.DataFrame(said[0] - said[1:], columns=names)
        return pd.concat([told, difference], axis=1)

    def _saying(self, texts: list[str], cuts: Any) -> np.ndarray:
        """Return what texts say (n, K): log-probabilities, or predictions."""
        output = self._output(texts, cuts)
        if self._is_real:
            return self._target.on_scale(output)
        return np.log(np.maximum(output, np.finfo(np.float64).tiny))

    def _sayings(self) -> list[Any]:
        """Return names for what texts say."""
        if self._is_real and self._target.n_outputs == 1:
            return ["prediction"]
        return list(getattr(self, "classes_", range(self._target.n_outputs)))
