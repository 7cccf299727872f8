"""A search over parameters whose candidates and folds are trained as one network."""

from skdl.packed_search.search import PackedSearchCV

__all__ = ["PackedSearchCV"]
