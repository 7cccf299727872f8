"""Data sets of the benchmarks and examples, and generated sales and reviews.

The loaders read files that you have put into a folder; they download nothing. The
folder is the environment variable `SKDL_DATA`, else `../shared/data` beside a checkout.
Where a file is missing they raise a FileNotFoundError that names it, says where it is
to be had, and which generator does in its place.

Loaders of one table return a Bunch as scikit-learn's do, with `data`, `target` and
`DESCR`, most with the whole `frame`; with ``return_X_y=True`` the tuple
``(data, target)``. Loaders of text for language models return its parts.
"""

from skdl.datasets._files import data_home
from skdl.datasets.tables import (
    load_adult,
    load_california_housing,
    load_letter,
    load_mnist_10k,
    load_rossmann,
    load_taxis,
    make_store_sales,
)
from skdl.datasets.text import (
    load_movie_reviews,
    load_ptb,
    load_wikitext2,
    make_reviews,
    read_lines,
)

__all__ = [
    "data_home",
    "load_adult",
    "load_california_housing",
    "load_letter",
    "load_mnist_10k",
    "load_movie_reviews",
    "load_ptb",
    "load_rossmann",
    "load_taxis",
    "load_wikitext2",
    "make_reviews",
    "make_store_sales",
    "read_lines",
]
