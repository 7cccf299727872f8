"""Pictures in ImageClassifier and ImageRegressor: inputs, training, tools, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skdl import FineTuning, ImageClassifier, ImageRegressor, NeuralClassifier


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    images = (data.images * 15).astype(np.uint8)
    return images[:600], data.target[:600]


@pytest.fixture(scope="module")
def folder(digits, tmp_path_factory):
    root = tmp_path_factory.mktemp("digits")
    paths = [root / f"{i}.png" for i in range(120)]
    for path, image in zip(paths, digits[0], strict=False):
        Image.fromarray(image).save(path)
    return pd.DataFrame({"path": [str(p) for p in paths]}), digits[1][:120]


@pytest.fixture
def model():
    return ImageClassifier(max_epochs=8, random_state=0)


def same_weights(a, b):
    return all(
        (p == q).all()
        for p, q in zip(
            a.network_.state_dict().values(),
            b.network_.state_dict().values(),
            strict=True,
        )
    )


def test_digits_are_learned(model, digits):
    X, y = digits
    model.set_params(max_epochs=20).fit(X[:500], y[:500])
    assert model.score(X[500:], y[500:]) > 0.9


@pytest.mark.kernels
@pytest.mark.usefixtures("on_cpu")
def test_every_layout_gives_the_same_network(model, digits):
    X, y = digits
    model.set_params(max_epochs=1)
    plain = clone(model).fit(X, y)
    for same in (X.reshape(len(X), -1), X[..., None], X[:, None]):
        assert same_weights(plain, clone(model).fit(same, y))
    images = [Image.fromarray(x) for x in X]
    assert same_weights(plain, clone(model).fit(images, y))
    np.testing.assert_array_equal(plain.predict(images), plain.predict(X))


@pytest.mark.usefixtures("on_cpu")
def test_paths_give_the_network_of_the_arrays(model, digits, folder):
    paths, y = folder
    model.set_params(max_epochs=2)
    plain = clone(model).fit(digits[0][:120], y)
    for X in (paths, paths["path"], paths["path"].tolist(), paths.to_numpy()):
        assert same_weights(plain, clone(model).fit(X, y))


@pytest.mark.usefixtures("on_cpu")
def test_more_files_than_memory_are_read_in_every_epoch(model, digits, folder):
    paths, y = folder
    model.set_params(max_epochs=2)
    kept = clone(model).fit(paths, y)
    streamed = clone(model).set_params(memory_limit=0).fit(paths, y)
    assert same_weights(kept, streamed)
    np.testing.assert_array_equal(kept.predict(paths), streamed.predict(paths))


@pytest.mark.kernels
@pytest.mark.usefixtures("on_cpu")
def test_same_random_state_same_weights_and_pickles(model, digits):
    X, y = digits
    model.set_params(max_epochs=2, augmentation={"shift": 0.1, "mixup": 0.4})
    first, second = clone(model).fit(X, y), clone(model).fit(X, y)
    assert same_weights(first, second)
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(loaded.predict_proba(X), first.predict_proba(X))


def test_searches_pipelines_and_validation(model, folder):
    paths, y = folder
    model.set_params(max_epochs=1)
    search = GridSearchCV(model, {"augmentation": [None, "auto"]}, cv=2)
    search.fit(paths, y)
    assert search.best_estimator_.feature_names_in_.tolist() == ["path"]
    assert len(cross_val_score(model, paths, y, cv=2)) == 2
    pipeline = make_pipeline(FunctionTransformer(), model)
    assert pipeline.fit(paths, y).predict(paths).shape == (120,)
    stopped = clone(model).set_params(early_stopping=True, max_epochs=2)
    assert "validation_score" in stopped.fit(paths, y).history_


def test_regression_on_pictures(digits):
    X, _ = digits
    y = X.mean((1, 2)) / 10.0
    model = ImageRegressor(max_epochs=10, augmentation={"mixup": 0.2}, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.8


def test_averaged_views_are_another_prediction(model, digits):
    X, y = digits
    model.set_params(max_epochs=2).fit(X, y)
    plain = model.predict_proba(X)
    averaged = model.set_params(test_time_augmentation=True).predict_proba(X)
    np.testing.assert_allclose(averaged.sum(1), 1, rtol=1e-5)
    assert not np.allclose(plain, averaged)


def test_activation_maps_lie_over_the_pictures(model, digits):
    X, y = digits
    model.set_params(max_epochs=2).fit(X, y)
    maps = model.activation_maps(X[:5])
    assert maps.shape == (5, 8, 8)
    assert 0 <= maps.min() <= maps.max() <= 1
    assert model.activation_maps(X[:5], outputs=[0] * 5).shape == (5, 8, 8)
    assert model.to_pictures(X[:5]).shape == (5, 8, 8, 1)


def small_network(n_channels, n_outputs, body=None):
    body = body or nn.Sequential(
        nn.Conv2d(n_channels, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
    )
    top = nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, n_outputs)
    )
    return nn.Sequential(body, top)


class Transferred:
    """Puts a trained body under a new last layer."""

    def __init__(self, body):
        self.body = body

    def __call__(self, n_channels, n_outputs):
        return small_network(n_channels, n_outputs, pickle.loads(self.body))


def test_trained_layers_help_other_classes(digits):
    X, y = digits
    options = {"max_epochs": 10, "random_state": 0}
    old = ImageClassifier(network=small_network, **options)
    old.fit(X[y < 5], y[y < 5])
    network = Transferred(pickle.dumps(old.network_.body[0]))
    X, y = X[y >= 5], y[y >= 5]
    few, rest = slice(0, 30), slice(30, None)
    options |= {"max_epochs": 12, "batch_size": 10}
    options["fine_tuning"] = FineTuning(freeze="0")
    trained, untrained = (
        ImageClassifier(network=n, **options).fit(X[few], y[few])
        for n in (network, small_network)
    )
    assert trained.score(X[rest], y[rest]) > untrained.score(X[rest], y[rest]) + 0.2


@pytest.mark.parametrize("thaw", [None, 1, "gradual"])
def test_frozen_layers_stay_as_they_are(digits, thaw):
    X, y = digits
    old = ImageClassifier(network=small_network, max_epochs=1, random_state=0)
    old.fit(X, y)
    body = old.network_.body[0]
    model = ImageClassifier(
        network=Transferred(pickle.dumps(body)),
        fine_tuning=FineTuning(freeze=["0"], thaw=thaw),
        max_epochs=6,
        random_state=0,
    ).fit(X, y)
    same = [
        bool((a == b).all())
        for a, b in zip(
            body.state_dict().values(),
            model.network_.body[0].state_dict().values(),
            strict=True,
        )
    ]
    assert all(same) if thaw is None else not any(same[:2])
    assert all(p.requires_grad for p in model.network_.parameters())


# Bad input.


def test_dense_networks_refuse_pictures_with_advice(digits):
    with pytest.raises(ValueError, match="ImageClassifier"):
        NeuralClassifier().fit(*digits)


def test_a_wrong_channel_count_is_refused(model, digits):
    X, y = digits
    model.set_params(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"3 channel\(s\), but .* 1 channel\(s\)"):
        model.predict(np.stack([X] * 3, axis=-1))
    with pytest.raises(ValueError, match="pictures of 4 x 4"):
        model.predict(X[:, :4, :4])


def test_a_folder_is_answered_with_how_to_list_its_files(model, tmp_path):
    for X in (tmp_path, str(tmp_path)):
        with pytest.raises(TypeError, match=r"X is the folder .*glob\('\*/\*.png'\)"):
            model.fit(X, [0, 1])


@pytest.mark.usefixtures("on_cpu")
def test_unreadable_files_are_named_or_left_out(model, folder, tmp_path):
    paths, y = folder
    bad = tmp_path / "broken.png"
    bad.write_bytes(b"\x89PNG broken")
    X = pd.DataFrame({"path": [*paths["path"][:60], str(bad)]})
    model.set_params(max_epochs=1)
    with pytest.raises(ValueError, match=r"broken.png' cannot be read"):
        model.fit(X, y[:61])
    assert not hasattr(model, "network_")
    model.set_params(on_unreadable="skip")
    with pytest.warns(UserWarning, match=r"1 of 61 pictures cannot .*broken.png"):
        model.fit(X, y[:61])
    expected = clone(model).set_params(on_unreadable="error").fit(X[:60], y[:60])
    np.testing.assert_allclose(
        expected.predict_proba(X[:60]), model.predict_proba(X[:60]), rtol=1e-3
    )
    streamed = clone(model).set_params(memory_limit=0)
    with pytest.warns(UserWarning, match="1 of 61 pictures"):
        streamed.fit(X, y[:61])
    assert same_weights(streamed, model)
    with pytest.raises(ValueError, match="broken.png"):
        model.predict(X)


def test_mixed_sizes_need_a_target(model):
    images = [Image.new("L", (8 + i % 2, 8)) for i in range(20)]
    with pytest.raises(ValueError, match=r"Give image_shape"):
        model.fit(images, np.arange(20) % 2)
    model.set_params(image_shape=(10, 10), max_epochs=1)
    model.fit(images, np.arange(20) % 2)
    arrays = [np.asarray(image) for image in images]
    assert (model.predict(arrays) == model.predict(images)).all()


def test_floats_in_other_units_are_warned_of(model, digits):
    X, y = digits
    model.set_params(max_epochs=1).fit(X / 255, y)
    with pytest.warns(UserWarning, match="same units"):
        model.predict(X.astype(float))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (9, 9)}, "does not match"),
        ({"augmentation": {"shfit": 0.1}}, r"augmentation has no \['shfit'\]"),
        ({"augmentation": {"shift": 2}}, "must be a number between 0 and 1"),
        ({"fine_tuning": FineTuning(freeze="layer7")}, r"freeze names \['layer7'\]"),
        ({"network": "conv"}, "leave network out"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_wrong_settings_are_refused(model, digits, options, message):
    with pytest.raises(ValueError, match=message):
        model.set_params(**options).fit(*digits)


def test_items_that_are_no_pictures_are_refused(model, folder):
    paths, y = folder
    X = [*paths["path"][:5], None]
    with pytest.raises(ValueError, match="neither paths nor images"):
        model.fit(X, y[:6])
