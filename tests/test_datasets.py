"""Data sets: clear errors where a file is missing, and a table that can be learned."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from skdl import datasets

COLUMNS = ["Store", "DayOfWeek", "Promo", "Year", "Month", "Day", "State"]
FILES = {
    "load_rossmann": ("rossmann.parquet", (844_338, 7)),
    "load_adult": ("adult.parquet", (48_842, 14)),
    "load_california_housing": ("california_housing.parquet", (20_640, 9)),
    "load_letter": ("letter.parquet", (20_000, 16)),
    "load_taxis": ("taxis.parquet", (6_433, 10)),
    "load_mnist_10k": ("mnist_10k.npz", (10_000, 784)),
}


@pytest.mark.parametrize("loader", sorted(FILES))
def test_a_missing_file_is_named_with_what_to_do(loader, tmp_path, monkeypatch):
    monkeypatch.setenv("SKDL_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="SKDL_DATA") as caught:
        getattr(datasets, loader)()
    assert FILES[loader][0] in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.data
@pytest.mark.parametrize("loader", sorted(FILES))
def test_loaders_return_data_and_target(loader):
    name, shape = FILES[loader]
    if not (datasets.data_home() / name).is_file():
        pytest.skip(f"{name} is not in {datasets.data_home()}; set SKDL_DATA")
    X, y = getattr(datasets, loader)(return_X_y=True)
    assert X.shape == shape
    assert len(y) == len(X)
    bunch = getattr(datasets, loader)()
    assert bunch.data.shape == shape
    assert "split" not in getattr(bunch.data, "columns", [])


def test_store_sales_have_the_columns_of_rossmann_and_come_oldest_first():
    X, y = datasets.make_store_sales(3000, random_state=0, return_X_y=True)
    assert X.columns.tolist() == COLUMNS
    assert y.name == "Sales"
    assert (y > 0).all()
    dates = X["Year"] * 10_000 + X["Month"] * 100 + X["Day"]
    assert dates.is_monotonic_increasing
    assert X["DayOfWeek"].between(1, 7).all()


def test_store_sales_follow_the_seed():
    first, second, other = (
        datasets.make_store_sales(500, random_state=seed).frame for seed in (0, 0, 1)
    )
    assert first.equals(second)
    assert not first.equals(other)


def test_store_sales_leave_numpys_global_state_alone():
    before = np.random.get_state()[1].copy()
    datasets.make_store_sales(100)
    assert (np.random.get_state()[1] == before).all()


def test_store_sales_can_be_learned():
    X, y = datasets.make_store_sales(8000, n_stores=20, random_state=0, return_X_y=True)
    X = X.drop(columns="State")
    model = HistGradientBoostingRegressor(random_state=0)
    model.fit(X[:6000], np.log(y[:6000]))
    assert model.score(X[6000:], np.log(y[6000:])) > 0.8
