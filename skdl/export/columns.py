"""Columns of a table to codes and numbers, in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skdl.data.categories import FIRST, MISSING, UNKNOWN, Vocabulary
from skdl.data.table import TableEncoder
from skdl.export.nodes import Nodes, looked_up

# Integers that float64 holds, in which missing ones are NaN.
_EXACT = 2**53


def add_numbers(nodes: Nodes, names: Sequence[str]) -> str:
    """Add an input of float64 for each column; return all of them side by side."""
    columns = [nodes.input(name, "DOUBLE", 1) for name in names]
    if len(columns) == 1:
        return nodes.add("Identity", columns[0])
    return nodes.add("Concat", *columns, axis=1)


def no_numbers(nodes: Nodes, like: str) -> str:
    """Return numbers of no columns, for as many rows as there are codes."""
    empty = nodes.add(
        "Slice", like, *(nodes.constant([v], np.int64) for v in (0, 0, 1))
    )
    return nodes.cast(empty, "DOUBLE")


def add_codes(
    nodes: Nodes, encoder: TableEncoder, names: Sequence[str]
) -> tuple[str, list[str]]:
    """Add an input for each categorical column.

    Returns
    -------
    indices : str
        Rows in the table of vectors, int32.
    groups : list of str
        Numbers of the groups, int32; none where there are no groupings.

    Raises
    ------
    ValueError
        If ONNX cannot say what a column's categories are.
    """
    numbers = encoder.vocabulary_of_column
    codes = [
        _codes(nodes, name, encoder.vocabularies[v])
        for name, v in zip(names, numbers, strict=True)
    ]
    offsets = [int(encoder.offsets[v]) for v in numbers]
    shifted = [
        nodes.add("Add", code, nodes.constant([offset], np.int64))
        for code, offset in zip(codes, offsets, strict=True)
    ]
    indices = nodes.cast(nodes.add("Concat", *shifted, axis=1), "INT32")
    return indices, _groups(nodes, encoder, codes)


def _groups(nodes: Nodes, encoder: TableEncoder, codes: list[str]) -> list[str]:
    """Return the numbers of combinations of codes, each of which is one integer."""
    found, start = [], 0
    for columns, grouping in zip(
        encoder.columns_of_groups, encoder.groupings, strict=True
    ):
        columns = list(columns)
        sizes = [
            len(encoder.vocabularies[encoder.vocabulary_of_column[c]]) for c in columns
        ]
        factors = np.cumprod([1, *sizes[:-1]]).astype(np.int64)
        parts = [
            nodes.add("Mul", codes[c], nodes.constant([f], np.int64))
            for c, f in zip(columns, factors.tolist(), strict=True)
        ]
        key = parts[0]
        for part in parts[1:]:
            key = nodes.add("Add", key, part)
        known = grouping.combinations().reshape(-1, len(columns))
        values = [start + i + 1 for i in range(len(known))]
        found.append(looked_up(nodes, key, known @ factors, values, UNKNOWN))
        start += len(grouping)
    if not found:
        return []
    return [nodes.cast(nodes.add("Concat", *found, axis=1), "INT32")]


def _codes(nodes: Nodes, name: str, vocabulary: Vocabulary) -> str:
    """Add a column; return its codes, (n, 1) int64."""
    if vocabulary.n_hashed:
        raise ValueError(
            f"Column {name!r} has more categories than max_categories, the rarer ones "
            "of which are hashed; ONNX has no such hash. Fit with max_categories=None."
        )
    values = vocabulary.categories
    codes = list(range(FIRST, FIRST + len(values)))
    missing = MISSING if vocabulary.knows_missing else UNKNOWN
    kinds = set(map(type, values))
    if kinds <= {str} or str in kinds:
        _check(name, kinds, {str, int, float, bool})
        return _codes_of_texts(nodes, name, list(map(str, values)), codes, missing)
    _check(name, kinds, {int, float, bool})
    if kinds <= {int, bool}:
        return _codes_of_integers(nodes, name, values, codes, missing)
    return _codes_of_floats(nodes, name, vocabulary, codes, missing)


def _check(name: str, kinds: set[type], known: set[type]) -> None:
    if not kinds <= known:
        wrong = sorted(kind.__name__ for kind in kinds - known)
        raise ValueError(
            f"Column {name!r} holds categories of type {wrong}; to_onnx knows texts, "
            "integers, floats and booleans. Fit on their texts."
        )


def _codes_of_texts(
    nodes: Nodes, name: str, texts: list[str], codes: list[int], missing: int
) -> str:
    """Add texts; the empty one is a missing one unless it is a category."""
    if "" not in texts:
        texts, codes = [*texts, ""], [*codes, missing]
    return nodes.learned(
        "LabelEncoder",
        nodes.input(name, "STRING", 1),
        keys_strings=texts,
        values_int64s=codes,
        default_int64=UNKNOWN,
    )


def _codes_of_integers(
    nodes: Nodes, name: str, values: list[Any], codes: list[int], missing: int
) -> str:
    """Add integers, of float64 so that missing ones can be NaN."""
    keys = [int(value) for value in values]
    if max(map(abs, keys), default=0) > _EXACT:
        column = nodes.input(name, "INT64", 1)
        return looked_up(nodes, column, keys, codes, UNKNOWN)
    column = nodes.input(name, "DOUBLE", 1)
    absent = nodes.add("IsNaN", column)
    zero = nodes.constant([0.0], np.float64)
    limit = [nodes.constant(v, np.float64) for v in (-_EXACT - 1, _EXACT + 1)]
    present = nodes.add("Clip", nodes.add("Where", absent, zero, column), *limit)
    whole = nodes.cast(present, "INT64")
    same = nodes.add("Equal", nodes.cast(whole, "DOUBLE"), present)
    found = looked_up(nodes, whole, keys, codes, UNKNOWN)
    unknown = nodes.constant([UNKNOWN], np.int64)
    found = nodes.add("Where", same, found, unknown)
    return nodes.add("Where", absent, nodes.constant([missing], np.int64), found)


def _codes_of_floats(
    nodes: Nodes, name: str, vocabulary: Vocabulary, codes: list[int], missing: int
) -> str:
    """Add floats, compared with all categories at the width they have."""
    column = nodes.input(name, "DOUBLE", 1)
    absent = nodes.add("IsNaN", column)
    kind, dtype = ("FLOAT", np.float32)
    if vocabulary.reading.width is None:
        kind, dtype = ("DOUBLE", np.float64)
    keys = nodes.constant(np.array([vocabulary.categories], dtype=dtype))
    same = nodes.add("Equal", nodes.cast(column, kind), keys)  # (n, n_categories)
    numbers = nodes.constant(np.array(codes, dtype=np.int64).reshape(-1, 1))
    found = nodes.add("MatMul", nodes.cast(same, "INT64"), numbers)
    return nodes.add("Where", absent, nodes.constant([missing], np.int64), found)
