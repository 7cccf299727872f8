"""How a fitted estimator treats each column of a table."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from skdl.data.binned import BinnedTableEncoder
from skdl.data.categories import FIRST, UNKNOWN
from skdl.data.table import TableEncoder
from skdl.estimators.tables.frames import Schema
from skdl.estimators.tables.members import embedded_numbers, embeddings_of

NUMBER, CATEGORY = "number", "category"


def column_table(schema: Schema, encoder: TableEncoder, network: nn.Module) -> Any:
    """Return one row a column, in the order of the table.

    Parameters
    ----------
    schema : Schema
        Tells numbers from categories.
    encoder : TableEncoder
        Fitted.
    network : nn.Module
        Takes what the encoder makes.

    Returns
    -------
    DataFrame
        Indexed by the columns' names: `kind`, "category" or "number"; `categories`,
        how many are known, and where they have vectors how many have one of their own,
        also of numbers whose integers name things;
        `bins` of a number, 0 where there are none; `entries` of the vectors that a
        value has, 0 where it has none; `missing`, whether training rows had missing
        values.
    """
    rows: list[Any] = [None] * len(schema.categorical)
    for j, row in zip(
        np.flatnonzero(schema.categorical), _categories(encoder, network), strict=True
    ):
        rows[j] = row
    for j, row in zip(
        np.flatnonzero(~schema.categorical),
        _numbers(encoder, network, int((~schema.categorical).sum())),
        strict=True,
    ):
        rows[j] = row
    heads = ["kind", "categories", "bins", "entries", "missing"]
    index = pd.Index(schema.names, name="column", tupleize_cols=False)
    return pd.DataFrame(rows, columns=heads, index=index)


def _categories(encoder: TableEncoder, network: nn.Module) -> list[tuple]:
    if not encoder.vocabularies:
        return []
    embeddings = embeddings_of(network)
    dims, parts = embeddings[0].dims, [e.parts() for e in embeddings]
    found = []
    for number in encoder.vocabulary_of_column:
        vocabulary, dim = encoder.vocabularies[number], dims[number]
        known = len(vocabulary.categories)
        if dim:
            own = _have_their_own(torch.stack([part[number] for part in parts]))
            known = int(own[FIRST : FIRST + known].sum())
        found.append((CATEGORY, known, 0, dim, vocabulary.knows_missing))
    return found


def _have_their_own(vectors: torch.Tensor) -> torch.Tensor:
    """Tell which vectors (M, n, dim) any member has in place of the unknown one."""
    unknown = vectors[:, UNKNOWN : UNKNOWN + 1]
    return (vectors != unknown).any(2).any(0)


def _numbers(encoder: TableEncoder, network: nn.Module, n_numbers: int) -> list[tuple]:
    known, bins, entries = np.zeros((3, n_numbers), dtype=int)
    if isinstance(encoder, BinnedTableEncoder):
        bins[encoder.bins.columns] = encoder.n_bins
        known[encoder.integers.columns] = [len(v) for v in encoder.integers.values]
    for columns, dim in embedded_numbers(network, encoder):
        entries[columns] += dim
    missing = np.isin(np.arange(n_numbers), encoder.numeric.missing)
    return [
        (NUMBER, int(k), int(b), int(e), bool(m))
        for k, b, e, m in zip(known, bins, entries, missing, strict=True)
    ]
