"""Models under onnxruntime: the same answers, or a refusal that says why."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skdl
from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
)
from tests.persistence.models import LABELS, LM, ONE_EPOCH, PACK, PICTURES, SMALL, TEXTS
from tests.persistence.models import X as NUMBERS

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:.*are unknown:UserWarning")
_rng = np.random.RandomState(1)
N = len(NUMBERS)
TABLE = pd.DataFrame(
    {
        "town": _rng.choice(["Ulm", "Köln", "Bonn"], N),
        "code": _rng.choice([1, 2, 30], N),
        "rate": _rng.choice([0.1, 0.25, 1.5], N),
        "open": _rng.choice([True, False], N),
        "size": NUMBERS[:, 0],
        "age": NUMBERS[:, 1],
    }
)
TABLE["town"] = TABLE["town"].where(np.arange(N) % 9 > 0, None)
TABLE["code"] = TABLE["code"].where(np.arange(N) % 7 > 0)  # float64 with NaN
CATEGORIES = ["town", "code", "rate", "open"]
DRIFTED = TABLE.assign(
    town=pd.Series(np.where(np.arange(N) % 2, "Rom", "Ulm")).where(
        np.arange(N) % 5 > 0
    ),
    code=np.where(np.arange(N) % 3, 77.0, 1.5),
    rate=np.where(np.arange(N) % 2, 9.75, np.nan),
    age=np.nan,
)


def session_of(model, X, tmp_path):
    skdl.to_onnx(model, X, tmp_path / "m.onnx")
    return onnxruntime.InferenceSession(tmp_path / "m.onnx")


def answers(model, session, X):
    """Return what the file says of rows."""
    names = [output.name for output in session.get_outputs()]
    found = session.run(names, skdl.onnx_inputs(model, session, X))
    return dict(zip(names, found, strict=True))


def check(model, X, tmp_path, *more):
    session = session_of(model, X, tmp_path)
    for rows in (X, X[:1], *more):
        found = answers(model, session, rows)
        if "label" in found:
            expected = model.predict_proba(rows)
            np.testing.assert_allclose(found["probabilities"], expected, atol=1e-4)
            assert (found["label"] == model.predict(rows)).all()
        else:
            expected = model.predict(rows)
            most = 1e-4 * np.abs(expected).max()
            np.testing.assert_allclose(found["prediction"], expected, rtol=0, atol=most)
    return session


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (NeuralClassifier(**SMALL), LABELS),
        (NeuralClassifier(**SMALL, n_estimators=2, batch_norm=True), LABELS == "yes"),
        (NeuralClassifier(**SMALL), np.c_[LABELS == "yes", NUMBERS[:, 2] > 0] * 1),
        (NeuralClassifier(**PACK), LABELS),
        (NeuralRegressor(**SMALL), NUMBERS[:, 0] * 1e3),
        (NeuralRegressor(**SMALL, loss="poisson"), np.abs(NUMBERS[:, 0])),
        (NeuralRegressor(**PACK), NUMBERS[:, [0, 2]]),
        (NeuralRegressor(**SMALL, scale_inputs=False), NUMBERS[:, 0]),
        (
            NeuralRegressor(**SMALL, loss="quantile", quantile=[0.1, 0.5, 0.9]),
            NUMBERS[:, 0] * 1e3,
        ),
    ],
    ids=[
        *("labels", "several", "multilabel", "pack", "units", "poisson"),
        *("two-targets-pack", "unscaled", "quantiles"),
    ],
)
def test_networks_on_numbers_with_missing_ones(model, y, tmp_path):
    model.fit(NUMBERS, y)
    some = np.where(_rng.uniform(size=NUMBERS.shape) < 0.3, np.nan, NUMBERS * 100)
    check(model, NUMBERS, tmp_path, some)


def test_columns_with_names_are_inputs(tmp_path):
    frame = pd.DataFrame(NUMBERS, columns=["a", "b", "c", "d"])
    model = NeuralClassifier(**SMALL).fit(frame, LABELS)
    session = check(model, frame, tmp_path)
    assert [i.name for i in session.get_inputs()] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "model",
    [
        EntityEmbeddingClassifier(**SMALL),
        EntityEmbeddingClassifier(**PACK),
        EntityEmbeddingRegressor(**SMALL, random_effects=[("town", "code")]),
        EntityEmbeddingRegressor(**SMALL, n_estimators=2),
    ],
    ids=["one", "pack", "random-effects", "several"],
)
def test_tables_with_categories_of_every_kind(model, tmp_path):
    model.set_params(categorical_features=CATEGORIES)
    y = LABELS if isinstance(model, EntityEmbeddingClassifier) else NUMBERS[:, 0]
    session = check(model.fit(TABLE, y), TABLE, tmp_path, DRIFTED)
    assert {i.name: i.type for i in session.get_inputs()} == {
        "town": "tensor(string)",
        **dict.fromkeys(["code", "rate", "open", "size", "age"], "tensor(double)"),
    }


def test_a_table_of_categories_alone_without_names(tmp_path):
    X = TABLE[["town"]].to_numpy()
    model = EntityEmbeddingClassifier(**SMALL).fit(X, LABELS)
    session = check(model, X, tmp_path)
    assert [i.name for i in session.get_inputs()] == ["x0"]


def test_large_integers_keep_all_their_digits(tmp_path):
    frame = pd.DataFrame({"id": 2**60 + np.arange(N) % 4})
    model = EntityEmbeddingClassifier(**SMALL, categorical_features=["id"])
    session = check(model.fit(frame, np.arange(N) % 4), frame, tmp_path)
    assert session.get_inputs()[0].type == "tensor(int64)"


def test_large_integers_that_are_missing_are_refused(tmp_path):
    frame = pd.DataFrame({"id": pd.array(2**60 + np.arange(N) % 4, dtype="Int64")})
    frame.loc[3, "id"] = pd.NA
    model = EntityEmbeddingRegressor(**SMALL, categorical_features=["id"])
    with pytest.raises(ValueError, match="Column 'id' has missing values.*int64"):
        skdl.to_onnx(model.fit(frame, NUMBERS[:, 0]), frame, tmp_path / "m.onnx")


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_pictures(kind, tmp_path):
    pictures = PICTURES.astype(kind)
    y = np.arange(len(pictures)) % 2
    check(ImageClassifier(**ONE_EPOCH).fit(pictures, y), pictures, tmp_path)
    check(ImageRegressor(**ONE_EPOCH).fit(pictures, y * 1.5), pictures, tmp_path)


def test_a_pipeline_goes_through_skl2onnx(tmp_path):
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    model = make_pipeline(StandardScaler(), NeuralClassifier(**SMALL))
    x = np.nan_to_num(NUMBERS)
    check(model.fit(x, LABELS), x, tmp_path)
    frame = TABLE[["town", "size"]].fillna({"town": "nowhere"})
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["town"]),
        (StandardScaler(), ["size"]),
    )
    model = make_pipeline(columns, NeuralRegressor(**SMALL))
    check(model.fit(frame, NUMBERS[:, 0]), frame, tmp_path)


@pytest.mark.parametrize(
    ("model", "X", "y", "what"),
    [
        (
            make_pipeline(
                EmbeddingTransformer(EntityEmbeddingRegressor(**SMALL)),
                NeuralRegressor(**SMALL),
            ),
            TABLE[["town", "size"]],
            NUMBERS[:, 0],
            "Step 'embeddingtransformer'.*no converter",
        ),
        (
            EntityEmbeddingRegressor(**SMALL, max_categories=4),
            pd.DataFrame({"id": [f"{i}" for i in range(N)]}),
            NUMBERS[:, 0],
            "'id' has more categories than max_categories",
        ),
        (
            EntityEmbeddingRegressor(**SMALL),
            pd.DataFrame({"raw": [b"a", b"b"] * (N // 2)}),
            NUMBERS[:, 0],
            "'raw' holds categories of type.*bytes",
        ),
    ],
    ids=["step", "hashed", "bytes"],
)
def test_what_onnx_cannot_say_is_refused_by_name(model, X, y, what, tmp_path):
    model.fit(X, y)
    with pytest.raises(ValueError, match=what):
        skdl.to_onnx(model, X, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_onnxruntime_cannot_run_is_named(tmp_path):
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    model = make_pipeline(SimpleImputer(), StandardScaler(), NeuralRegressor(**SMALL))
    model.fit(NUMBERS, NUMBERS[:, 0])
    with pytest.raises(ValueError, match=r"Step 'simpleimputer' \(SimpleImputer\) bec"):
        skdl.to_onnx(model, NUMBERS, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_text_model_is_refused(tmp_path):
    with pytest.raises(TypeError, match="TextLM"):
        skdl.to_onnx(TextLM(**LM).fit(TEXTS), TEXTS, tmp_path / "m.onnx")


def test_a_file_that_says_something_else_is_not_written(tmp_path, monkeypatch):
    model = NeuralClassifier(**SMALL).fit(NUMBERS, LABELS)
    right = model.predict_proba(NUMBERS)
    monkeypatch.setattr(model, "predict_proba", lambda X: right + 2e-4)
    with pytest.raises(ValueError, match="differs from the model by 0.0002"):
        skdl.to_onnx(model, NUMBERS, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
