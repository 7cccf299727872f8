"""Rows of Parquet files and other data that Arrow reads, a row group at a time."""

import copy
import glob
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skdl.data.row_sources import ROWS_AT_A_TIME, check_column

try:
    import pyarrow as pa
    import pyarrow.dataset as ds
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "Reading Parquet files needs PyArrow: pip install 'skdl[parquet]'."
    ) from error


class ParquetRows:
    """The rows of a dataset of PyArrow; each row group is a piece.

    Parameters
    ----------
    fragments : list of pyarrow.dataset.Fragment
        Files with the same columns.
    schema : pyarrow.Schema
        These, and types that hold what all files have.
    """

    has_order = False

    def __init__(self, fragments: list[Any], schema: Any) -> None:
        self._schema = schema
        self.names = list(schema.names)
        self._pieces = []
        for fragment in fragments:
            with _about(fragment):
                _check_schema(fragment, fragments[0], schema)
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
            return cls(list(X.get_fragments()), X.schema)
        paths = _expanded(X)
        try:
            # Folders named "key=value" are a column, as pandas and others read them.
            how = {"format": "parquet", "partitioning": "hive"}
            whole = ds.dataset(paths, **how)
            if not whole.files:
                raise ValueError(f"{X!r} is a directory without files.")
            fragments = _with_rows(list(whole.get_fragments()))
            return cls(fragments, _common_schema(fragments, whole.schema))
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            raise ValueError(f"{X!r} cannot be read as Parquet: {error}") from error

    def read(self, order: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield frames of some ten thousand rows."""
        for number in order:
            piece, n_read = self._pieces[number], 0
            with _about(piece):
                batches = piece.to_batches(
                    schema=self._schema,
                    columns=self.names,
                    batch_size=ROWS_AT_A_TIME,
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
        check_column(name, self._schema.names)
        parts = []
        for piece in self._pieces:
            with _about(piece):
                table = piece.to_table(schema=self._schema, columns=[name])
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
            reason = str(error).strip(" .\n")
            raise ValueError(
                f"{_name(self._fragment)} cannot be read: {reason}. Is it damaged, or "
                "has it changed since fit began?"
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


def _check_schema(fragment: Any, first: Any, schema: Any) -> None:
    """Refuse a file whose columns are others than those of the first."""
    own, place, other = fragment.physical_schema, _name(fragment), _name(first)
    keys = _partition_keys(fragment)
    absent = sorted(set(schema.names) - set(own.names) - keys)
    added = sorted(set(own.names) - set(schema.names))
    if absent or added:
        what = f"lacks the columns {absent}" if absent else f"has {added} besides"
        raise ValueError(
            f"All files must have the same columns: {place} {what}, compared with "
            f"{other}."
        )
    theirs = first.physical_schema
    for name in own.names:
        kinds = _kind(own.field(name).type), _kind(schema.field(name).type)
        if kinds[0] != kinds[1] and "null" not in kinds:
            beside = theirs.field(name).type if name in theirs.names else kinds[1]
            if _kind(beside) == kinds[0]:  # a third file has another
                other, beside = "others", schema.field(name).type
            raise ValueError(
                f"All files must have the same types: {name!r} is "
                f"{own.field(name).type} in {place} and {beside} in {other}."
            )


def _with_rows(fragments: list[Any]) -> list[Any]:
    """Leave files without rows out, whatever types they have; all are kept if none has.

    Where nothing was written of which a type could be told, writers make one up.
    """
    found = []
    for fragment in fragments:
        with _about(fragment):
            if fragment.count_rows():
                found.append(fragment)
    return found or fragments


def _common_schema(fragments: list[Any], schema: Any) -> Any:
    """Return the types that hold what all files have; else those of the first.

    Columns, and those that are names of folders, are those of `schema`.
    """
    schemas = [fragment.physical_schema for fragment in fragments]
    types: dict[str, set[Any]] = {}
    for field in (field for own in schemas for field in own):
        types.setdefault(field.name, set()).add(field.type)
    schemas = [_with_plain_texts(own, types) for own in schemas]
    names = set(types)
    folders = [field for field in schema if field.name not in names]
    try:
        found = pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException:  # said by file and column where they are checked
        found = schemas[0]
    found = pa.schema([*found, *folders])
    wanted = [name for name in schema.names if name in found.names]
    return pa.schema([found.field(name) for name in wanted])


def _with_plain_texts(schema: Any, types: dict[str, set[Any]]) -> Any:
    """Return a schema whose texts that other files hold otherwise are plain ones.

    Dictionaries, views and the like are not all cast to each other.
    """
    for i, field in enumerate(schema):
        if _kind(field.type) == "text" and len(types[field.name]) > 1:
            schema = schema.set(i, field.with_type(pa.large_string()))
    return schema


def _partition_keys(fragment: Any) -> set[str]:
    return set(ds.get_partition_keys(fragment.partition_expression))


def _kind(kind: Any) -> str:
    """Return what a type is as far as it matters: number, text, ..."""
    types = pa.types
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_integer(kind) or types.is_floating(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or _is_view(kind):
        return "text"
    if types.is_decimal(kind):
        return "decimal"
    if types.is_timestamp(kind):
        return f"timestamp {kind.tz}"
    return str(kind)


def _is_view(kind: Any) -> bool:
    """Tell whether a type is that of texts which PyArrow has since version 16."""
    return str(kind) == "string_view"


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
    # Who stops in between must close it: a connection has one result at a time.
    with pa.RecordBatchReader.from_stream(stream) as reader:
        for batch in reader:
            for start in range(0, batch.num_rows, ROWS_AT_A_TIME):
                yield frame_of(batch.slice(start, ROWS_AT_A_TIME))


def texts_of_parquet(path: Any) -> Iterator[Any]:
    """Yield the texts of the only column of text that Parquet files have.

    Raises
    ------
    ValueError
        If they have none, or several.
    """
    source = ParquetRows.of(path)
    schema = source._schema
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
