"""Folds of rows that are read piece by piece: as in memory, or drawn by a hash."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold

from skdl import EntityEmbeddingClassifier, EntityEmbeddingRegressor, NeuralRegressor
from skdl.data import open_rows, row_sources, streamed
from skdl.data.folds import hashed_folds
from skdl.estimators.tables import pack_rows

pytest.importorskip("pyarrow")

N = 600
MODEL = EntityEmbeddingRegressor(
    hidden_layer_sizes=(8,), batch_size=64, numeric_embedding=None, random_state=0
)

LONGER = clone(MODEL).set_params(validation=4, max_epochs=30)


def make_frame():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame({"shop": rng.choice(list("abcdefgh"), N)})
    frame["price"], frame["noise"] = rng.randn(2, N)
    frame.loc[::7, "price"] = np.nan
    frame["sales"] = frame["price"].fillna(0) + (frame["shop"] == "a")
    frame["weight"] = rng.randint(0, 3, N).astype(float)
    return frame


FRAME = make_frame()
COLUMNS = ["shop", "price", "noise"]
X, Y = FRAME[COLUMNS], FRAME["sales"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sales")
    for i in range(3):
        part = FRAME.iloc[200 * i : 200 * (i + 1)]
        part.to_parquet(path / f"{i}.parquet", row_group_size=70, index=False)
    return path


@pytest.fixture
def in_blocks(monkeypatch):
    """Let memory hold 150 rows, and a look be at some hundred of them."""
    monkeypatch.setattr(streamed, "BLOCK_ROWS", 150)
    monkeypatch.setattr(pack_rows, "_LOOK_ROWS", 300)


def files(folder):
    return sorted(folder.glob("*.parquet"))


def test_one_block_teaches_what_the_same_rows_in_memory_teach(folder):
    model = clone(MODEL).set_params(
        numeric_embedding="auto", validation=4, max_epochs=6
    )
    streams = [pd.read_parquet(f)[COLUMNS] for f in files(folder)]
    found = clone(model).fit(streams, Y, FRAME["weight"])
    expected = clone(model).fit(X, Y, FRAME["weight"])
    assert (found.predict(X) == expected.predict(X)).all()
    np.testing.assert_array_equal(found.oof_prediction_, expected.oof_prediction_)
    np.testing.assert_array_equal(
        found.feature_importances_, expected.feature_importances_
    )
    assert found.oof_score_ == expected.oof_score_


@pytest.fixture(scope="module")
def of_blocks(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "BLOCK_ROWS", 150)
        patch.setattr(pack_rows, "_LOOK_ROWS", 300)
        data = [pd.read_parquet(f).drop(columns="weight") for f in files(folder)]
        return clone(LONGER).fit(data, "sales")


def test_more_rows_than_memory_are_all_predicted_out_of_fold(of_blocks):
    in_memory = clone(LONGER).fit(X, Y)
    assert of_blocks.oof_prediction_.shape == (N,)
    assert not np.isnan(of_blocks.oof_prediction_).any()
    residual = ((of_blocks.oof_prediction_ - Y) ** 2).mean()
    assert of_blocks.oof_score_ == pytest.approx(1 - residual / Y.var(ddof=0), rel=1e-4)
    assert abs(of_blocks.oof_score_ - in_memory.oof_score_) < 0.05
    assert of_blocks.oof_score_ < of_blocks.score(X, Y)
    lower, upper = of_blocks.predict_interval(X[:50], coverage=0.8).T
    assert (lower < upper).all()
    worth = dict(zip(COLUMNS, of_blocks.feature_importances_, strict=True))
    assert worth["price"] > worth["noise"]


def test_every_network_is_blind_to_its_fold_of_a_stream(folder, in_blocks):
    seen = []

    class Watched(streamed.BlindBatches):
        def __iter__(self):
            for inputs, target, weight in super().__iter__():
                seen.append((target, weight))
                yield inputs, target, weight

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_rows, "BlindBatches", Watched)
        model = clone(MODEL).set_params(validation=3, max_epochs=1)
        model.fit(folder, "sales", "weight")
    weights = np.concatenate([w.cpu() for _, w in seen])
    assert weights.shape[1] == 3
    assert ((weights == 0).sum(axis=1) == 1).all()  # blind is one of the three
    assert weights.mean(axis=0) == pytest.approx(1, rel=0.3)
    assert np.isnan(model.oof_prediction_).sum() == (FRAME["weight"] == 0).sum()


def test_groups_are_held_out_together_by_the_name_of_a_column(folder, in_blocks):
    model = clone(MODEL).set_params(validation=4, max_epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        folds = []
        patch.setattr(
            "skdl.estimators.tables.validation.hashed_folds",
            lambda *given: folds.append(hashed_folds(*given)) or folds[-1],
        )
        model.fit(folder, "sales", groups="shop")
    of_shop = pd.Series(folds[0].numbers).groupby(FRAME["shop"].to_numpy()).nunique()
    assert (of_shop == 1).all()


def test_classes_and_the_last_rows_go_too(folder, in_blocks):
    model = EntityEmbeddingClassifier(
        hidden_layer_sizes=(4,), validation="last", max_epochs=2, random_state=0
    )
    labels = np.where(Y > 0.3, "much", "little")
    model.fit(files(folder), labels)
    assert np.isnan(model.oof_prediction_[: N * 4 // 5]).all()
    assert not np.isnan(model.oof_prediction_[N * 4 // 5 :]).any()
    assert model.temperature_ > 0


def test_a_memory_map_has_folds(tmp_path, in_blocks, monkeypatch):
    monkeypatch.setattr(open_rows, "_LARGE", 100)
    monkeypatch.setattr(row_sources, "ROWS_AT_A_TIME", 128)
    np.save(tmp_path / "x.npy", X[["price", "noise"]].to_numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = NeuralRegressor(
        hidden_layer_sizes=(4,), validation=2, max_epochs=6, random_state=0
    )
    assert model.fit(mapped, Y).oof_score_ > 0.3


def test_early_stopping_beside_folds_is_refused_of_streams_as_in_memory(folder):
    model = clone(MODEL).set_params(validation=4, early_stopping=True)
    for data in ((folder, "sales"), (X, Y)):
        with pytest.raises(ValueError, match="early_stopping=True cannot go with"):
            model.fit(*data)


def test_what_needs_all_rows_in_memory_is_said(folder, in_blocks):
    model = clone(MODEL).set_params(validation=KFold(3))
    with pytest.raises(ValueError, match=r"KFold.*needs all rows in memory"):
        model.fit(folder, "sales")


@pytest.mark.parametrize("what", ["sample_weight", "groups"])
def test_a_column_of_a_frame_in_memory_is_not_named(what):
    given = {what: "shop"}
    with pytest.raises(TypeError, match=rf"{what}='shop' names a column.*X\['shop'\]"):
        clone(MODEL).fit(X, Y, **given)


def test_hashed_folds_are_about_equal_and_the_same_for_a_seed():
    found = hashed_folds(10_000, 5, 4, seed=3)
    assert found.shape == (10_000, 5)
    assert (found.numbers == hashed_folds(10_000, 5, 4, seed=3).numbers).all()
    assert np.bincount(found.numbers).min() > 2300
    blind = found[:10]
    assert (blind[:, 0] == blind[:, 4]).all()
    assert (blind[:, :4].sum(axis=1) == 1).all()


def test_few_groups_are_dealt_out_to_the_folds():
    for seed in range(20):
        found = hashed_folds(60, 1, 4, seed, np.arange(60) % 5)
        assert np.bincount(found.numbers).tolist() == [24, 12, 12, 12]
        assert hashed_folds(60, 1, 4, seed, np.arange(60) % 2).shape == (60, 2)
    with pytest.raises(ValueError, match="at least 2 groups"):
        hashed_folds(60, 1, 4, 0, np.zeros(60, dtype=int))
