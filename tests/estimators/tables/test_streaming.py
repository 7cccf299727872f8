"""Rows that are read piece by piece: what is learned is what all rows teach at once."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralRegressor,
    PackedSearchCV,
    predict_to_parquet,
)
from skdl.data import open_rows, row_sources, streamed

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
ds = pytest.importorskip("pyarrow.dataset")

N = 600
MODEL = EntityEmbeddingRegressor(
    hidden_layer_sizes=(8,), max_epochs=2, batch_size=64, random_state=0
)


def make_frame():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        {
            "shop": rng.choice(list("abcdefgh"), N),
            "open": rng.rand(N) > 0.3,
            "price": rng.randn(N),
            "stock": pd.array(rng.randint(0, 9, N), dtype="Int64"),
        }
    )
    frame.loc[::7, "price"] = np.nan
    frame.loc[:40, "shop"] = None
    frame.loc[::9, "stock"] = pd.NA
    frame["sales"] = frame["price"].fillna(0) + frame["open"]
    frame["weight"] = rng.randint(0, 3, N).astype(float)
    return frame


FRAME = make_frame()
X, Y = FRAME[["shop", "open", "price", "stock"]], FRAME["sales"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sales")
    for i in range(3):
        part = FRAME.iloc[200 * i : 200 * (i + 1)].drop(columns="weight")
        part.to_parquet(path / f"{i}.parquet", row_group_size=70, index=False)
    part.iloc[:0].to_parquet(path / "3.parquet", index=False)  # no rows
    return path


@pytest.fixture(scope="module")
def in_memory():
    return clone(MODEL).fit(X, Y)


class Frames:
    """Gives frames each time it is iterated."""

    def __iter__(self):
        return iter([FRAME.iloc[:100], FRAME.iloc[:0], FRAME.iloc[100:]])


@pytest.mark.parametrize(
    "given",
    [
        lambda folder: folder,
        lambda folder: str(folder),
        lambda folder: sorted(folder.glob("*.parquet")),
        lambda folder: ds.dataset(folder),
    ],
    ids=["path", "text", "list of files", "dataset"],
)
def test_files_teach_what_the_same_rows_in_memory_teach(given, folder, in_memory):
    model = clone(MODEL).fit(given(folder), "sales")
    assert (model.predict(X) == in_memory.predict(X)).all()
    assert model.feature_names_in_.tolist() == list(X)
    pd.testing.assert_frame_equal(
        model.history_.drop(columns="seconds"),
        in_memory.history_.drop(columns="seconds"),
    )
    pd.testing.assert_frame_equal(
        model.embeddings_["shop"], in_memory.embeddings_["shop"]
    )
    with pytest.raises(TypeError, match="predict_to_parquet"):
        model.predict(given(folder))


def test_frames_teach_what_the_same_rows_in_memory_teach():
    model = clone(MODEL).fit(Frames(), "sales", "weight")
    other = clone(MODEL).fit(X, Y, FRAME["weight"])
    assert (model.predict(X) == other.predict(X)).all()
    turned = X.iloc[300:, ::-1]
    listed = clone(MODEL).fit([X.iloc[:300], turned], Y, FRAME["weight"])
    assert (listed.predict(X) == other.predict(X)).all()


def test_frames_are_not_read_more_often_than_is_needed():
    class Counted(Frames):
        times = 0

        def __iter__(self):
            self.times += 1
            return super().__iter__()

    frames = Counted()
    clone(MODEL).fit(frames, "sales", "weight")
    # To count rows, for two columns, the first rows, scales, an epoch's block, a trial.
    assert frames.times <= 7


class Relation:
    """Has, as a relation of DuckDB, the attributes of a table, but is none."""

    __module__ = "duckdb"
    columns, shape, dtypes = [*X, "sales"], (N, 5), []

    def __arrow_c_stream__(self, requested_schema=None):
        return ARROW.__arrow_c_stream__(requested_schema)


def lazy(folder):
    polars = pytest.importorskip("polars")
    return polars.scan_parquet(folder / "[012].parquet").select([*X, "sales"])


def of_duckdb(folder):
    sql = pytest.importorskip("duckdb").sql
    return sql(f"select * from '{folder}/*.parquet'")


ARROW = pa.Table.from_pandas(FRAME.drop(columns="weight"))


@pytest.mark.parametrize(
    "given",
    [
        lambda folder: Relation(),
        of_duckdb,
        lazy,
        lambda folder: lambda: (f.drop(columns="weight") for f in Frames()),
        lambda folder: ds.dataset(folder).filter(ds.field("sales") > -99),
        lambda folder: ds.dataset(folder).scanner(batch_size=50),
    ],
    ids=["stream", "duckdb", "polars", "function", "filter", "scanner"],
)
def test_queries_and_functions_are_run_anew_for_each_pass(given, folder, in_memory):
    query = given(folder)
    model = clone(MODEL).fit(query, "sales")
    assert (model.predict(X) == in_memory.predict(X)).all()
    with pytest.raises(TypeError, match="predict_to_parquet"):
        model.predict(query)


def test_a_memory_map_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(open_rows, "_LARGE", 100)
    monkeypatch.setattr(row_sources, "ROWS_AT_A_TIME", 128)
    values = np.random.RandomState(0).randn(N, 3)
    np.save(tmp_path / "x.npy", values)
    model = NeuralRegressor(hidden_layer_sizes=(4,), max_epochs=1, random_state=0)
    mapped = clone(model).fit(np.load(tmp_path / "x.npy", mmap_mode="r"), Y)
    assert (mapped.predict(values) == model.fit(values, Y).predict(values)).all()


def test_rows_of_many_blocks_are_each_seen_once_an_epoch(folder, monkeypatch):
    monkeypatch.setattr(streamed, "BLOCK_ROWS", 150)
    seen = []

    def convert(frame):
        return frame["price"].fillna(0).to_numpy()

    def encode(values):
        return (torch.from_numpy(np.array(values)).unsqueeze(1),)

    source = open_rows.row_source(folder)
    table = streamed.StreamedTable(source, convert, 4)
    target = torch.arange(N)
    batches = streamed.BlockBatches(
        table, encode, target, None, batch_size=64, device=torch.device("cpu")
    )
    price = torch.from_numpy(FRAME["price"].fillna(0).to_numpy(copy=True))
    for _ in range(2):
        found = list(batches)
        assert len(found) == len(batches) == 10
        order = torch.cat([t for _, t, _ in found])
        assert order.sort().values.equal(target)
        assert torch.cat([x for (x,), _, _ in found])[:, 0].equal(price[order])
        seen.append(order)
    assert not seen[0].equal(seen[1])


def test_a_share_of_rows_is_held_out_and_files_may_be_too(
    folder, monkeypatch, tmp_path
):
    monkeypatch.setattr(streamed, "BLOCK_ROWS", 150)
    model = clone(MODEL).set_params(validation=0.25).fit(folder, "sales")
    assert model.history_["validation_loss"].notna().all()
    files = sorted(folder.glob("*.parquet"))
    more = tmp_path / "more.parquet"  # columns that are not learned from do not matter
    pd.read_parquet(files[2]).assign(day="Monday").to_parquet(more)
    model = clone(MODEL).fit(files[:2], "sales", X_val=more, y_val="sales")
    other = clone(MODEL).fit(X[:400], Y[:400], X_val=X[400:], y_val=Y[400:])
    np.testing.assert_allclose(
        model.history_["validation_loss"], other.history_["validation_loss"], rtol=0.5
    )


def test_predictions_are_written_as_they_are_made(folder, in_memory, tmp_path):
    path = predict_to_parquet(in_memory, folder, tmp_path / "found.parquet")
    found = pd.read_parquet(path)["prediction"]
    np.testing.assert_allclose(found, in_memory.predict(X), rtol=1e-6)
    model = EntityEmbeddingClassifier(
        hidden_layer_sizes=(4,), max_epochs=1, random_state=0
    ).fit(X, FRAME["open"].map({True: "yes", False: "no"}))
    predict_to_parquet(model, folder, path, method="predict_proba")
    found = pd.read_parquet(path)
    assert list(found) == ["predict_proba_no", "predict_proba_yes"]
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["found.parquet"]
    with pytest.raises(ValueError, match="method must be one of"):
        predict_to_parquet(model, folder, path, method="fit")


# What is wrong with files.


def altered(folder, tmp_path, change):
    """Return a copy of the files whose second one is changed."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    change(pd.read_parquet(folder / "1.parquet")).to_parquet(
        tmp_path / "1.parquet", index=False
    )
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="price"), r"1.parquet lacks the columns \['price'\]"),
        (lambda f: f.assign(more=1), r"1.parquet has \['more'\] besides"),
        (lambda f: f.assign(price=f["price"].astype(str)), "'price' is .*string in"),
    ],
    ids=["absent", "added", "other type"],
)
def test_files_with_other_columns_are_refused_by_name(
    change, message, folder, tmp_path
):
    model = clone(MODEL)
    with pytest.raises(ValueError, match=message):
        model.fit(altered(folder, tmp_path, change), "sales")
    assert not hasattr(model, "network_")


def test_texts_are_the_same_categories_however_files_hold_them(
    folder, tmp_path, in_memory
):
    def as_view(table):
        views = table["shop"].cast(pa.string_view())
        return table.set_column(table.column_names.index("shop"), "shop", views)

    # No row says of what types these columns are.
    empty = pd.DataFrame(dict.fromkeys([*X, "sales"], np.empty(0)))
    empty.to_parquet(tmp_path / "a.parquet", index=False)
    for i in range(3):
        frame = pd.read_parquet(folder / f"{i}.parquet")
        if i < 2:  # with other levels in each
            frame = frame.assign(shop=frame["shop"].astype("category"))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table if i < 2 else as_view(table), tmp_path / f"{i}.parquet")
    model = clone(MODEL).fit(tmp_path, "sales")
    assert (model.predict(X) == in_memory.predict(X)).all()


def test_a_file_that_vanishes_ends_the_fit_and_leaves_the_estimator(
    folder, tmp_path, in_memory, monkeypatch
):
    monkeypatch.setattr(streamed, "BLOCK_ROWS", 150)
    files = altered(folder, tmp_path, lambda f: f)
    model = clone(in_memory)
    model.fit(X, Y)

    order = streamed.BlockBatches._order

    def vanish(batches):
        (files / "2.parquet").unlink(missing_ok=True)
        return order(batches)

    monkeypatch.setattr(streamed.BlockBatches, "_order", vanish)
    with pytest.raises(FileNotFoundError, match=r"2.parquet was there and is gone"):
        model.fit(files, "sales")
    assert (model.predict(X) == in_memory.predict(X)).all()


def test_an_iterator_is_refused_since_it_cannot_begin_again():
    with pytest.raises(TypeError, match="gives its rows once"):
        clone(MODEL).fit(iter([FRAME]), "sales")


def test_an_open_file_is_refused_since_its_path_can_be_read_anew(folder, in_memory):
    file = pq.ParquetFile(folder / "0.parquet")
    with pytest.raises(TypeError, match="ParquetFile: give the path"):
        clone(MODEL).fit(file, "sales")
    with pytest.raises(TypeError, match="predict_to_parquet"):
        in_memory.predict(file)
    transformer = EmbeddingTransformer(MODEL)
    with pytest.raises(TypeError, match="takes a table of rows here"):
        transformer.fit(folder, Y)


@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_targets_in_parts_are_to_be_joined(name):
    rows, parts = [FRAME, FRAME], [FRAME["sales"], FRAME["sales"]]
    with pytest.raises(ValueError, match=rf"{name} must.*2 parts: join them"):
        clone(MODEL).fit(rows, **{"y": "sales", name: parts})


PARTS = [FRAME.iloc[:300], FRAME.iloc[300:]]


@pytest.mark.parametrize(
    "times",
    [
        [PARTS, PARTS[:1]],
        [PARTS[:1], PARTS],
        [PARTS, PARTS[::-1]],
        [[FRAME], [FRAME.sample(frac=1, random_state=0)]],
        [PARTS, [PARTS[0], PARTS[1].rename(columns={"price": "cost"})]],
    ],
    ids=["less", "more", "other order of frames", "shuffled", "other columns"],
)
def test_frames_that_are_others_the_second_time_are_refused(times):
    given = iter(times)
    with pytest.raises(ValueError, match="did not give the same rows again.*sort"):
        clone(MODEL).fit(lambda: next(given), "sales")


@pytest.mark.parametrize(
    ("options", "fit", "message"),
    [
        ({"random_effects": ["shop"]}, {}, "random_effects cannot be learned"),
        ({}, {"y": "sale"}, "There is no column 'sale'"),
        ({}, {"y": ["sales", "sale"]}, "There is no column 'sale'"),
        ({}, {"y": [1.0, 2.0]}, "X has 600 rows, but y has 2"),
        ({}, {"y": None}, "y to be passed"),
        ({}, {"sample_weight": "shop"}, "sample_weight must hold a number"),
        ({}, {"y": np.where(Y > 2, np.nan, Y)}, "y has .* missing entries"),
    ],
    ids=[
        "random effects",
        "no column",
        "names",
        "too few targets",
        "none",
        "weights",
        "missing",
    ],
)
def test_what_cannot_be_done_piece_by_piece_is_said(options, fit, message, folder):
    with pytest.raises(ValueError, match=message):
        clone(MODEL).set_params(**options).fit(folder, **{"y": "sales", **fit})


def test_a_pattern_stands_for_the_files_that_it_matches(folder, in_memory):
    model = clone(MODEL).fit(f"{folder}/*.parquet", "sales")
    assert (model.predict(X) == in_memory.predict(X)).all()
    with pytest.raises(FileNotFoundError, match="other"):
        clone(MODEL).fit(f"{folder}/other*.parquet", "sales")


def test_labels_that_are_missing_are_told_by_their_row(tmp_path):
    labels = FRAME.assign(label=FRAME["open"].map({True: "yes", False: None}))
    labels.to_parquet(tmp_path / "labels.parquet", index=False)
    first = int(np.flatnonzero(~FRAME["open"])[0])
    with pytest.raises(ValueError, match=rf"missing entries.*the first in row {first}"):
        EntityEmbeddingClassifier(max_epochs=1).fit(tmp_path, "label")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.mkdir(), "is a directory without files"),
        (
            lambda path: pq.write_table(
                pa.Table.from_arrays([pa.array([1.0])] * 3, ["a", "a", "sales"]), path
            ),
            "cannot be read as Parquet.*duplicate field names",
        ),
        (lambda path: path.write_bytes(b""), "cannot be read as Parquet.*0 bytes"),
    ],
    ids=["empty directory", "a name twice", "empty file"],
)
def test_files_that_hold_no_table_are_refused(write, message, tmp_path):
    write(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=message):
        clone(MODEL).fit(tmp_path / "x.parquet", "sales")


def test_a_search_that_takes_rows_by_position_refuses_files(folder):
    search = PackedSearchCV(MODEL, {"lr": [0.1]}, cv=2)
    with pytest.raises(TypeError, match="takes rows of X by their positions"):
        search.fit(folder, "sales")


def test_warm_start_asks_for_partial_fit(folder):
    model = clone(MODEL).set_params(warm_start=True).fit(folder, "sales")
    with pytest.raises(ValueError, match="give partial_fit one frame after the other"):
        model.fit(folder, "sales")


def test_folders_that_are_named_by_a_value_are_a_column(tmp_path):
    known = FRAME.dropna(subset=["shop"])
    X, y = known[["price", "open", "shop"]], known["sales"]
    known[["price", "sales", "open", "shop"]].to_parquet(
        tmp_path / "by_shop", partition_cols=["shop"], index=False
    )
    model = clone(MODEL).fit(tmp_path / "by_shop", "sales")
    assert set(model.feature_names_in_) == {"price", "open", "shop"}
    # A model that was fitted in memory finds the column where it stands last.
    model = clone(MODEL).fit(X[["shop", "price", "open"]], y)
    out = predict_to_parquet(model, tmp_path / "by_shop", tmp_path / "said.parquet")
    expected = model.predict(
        X.sort_values("shop", kind="stable")[model.feature_names_in_]
    )
    np.testing.assert_allclose(pd.read_parquet(out)["prediction"], expected, rtol=1e-5)


def test_models_that_do_not_answer_row_by_row_are_refused(tmp_path):
    texts = ["good film", "bad film"] * 10
    frame = pd.DataFrame({"text": texts})
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    words.fit(texts, [1, 0] * 10)
    with pytest.raises(ValueError, match="one row for each row"):
        predict_to_parquet(words, frame, tmp_path / "said.parquet")
    labels = np.c_[[0, 1] * 10, [1, 0] * 10]
    forest = RandomForestClassifier(2).fit(pd.DataFrame({"x": range(20)}), labels)
    with pytest.raises(ValueError, match="one row for each row"):
        predict_to_parquet(
            forest,
            pd.DataFrame({"x": range(20)}),
            tmp_path / "said.parquet",
            method="predict_proba",
        )
    assert not list(tmp_path.iterdir())


def test_the_first_file_does_not_decide_what_type_a_column_is(tmp_path):
    first, second = FRAME.iloc[:300], FRAME.iloc[300:]
    parts = [
        first.assign(price=None, stock=1),
        second.assign(stock=second["stock"].astype(float) + 0.5),
    ]
    folder = tmp_path / "parts"
    folder.mkdir()
    for i, part in enumerate(parts):
        part.drop(columns="weight").to_parquet(folder / f"{i}.parquet", index=False)
    model = clone(MODEL).fit(folder, "sales")
    whole = pd.concat([p.astype({"price": float, "stock": float}) for p in parts])
    expected = clone(MODEL).fit(whole[list(X)], whole["sales"])
    np.testing.assert_allclose(
        model.predict(whole[list(X)]), expected.predict(whole[list(X)]), rtol=1e-5
    )
