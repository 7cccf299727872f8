"""Data sets: clear errors where a file is missing, and a table that can be learned."""

import importlib
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

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


@pytest.mark.parametrize(
    "loader", [*sorted(FILES), "load_ptb", "load_wikitext2", "load_movie_reviews"]
)
def test_a_missing_file_has_an_address_and_something_that_does_instead(
    loader, tmp_path, monkeypatch
):
    monkeypatch.setenv("SKDL_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="https://") as caught:
        getattr(datasets, loader)()
    module, name = re.search(r"([\w.]+)\.(\w+) makes do", str(caught.value)).groups()
    assert callable(getattr(importlib.import_module(module), name))


def test_import_skdl_brings_the_datasets_and_no_package_for_them():
    code = """
import sys
import skdl
assert len(skdl.datasets.make_store_sales(10, random_state=0).data) == 10
loaded = {"matplotlib", "pyarrow.parquet", "PIL"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_no_input_is_left_out_of_the_data(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setenv("SKDL_DATA", str(tmp_path))
    people = {"age": [30, 40], "income": ["<=50K", ">50K"], "split": ["train", "test"]}
    pd.DataFrame(people).to_parquet(tmp_path / "adult.parquet")
    adult = datasets.load_adult()
    assert adult.data.columns.tolist() == ["age"]
    assert adult.target.tolist() == people["income"]
    assert adult.split.tolist() == people["split"]
    X, y = datasets.load_adult(return_X_y=True)
    assert X.equals(adult.data)
    assert y.equals(adult.target)


def test_taxis_know_when_they_came_and_nothing_of_the_bill(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setenv("SKDL_DATA", str(tmp_path))
    ride = {"pickup": "2019-03-23 20:21:09", "dropoff": "2019-03-23 20:27:24"}
    bill = {"fare": 7.0, "tip": 2.15, "tolls": 0.0, "total": 12.95}
    frame = pd.DataFrame([{**ride, "distance": 1.6, **bill}])
    frame.to_parquet(tmp_path / "taxis.parquet")
    X, y = datasets.load_taxis(return_X_y=True)
    expected = {"distance": 1.6, "weekday": "Saturday", "hour": 20}
    assert X.to_dict("records") == [expected]
    assert y.tolist() == [7.0]


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


def test_generated_reviews_follow_the_seed_and_can_be_told_apart():
    texts, labels = datasets.make_reviews(600, random_state=0, return_X_y=True)
    assert texts.equals(datasets.make_reviews(600, random_state=0).data)
    assert not texts.equals(datasets.make_reviews(600, random_state=1).data)
    assert set(labels) == {"neg", "pos"}
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    score = model.fit(texts[:400], labels[:400]).score(texts[400:], labels[400:])
    assert 0.8 < score < 1


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
