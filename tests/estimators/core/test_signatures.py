"""Signatures: their order and size, names from elsewhere, and what editors read."""

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skdl
from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    FineTuning,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextClassifier,
    TextLM,
    TextRegressor,
)

MOST = {
    NeuralClassifier: 30,
    NeuralRegressor: 30,
    EntityEmbeddingClassifier: 36,
    EntityEmbeddingRegressor: 36,
    ImageClassifier: 34,
    ImageRegressor: 34,
    TextLM: 40,
    TextClassifier: 30,
    TextRegressor: 29,
}
ROOT = Path(skdl.__file__).parents[1]


@pytest.mark.parametrize("kind", MOST)
def test_signatures_read_in_the_order_of_use_and_stay_short(kind):
    names = list(inspect.signature(kind).parameters)
    assert len(names) <= MOST[kind]
    order = ["dropout", "max_epochs", "lr", "early_stopping", "device", "verbose"]
    assert [name for name in names if name in order] == order
    assert names.index("random_state") > names.index("optimizer")


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        (NeuralClassifier, "learning_rate", "that is lr"),
        (NeuralRegressor, "epochs", "that is max_epochs"),
        (NeuralRegressor, "validation_fraction", "that is validation"),
        (TextLM, "epochs", "that is max_epochs"),
        (NeuralClassifier, "hidden_layers", "that is hidden_layer_sizes"),
        (NeuralClassifier, "hiden_layer_sizes", "that is hidden_layer_sizes"),
        (EntityEmbeddingClassifier, "eval_set", "X_val and y_val, which fit takes"),
        (EntityEmbeddingRegressor, "cat_features", "that is categorical_features"),
        (NeuralClassifier, "cat_features", "it knows activation, batch_norm"),
        (ImageClassifier, "freeze", r"fine_tuning=FineTuning\(freeze="),
        (TextLM, "hidden_layers", "it knows activation_penalty"),
    ],
)
def test_foreign_and_misspelt_names_are_answered(kind, name, answer):
    with pytest.raises(TypeError, match=f"{kind.__name__} has no .*{name!r}.*{answer}"):
        kind(**{name: 1})
    with pytest.raises(
        ValueError, match=f"{kind.__name__} has no .*{name!r}.*{answer}"
    ):
        kind().set_params(**{name: 1})


@pytest.mark.parametrize("name", ["eval_set", "validation_data"])
def test_names_that_fit_does_not_take_are_answered(name, blobs):
    with pytest.raises(TypeError, match=f"fit has no .*{name!r}.*X_val and y_val"):
        NeuralClassifier().fit(*blobs, **{name: blobs})
    with pytest.raises(TypeError, match=f"fit has no .*{name!r}"):
        TextLM().fit(["a b"], **{name: ["a b"]})


def test_searches_and_clones_see_through_fine_tuning(blobs):
    model = NeuralClassifier(fine_tuning=FineTuning(freeze="0"), max_epochs=1)
    grid = {"fine_tuning__thaw": [None, 1]}
    search = GridSearchCV(model, grid, cv=2).fit(*blobs)
    assert set(search.best_params_) == {"fine_tuning__thaw"}
    copied = clone(model.set_params(fine_tuning__layer_lr_decay=0.5))
    assert copied.fine_tuning.layer_lr_decay == 0.5
    assert copied.fine_tuning is not model.fine_tuning


# What static readers see.


def load_docstrings():
    path = ROOT / "docs" / "docstrings.py"
    spec = importlib.util.spec_from_file_location("docstrings", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", MOST)
def test_the_source_holds_the_shared_descriptions(kind):
    expected = load_docstrings().expected_docstring(kind)
    assert inspect.cleandoc(kind.__doc__) == expected, "run python docs/docstrings.py"
    assert "{" not in inspect.signature(kind).__str__()
    source = Path(inspect.getsourcefile(kind)).read_text(encoding="utf-8")
    assert "lr : float" in source


def test_a_description_that_was_changed_is_seen(monkeypatch):
    tool = load_docstrings()
    base = next(b for b in TextLM.__mro__ if b.__name__ == "TrainingParameters")
    changed = base.__doc__.replace("Learning rate, where", "Rate, where")
    monkeypatch.setattr(base, "__doc__", changed)
    assert inspect.cleandoc(TextLM.__doc__) != tool.expected_docstring(TextLM)


SCRIPT = """
from skdl import NeuralClassifier, TextLM

model = NeuralClassifier(hidden_layer_sizes=(8,), lr="auto", max_epochs=3)
reveal_type(model.max_epochs)
NeuralClassifier(max_epochs="three")
TextLM(hidden_size=3).fit(["a"]).perplexity(["a"])
"""

# What these signatures do not need, and takes twice the time to read.
UNREAD = "matplotlib.*,numpy.*,pandas.*,pyarrow.*,scipy.*,sklearn.*,torch.*"


@pytest.mark.skipif(
    importlib.util.find_spec("mypy") is None, reason="mypy is not installed"
)
def test_mypy_sees_real_signatures_in_a_users_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\n[mypy-{UNREAD}]\nfollow_imports = skip\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(config)]
    command += ["--no-incremental"]
    command += ["--ignore-missing-imports", "--follow-imports=silent", str(script)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False
    )
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert 'Revealed type is "' in lines[0], done.stdout
    assert "int" in lines[0]
    assert 'Argument "max_epochs" to "NeuralClassifier"' in lines[1]
    assert len(lines) == 3, done.stdout
