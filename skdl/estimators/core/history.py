"""What was recorded of a training, epoch by epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


class History:
    """Rows of records that become a frame when somebody looks.

    `partial_fit` adds a row in every call; to make a frame anew each time would take
    longer than to train on a row.

    Parameters
    ----------
    rows : sequence of dict
        One an epoch.

    Examples
    --------
    >>> history = History([{"epoch": 1, "loss": 0.5}])
    >>> history.extended([{"epoch": 1, "loss": 0.4}]).frame["epoch"].tolist()
    [1, 2]
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = tuple(rows)
        self._frame: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def extended(self, rows: Sequence[dict[str, Any]]) -> "History":
        """Return a history with more rows, whose epochs are numbered on."""
        more = ({**row, "epoch": row["epoch"] + len(self)} for row in rows)
        return History((*self._rows, *more))

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a frame."""
        if self._frame is None:
            self._frame = pd.DataFrame(list(self._rows))
        return self._frame

    def __getstate__(self) -> dict[str, Any]:
        """Return the rows, column by column where all have the same ones."""
        names = list(self._rows[0]) if self._rows else []
        values = {name: [row.get(name) for row in self._rows] for name in names}
        columns = {name: _column(column) for name, column in values.items()}
        same = all(list(row) == names for row in self._rows)
        if same and all(column is not None for column in columns.values()):
            return {"columns": columns}
        return {"_rows": self._rows}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state."""
        rows = state.get("_rows", ())
        if "columns" in state:
            columns = state["columns"]
            values = zip(*(c.tolist() for c in columns.values()), strict=True)
            rows = (dict(zip(columns, row, strict=True)) for row in values)
        self._rows, self._frame = tuple(rows), None


def _column(values: list[Any]) -> np.ndarray | None:
    """Return Python's numbers of one type as an array that gives them back."""
    kinds = set(map(type, values))
    if kinds in ({int}, {float}, {bool}):
        array = np.array(values)
        return array if array.dtype.kind in "ifb" else None
    return None
