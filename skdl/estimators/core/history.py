"""What was recorded of a training, epoch by epoch."""

from collections.abc import Sequence
from typing import Any

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
        """Return the state without the frame."""
        return {**vars(self), "_frame": None}
