"""Saying that categories are unknown: once by default, or in every call."""

from collections.abc import Collection, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from skdl.data.table import Table, TableEncoder, Unseen
from skdl.estimators.core.user_warnings import warn_user

# What was said of each encoder already: fitted state stays as it is when predicting.
_SAID: WeakKeyDictionary[TableEncoder, set] = WeakKeyDictionary()


def warn_of_unknown(
    table: Table,
    encoder: TableEncoder,
    names: Sequence[Any],
    *,
    count: bool,
    exempt: Collection[int] = (),
) -> None:
    """Warn of columns in which most rows hold categories that were not fitted.

    That happens where a column comes in another form than it was fitted in, and then
    predictions are worth little. Each column is named once for a fitted encoder.

    Parameters
    ----------
    table : Table
        What comes in.
    encoder : TableEncoder
        Knows the categories.
    names : sequence
        Of the categorical columns.
    count : bool
        Whether to count unknown categories of all columns, each time.
    exempt : collection of int, default=()
        Vocabularies whose columns are meant to bring new categories.
    """
    unseen = dict(zip(names, encoder.unseen(table), strict=True))
    said = _SAID.get(encoder, set())
    numbers = dict(zip(names, encoder.vocabulary_of_column, strict=True))
    most = {
        name: found
        for name, found in unseen.items()
        if found.is_most and name not in said and numbers[name] not in exempt
    }
    counted = {name: found.rows for name, found in unseen.items() if found.rows}
    message = ""
    if count and counted:
        columns = ", ".join(f"{name!r}: {n}" for name, n in counted.items())
        message = f"Unknown categories in {len(table)} rows, by column: {columns}. "
    message += " ".join(_sentence(*item) for item in most.items())
    if message:
        message = f"{message.strip()} They get the vector of unknown categories."
        warn_user(message, UserWarning)
        _SAID.setdefault(encoder, set()).update(most)


def _sentence(name: Any, found: Unseen) -> str:
    return (
        f"In column {name!r} most categories are unknown: {found.rows} of "
        f"{len(found.column.codes)} rows, such as {found.example!r}, where fit saw "
        f"such as {found.known!r}. Is the column in the form that it was fitted in?"
    )
