"""A table whose target jumps where a column changes its sign."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch


def load_jumps(*, as_frame: bool = True) -> Bunch:
    """Return 1,600 rows as scikit-learn's loaders return their tables.

    Networks are sure of a row but near the jumps, where it is chance on which side of
    one they see it.
    """
    rng = np.random.RandomState(0)
    X = rng.uniform(-1, 1, size=(1600, 6))
    y = np.sign(X[:, 0] * X[:, 1]) + 0.1 * rng.randn(len(X))
    return Bunch(frame=pd.DataFrame(X).add_prefix("x").assign(target=y))
