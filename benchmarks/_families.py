"""Many families, generated: little tells, and what two columns tell only together."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

_ROWS = 200_000
_GROUPS = {"east": 0.1, "north": 0.07, "south": 0.05}  # with more children, and shares


def load_families(*, as_frame: bool = True) -> Bunch:
    """Return families with two children, and which of them have a third.

    Parents of two girls or two boys have one more often, as in the census of Angrist &
    Evans 1998. Neither child's gender says anything by itself, and no column says
    much: the best log loss is only 3% below that of no column at all.
    """
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 2, (2, _ROWS))
    age = rng.integers(21, 36, _ROWS)
    weeks = np.where(rng.random(_ROWS) < 0.4, 0, rng.integers(0, 53, _ROWS))
    odds = -1.2 + 0.08 * (age - 21) + 0.3 * (first == second) - 0.008 * weeks
    X = pd.DataFrame({"first": first, "second": second}).replace({0: "girl", 1: "boy"})
    X["age"], X["weeks"] = age, weeks
    for group, share in _GROUPS.items():
        belongs = rng.random(_ROWS) < share
        odds += 0.4 * belongs
        X[group] = np.where(belongs, "yes", "no")
    third = (rng.random(_ROWS) < 1 / (1 + np.exp(-odds))).astype(int)
    return Bunch(frame=X.assign(third=third))
