"""Rows of Parquet files and other data that Arrow reads, a row group at a time."""

import copy
import glob
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skdl.data.row_sources import check_column

try:
    import pyarrow as pa
    import pyarrow.dataset as ds
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "Reading Parquet files needs PyArrow: pip install 'skdl[parquet]'."
    ) from error

# Rows that are decoded at a time.
_ROWS = 1 << 16


class ParquetRows:
    """The rows of a dataset of PyArrow; each row group is a piece.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        Of files with the same columns.
    """

    has_order = False

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.names = list(dataset.schema.names)
        self._pieces = []
        for fragment in dataset.get_fragments():
            with _about(fragment):
                _check_schema(fragment, dataset.schema)
                self._pieces += _pieces_of(fragment)
        with _about(None):
            sizes = [_rows_of(piece) for piece in self._pieces]
        self._pieces = [p for p, n in zip(self._pieces, sizes, strict=True) if n]
        self.sizes = [n for n in sizes if n]
        if not self.sizes:
            raise ValueError("The files hold no rows to learn from.")

    @classmethod
    def of(cls, X: Any) -> "ParquetRows":
        """Return the rows of a dataset, a path or a list of paths."""
        if isinstance(X, ds.Dataset):
            return cls(X)
        paths = _expanded(X)
        try:
            # Folders named "key=value" are a column, as pandas and others read them.
            how = {"format": "parquet", "partitioning": "hive"}
            whole = ds.dataset(paths, **how)
            if not whole.files:
                raise ValueError(f"{X!r} is a directory without files.")
            schema = _common_schema(whole)
            return cls(ds.dataset(paths, schema=schema, **how))
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            raise ValueError(f"{X!r} cannot be read as Parquet: {error}") from error

    def read(self, order: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield frames of some ten thousand rows."""
        for number in order:
            piece, n_read = self._pieces[number], 0
            with _about(piece):
                batches = piece.to_batches(
                    schema=self._dataset.schema,
                    columns=self.names,
                    batch_size=_ROWS,
                    batch_readahead=1,
                    fragment_readahead=0,
                )
                for batch in batches:
                    if batch.num_rows:
                        n_read += batch.num_rows
                        yield number, frame_of(batch)
            if n_read != self.sizes[number]:
                raise ValueError(
                    f"{_name(piece)} has changed: a row group of {self.sizes[number]} "
                    f"rows has {n_read} now. Leave the files alone during fit."
                )

    def column(self, name: Any) -> np.ndarray:
        """Return a column of all rows."""
        check_column(name, self._dataset.schema.names)
        parts = []
        for piece in self._pieces:
            with _about(piece):
                table = piece.to_table(schema=self._dataset.schema, columns=[name])
            parts.append(_values(table.column(0)))
        return np.concatenate(parts)

    def without(self, names: Sequence[Any]) -> "ParquetRows":
        """Return the rows without some of the columns."""
        result = copy.copy(self)
        result.names = [n for n in self.names if n not in names]
        return result


class _about:  # noqa: N801
    """Says which file an error of Arrow's is about."""

    def __init__(self, fragment: Any) -> None:
        self._fragment = fragment

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(
                f"{_name(self._fragment)} was there and is gone: the files must stay "
                f"until fit is done. ({error})"
            ) from error
        if isinstance(error, pa.ArrowException | OSError):
            raise ValueError(
                f"{_name(self._fragment)} cannot be read: {error}"
            ) from error


def _expanded(X: Any) -> list[str] | str:
    """Return paths as text; a pattern such as "sales/*.parquet" is what it matches."""
    given = X if isinstance(X, list | tuple) else [X]
    paths: list[str] = []
    for path in map(str, given):
        found = sorted(glob.glob(path)) if glob.has_magic(path) else []
        paths += found or [path]
    return paths if len(paths) > 1 or given is X else paths[0]


def _name(fragment: Any) -> str:
    return getattr(fragment, "path", None) or "A file"


def _pieces_of(fragment: Any) -> list[Any]:
    if hasattr(fragment, "split_by_row_group"):
        return fragment.split_by_row_group()
    return [fragment]


def _rows_of(piece: Any) -> int:
    if hasattr(piece, "row_groups"):  # it would count those of its whole file
        return sum(group.num_rows for group in piece.row_groups)
    return piece.count_rows()


def _check_schema(fragment: Any, schema: Any) -> None:
    """Refuse a file whose columns are others than those of the dataset."""
    own = fragment.physical_schema
    partitions = set(schema.names) - set(own.names)
    keys = _partition_keys(fragment)
    absent = sorted(partitions - keys)
    added = sorted(set(own.names) - set(schema.names))
    if absent or added:
        what = f"lacks the columns {absent}" if absent else f"has {added} besides"
        raise ValueError(
            f"All files must have the same columns: {_name(fragment)} {what}."
        )
    for name in own.names:
        kinds = _kind(own.field(name).type), _kind(schema.field(name).type)
        if kinds[0] != kinds[1] and "null" not in kinds:
            raise ValueError(
                f"All files must have the same types: {name!r} is "
                f"{own.field(name).type} in {_name(fragment)} and "
                f"{schema.field(name).type} in others."
            )


def _common_schema(dataset: Any) -> Any:
    """Return the types that hold what all files have; else those of the first."""
    schemas = [fragment.physical_schema for fragment in dataset.get_fragments()]
    try:
        found = pa.unify_schemas(
            [dataset.schema, *schemas], promote_options="permissive"
        )
    except pa.ArrowException:  # said by file and column where they are checked
        return dataset.schema
    return pa.schema([found.field(name) for name in dataset.schema.names])


def _partition_keys(fragment: Any) -> set[str]:
    return set(ds.get_partition_keys(fragment.partition_expression))


def _kind(kind: Any) -> str:
    """Return what a type is as far as it matters: number, text, ..."""
    types = pa.types
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_integer(kind) or types.is_floating(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    return str(kind)


def frame_of(batch: Any) -> pd.DataFrame:
    """Return rows as a frame of pandas: texts as categories, integers as they are."""
    holed = {
        column.type
        for column in batch.columns
        if pa.types.is_integer(column.type) and column.null_count
    }
    kinds = {kind: pd.array([], dtype=_nullable(kind)).dtype for kind in holed}
    return batch.to_pandas(strings_to_categorical=True, types_mapper=kinds.get)


def _nullable(kind: Any) -> str:
    """Return pandas' type for integers with missing values."""
    name = str(kind)
    return name[0].upper() + name[1:] if name[0] == "i" else "UI" + name[2:]


def _values(column: Any) -> np.ndarray:
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if is_number and not column.null_count:
        return column.to_numpy()
    return column.to_pandas().to_numpy(dtype=object if not is_number else None)


def frames_of_stream(stream: Any) -> Iterator[pd.DataFrame]:
    """Yield the batches of what has Arrow's C stream, such as a DuckDB relation."""
    for batch in pa.RecordBatchReader.from_stream(stream):
        yield frame_of(batch)


def texts_of_parquet(path: Any) -> Iterator[Any]:
    """Yield the texts of the only column of text that Parquet files have.

    Raises
    ------
    ValueError
        If they have none, or several.
    """
    source = ParquetRows.of(path)
    schema = source._dataset.schema
    texts = [n for n in source.names if _kind(schema.field(n).type) == "text"]
    if len(texts) != 1:
        raise ValueError(
            f"{path} must have one column of text, but has {texts or 'none'} among "
            f"{source.names}. Give the texts, such as those of pandas.read_parquet."
        )
    others = [name for name in source.names if name != texts[0]]
    for _, frame in source.without(others).read(range(len(source.sizes))):
        yield from frame[texts[0]].astype(object)


def append_rows(writer: Any, frame: pd.DataFrame, file: Any) -> Any:
    """Write rows to a Parquet file; return the writer, made for the first of them."""
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    if writer is None:
        writer = pq.ParquetWriter(file, table.schema)
    writer.write_table(table.cast(writer.schema))
    return writer
