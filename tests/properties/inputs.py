"""What people may hand to an estimator: columns of every kind, drifted, odd, broken."""

import datetime
import decimal
import warnings

import numpy as np
import pandas as pd
from hypothesis import strategies as st

ROWS = st.integers(1, 12)
_TEXT = st.text(max_size=6)
_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    _TEXT,
    st.binary(max_size=3),
    st.decimals(allow_nan=False, places=3),
    st.just(decimal.Decimal("NaN")),
    st.just(pd.NA),
    st.just(pd.NaT),
    st.just(datetime.date(2020, 1, 2)),
    st.just(1 + 2j),
    st.just((1, 2)),
    st.just([1]),
    st.just(decimal.Decimal("Infinity")),
)
_FLOATS = st.one_of(st.floats(), st.floats(-3, 3), st.just(np.nan))
_KNOWN = st.sampled_from(["a", "b", "c", "A", "", " a", "1", "1.0", "nan", "None"])


def _column_of(kind, values):
    """Return values as a Series of a type, as objects where they are no such."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return pd.Series(values, dtype=kind)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            return pd.Series(values, dtype=object)


@st.composite
def columns(draw, n_rows):
    """Return a column of some type, with values that go with it or not."""
    kind, cells = draw(
        st.sampled_from(
            [
                ("float64", _FLOATS),
                ("float32", st.floats(width=32)),
                ("float16", st.floats(width=16)),
                ("int64", st.integers(-(2**63), 2**63 - 1)),
                ("int8", st.integers(-128, 127)),
                ("uint64", st.integers(0, 2**64 - 1)),
                ("Int64", st.one_of(st.integers(-5, 5), st.none())),
                ("Float32", st.one_of(st.floats(-5, 5), st.none())),
                ("bool", st.booleans()),
                ("boolean", st.one_of(st.booleans(), st.none())),
                ("object", _CELLS),
                ("object", st.one_of(_KNOWN, st.none(), _FLOATS)),
                ("str", st.one_of(_KNOWN, _TEXT)),
                ("category", _KNOWN),
                ("category", st.integers(-2, 3)),
                ("complex128", st.complex_numbers(max_magnitude=3)),
                ("datetime64[ns]", st.just("2020-01-01")),
                ("timedelta64[ns]", st.just(1000)),
            ]
        )
    )
    values = draw(st.lists(cells, min_size=n_rows, max_size=n_rows))
    return _column_of(kind, values)


@st.composite
def frames(draw, names=("number", "kind", "more"), *, complete=True):
    """Return a frame with these columns, often in another form than in `fit`."""
    n_rows = draw(ROWS)
    found = {name: draw(columns(n_rows)) for name in names}
    frame = pd.DataFrame(found)
    if complete:
        return frame
    change = draw(st.sampled_from(["none", "reorder", "drop", "add", "twice", "empty"]))
    if change == "reorder":
        frame = frame[draw(st.permutations(list(frame)))]
    elif change == "drop":
        frame = frame.drop(columns=draw(st.sampled_from(list(names))))
    elif change == "add":
        frame["other"] = 1.0
    elif change == "twice":
        frame = pd.concat([frame, frame[[names[0]]]], axis=1)
    elif change == "empty":
        frame = frame.iloc[:0]
    return frame


@st.composite
def arrays(draw, n_columns):
    """Return an array of usual or odd type and shape."""
    shape = draw(
        st.sampled_from(
            [(3, n_columns), (1, n_columns), (0, n_columns), (2, n_columns + 1)]
            + [(n_columns,), (2, 2, n_columns), ()]
        )
    )
    kind = draw(
        st.sampled_from(["f8", "f4", "f2", ">f8", "i4", "u1", "?", "O", "U3", "c8"])
    )
    cells = {"O": _CELLS, "U3": _KNOWN, "?": st.booleans()}.get(kind, _FLOATS)
    if kind in ("i4", "u1"):
        cells = st.integers(0, 100)
    size = int(np.prod(shape))
    values = draw(st.lists(cells, min_size=size, max_size=size))
    flat = np.empty(size, dtype=object)
    for i, value in enumerate(values):
        flat[i] = value
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            array = flat.astype(kind)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            array = flat
    array = array.reshape(shape)
    if draw(st.booleans()):
        array.flags.writeable = False
    return array[::-1] if array.ndim and draw(st.booleans()) else array


def targets(n_rows):
    """Return a strategy for labels and targets of so many rows, good and bad."""
    return st.one_of(
        st.lists(st.integers(0, 2), min_size=n_rows, max_size=n_rows),
        st.lists(_KNOWN, min_size=n_rows, max_size=n_rows),
        st.lists(_FLOATS, min_size=n_rows, max_size=n_rows),
        st.lists(_CELLS, min_size=n_rows, max_size=n_rows),
        st.lists(st.booleans(), min_size=n_rows + 1, max_size=n_rows + 1),
    )


texts = st.one_of(
    st.lists(_TEXT, max_size=4),
    st.lists(_CELLS, max_size=3),
    _CELLS,
    st.lists(st.text(alphabet=st.characters(), max_size=40), max_size=3),
)


@st.composite
def tasks(draw):
    """Return whether it is a table, its rows, and a target for them."""
    is_table = draw(st.booleans())
    if is_table:
        n_rows = draw(st.integers(2, 8))
        found = draw(st.lists(columns(n_rows), min_size=1, max_size=3))
        X = pd.DataFrame({f"c{i}": column for i, column in enumerate(found)})
    else:
        X = draw(arrays(3))
        n_rows = len(X) if X.ndim else 0
    return is_table, X, draw(targets(n_rows))
