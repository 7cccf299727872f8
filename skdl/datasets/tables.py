"""Loaders of tables and pictures, and a generated table of store sales."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skdl.datasets._files import Origin, as_asked, find_file, fresh_generator

_STATES = ["BE", "BW", "BY", "HB,NI", "HE", "HH", "NW", "RP", "SH", "SN", "ST", "TH"]


class _Stored(NamedTuple):
    """What is to be known of a stored table: its source, and which columns are what."""

    description: str
    address: str
    target: str
    stand_in: str
    no_inputs: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin:
        """Where it is to be had."""
        form = f"the table with the target as column {self.target!r}"
        return Origin(self.description, self.address, form, self.stand_in)


# By the name of the file, a Parquet table.
_STORED = {
    "rossmann": _Stored(
        "Kaggle, Rossmann Store Sales",
        "https://www.kaggle.com/competitions/rossmann-store-sales, the states at "
        "https://github.com/entron/entity-embedding-rossmann",
        "Sales",
        "skdl.datasets.make_store_sales",
    ),
    "adult": _Stored(
        "UCI, Adult",
        "https://archive.ics.uci.edu/dataset/2/adult",
        "income",
        "skdl.datasets.make_store_sales",
        no_inputs=("split",),
    ),
    "california_housing": _Stored(
        "StatLib, California housing in Geron's edition",
        "https://github.com/ageron/handson-ml2, datasets/housing",
        "median_house_value",
        "sklearn.datasets.make_friedman1",
    ),
    "letter": _Stored(
        "UCI, Letter Recognition",
        "https://archive.ics.uci.edu/dataset/59/letter+recognition",
        "lettr",
        "sklearn.datasets.load_digits",
    ),
    "taxis": _Stored(
        "NYC TLC sample, seaborn-data",
        "https://github.com/mwaskom/seaborn-data, taxis.csv",
        "fare",
        "skdl.datasets.make_store_sales",
        no_inputs=("pickup", "dropoff", "tip", "tolls", "total"),
    ),
}
_MNIST = Origin(
    "MNIST, test part",
    "https://github.com/cvdfoundation/mnist, t10k",
    "the arrays images, (10000, 28, 28) uint8, and labels",
    "sklearn.datasets.load_digits",
)


def _load_table(name: str) -> Bunch:
    stored = _STORED[name]
    frame = pd.read_parquet(find_file(f"{name}.parquet", stored.origin))
    return Bunch(
        data=frame.drop(columns=[stored.target, *stored.no_inputs]),
        target=frame[stored.target],
        frame=frame,
        DESCR=stored.description,
    )


def load_rossmann(*, return_X_y: bool = False) -> Any:
    """Load 844,338 days of store sales, the oldest first.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `data` with Store, DayOfWeek, Promo, Year, Month, Day and State, `target` the
        Sales; days without sales are left out.

    References
    ----------
    Kaggle, Rossmann Store Sales; features as in Guo & Berkhahn 2016, arXiv 1604.06737.

    Examples
    --------
    >>> from skdl.datasets import load_rossmann
    >>> X, y = load_rossmann(return_X_y=True)  # doctest: +SKIP
    """
    return as_asked(_load_table("rossmann"), return_X_y)


def load_adult(*, return_X_y: bool = False) -> Any:
    """Load 48,842 people of whom to tell whether they earn more than 50,000 dollars.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `data` with 14 features (missing values are NaN), `target` "<=50K" or ">50K";
        the Bunch also has `split`, "train" or "test" by row.

    Examples
    --------
    >>> from skdl.datasets import load_adult
    >>> adult = load_adult()  # doctest: +SKIP
    >>> train = adult.split == "train"  # doctest: +SKIP
    """
    adult = _load_table("adult")
    adult.split = adult.frame["split"]
    return as_asked(adult, return_X_y)


def load_california_housing(*, return_X_y: bool = False) -> Any:
    """Load 20,640 districts with their median house value in dollars.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `data` with 8 numbers (207 missing in total_bedrooms) and ocean_proximity.

    Examples
    --------
    >>> from skdl.datasets import load_california_housing
    >>> X, y = load_california_housing(return_X_y=True)  # doctest: +SKIP
    """
    return as_asked(_load_table("california_housing"), return_X_y)


def load_letter(*, return_X_y: bool = False) -> Any:
    """Load 20,000 printed letters as 16 integers each.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `target` is one of 26 letters.

    Examples
    --------
    >>> from skdl.datasets import load_letter
    >>> X, y = load_letter(return_X_y=True)  # doctest: +SKIP
    """
    return as_asked(_load_table("letter"), return_X_y)


def load_taxis(*, return_X_y: bool = False) -> Any:
    """Load 6,433 taxi rides of which to tell the fare in dollars.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `data` with zones (some missing), boroughs, distance, passengers, payment,
        color, and weekday and hour of the pickup; `target` the fare. Times, and what is
        only known with the fare (tip, tolls and total), are left out.

    Examples
    --------
    >>> from skdl.datasets import load_taxis
    >>> X, y = load_taxis(return_X_y=True)  # doctest: +SKIP
    """
    taxis = _load_table("taxis")
    pickup = pd.to_datetime(taxis.frame["pickup"])
    taxis.data = taxis.data.assign(
        weekday=pickup.dt.day_name().to_numpy(), hour=pickup.dt.hour.to_numpy()
    )
    return as_asked(taxis, return_X_y)


def load_mnist_10k(*, return_X_y: bool = False) -> Any:
    """Load 10,000 handwritten digits; train on the first 8,000, test on the others.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `data` (10000, 784) uint8, `target` the digits; the Bunch also has `images`
        (10000, 28, 28).

    Examples
    --------
    >>> from skdl.datasets import load_mnist_10k
    >>> X, y = load_mnist_10k(return_X_y=True)  # doctest: +SKIP
    """
    with np.load(find_file("mnist_10k.npz", _MNIST)) as file:
        images, labels = file["images"], file["labels"]
    data = images.reshape(len(images), -1)
    mnist = Bunch(data=data, target=labels, images=images, DESCR=_MNIST.description)
    return as_asked(mnist, return_X_y)


def make_store_sales(
    n_samples: int = 20_000,
    *,
    n_stores: int = 200,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> Any:
    """Make a table of store sales with the columns of `load_rossmann`.

    Sales are a product of a store's level, its weekday profile, its answer to
    promotions, the season, a trend and noise of about 7%.

    Parameters
    ----------
    n_samples : int, default=20_000
        Rows: one store's sales on one day.
    n_stores : int, default=200
        Stores.
    random_state : int, RandomState instance or None, default=None
        An int makes the same table each time; None takes fresh entropy.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch or tuple
        `data` with Store, DayOfWeek, Promo, Year, Month, Day and State, the oldest
        rows first; `target` the Sales.

    Examples
    --------
    >>> from skdl.datasets import make_store_sales
    >>> X, y = make_store_sales(1000, random_state=0, return_X_y=True)
    >>> X.columns.tolist()
    ['Store', 'DayOfWeek', 'Promo', 'Year', 'Month', 'Day', 'State']
    """
    rng = fresh_generator(random_state)
    store = rng.randint(n_stores, size=n_samples)
    day_number = np.sort(rng.randint(941, size=n_samples))
    days = pd.Timestamp("2013-01-01") + pd.to_timedelta(day_number, unit="D").as_unit(
        "s"
    )
    weekday = days.day_of_week.to_numpy()
    promo = ((day_number // 7) % 2 == 0) & (weekday < 5)

    kind = rng.randint(4, size=n_stores)  # stores of a kind share their profiles
    state = rng.randint(len(_STATES), size=n_stores)
    profile = rng.normal(0, 0.2, size=(4, 7))
    uplift = rng.uniform(0.1, 0.5, size=4)
    log_sales = (
        8.6
        + rng.normal(0, 0.35, size=n_stores)[store]
        + rng.normal(0, 0.1, size=len(_STATES))[state[store]]
        + profile[kind[store], weekday]
        + uplift[kind[store]] * promo
        + 0.25 * np.exp(-0.5 * ((days.day_of_year.to_numpy() - 352) / 9) ** 2)
        + 0.08 * np.sin(2 * np.pi * days.day_of_year.to_numpy() / 365)
        + 0.05 * day_number / 365
        + rng.normal(0, 0.07, size=n_samples)
    )
    frame = pd.DataFrame(
        {
            "Store": store + 1,
            "DayOfWeek": weekday + 1,
            "Promo": promo.astype(int),
            "Year": days.year,
            "Month": days.month,
            "Day": days.day,
            "State": np.array(_STATES)[state[store]],
            "Sales": np.exp(log_sales).round().astype(int),
        }
    )
    data = frame.drop(columns="Sales")
    sales = Bunch(data=data, target=frame["Sales"], frame=frame, DESCR="generated")
    return as_asked(sales, return_X_y)
