"""What a notebook shows of a table's estimator, and what a wrong category is told."""

from functools import partial
from pathlib import Path

import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import make_pipeline

import skdl
from skdl import EmbeddingTransformer, EntityEmbeddingRegressor, FineTuning
from skdl.datasets import make_store_sales
from skdl.estimators.core import documentation_link


@pytest.fixture(scope="module")
def fitted():
    X, y = make_store_sales(300, n_stores=5, random_state=0, return_X_y=True)
    model = EntityEmbeddingRegressor(
        categorical_features=["Store"],
        random_effects=["State", ("Year", "Month")],
        dropout=0.3,
        max_epochs=1,
        random_state=0,
    )
    model.set_params(categorical_features=["Store", "Year", "Month"])
    return model.fit(X, y), X, y


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("999", r"is not a category of 'Store', which has \[1, 2, 3, 4, 5\]"),
        ("55", r"close to it are \[5\]"),
    ],
)
def test_a_wrong_category_is_answered_with_those_that_may_be_meant(fitted, name, hint):
    with pytest.raises(ValueError, match=hint):
        fitted[0].nearest("Store", name)


def test_close_names_are_found_in_any_case():
    X, y = make_store_sales(300, n_stores=5, random_state=0, return_X_y=True)
    model = EntityEmbeddingRegressor(max_epochs=1).fit(X, y)
    state = X["State"].iloc[0]
    with pytest.raises(ValueError, match=rf"close to it are \['{state}'"):
        model.nearest("State", state.lower())


def test_the_html_of_an_estimator_has_what_was_changed_first_and_no_box_of_names(
    fitted,
):
    model, X, y = fitted
    shown = model._repr_html_()
    places = [shown.index(f">{name}") for name in ("dropout", "random_effects")]
    assert max(places) < shown.index(">hidden_layer_sizes")
    assert 'class="features fitted"' not in shown
    assert len(model.get_feature_names_out()) > 0  # it is still there
    transformer = EmbeddingTransformer(model, drop_harmful=False).fit(X, y)
    assert 'class="features fitted"' in transformer._repr_html_()


ESTIMATORS = [name for name in skdl.__all__ if hasattr(getattr(skdl, name), "fit")]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_question_mark_of_a_diagram_leads_to_the_page_of_the_class(
    name, monkeypatch
):
    kind = getattr(skdl, name)
    if issubclass(kind, BaseSearchCV):
        kind = partial(kind, skdl.NeuralClassifier(), {"lr": [0.01]})
    page = f"https://skdl.example/api/skdl.{name}.html"
    monkeypatch.setenv("SKDL_DOCS", "https://skdl.example/")
    assert f'href="{page}"' in kind()._repr_html_()
    assert f'href="{page}"' in make_pipeline(kind())._repr_html_()
    assert name in (Path(__file__).parents[3] / "docs" / "api.rst").read_text()


def test_where_there_is_no_site_a_diagram_has_no_link(monkeypatch):
    monkeypatch.delenv("SKDL_DOCS", raising=False)
    monkeypatch.setattr(documentation_link, "_published", lambda: "")
    assert "sk-estimator-doc-link" in make_pipeline(PCA())._repr_html_()
    assert 'rel="noreferrer"' not in EmbeddingTransformer()._repr_html_()

    class Mine(EmbeddingTransformer):
        pass

    Mine.__module__ = "mine"
    monkeypatch.setenv("SKDL_DOCS", "https://skdl.example")
    assert "skdl.example" not in Mine()._repr_html_()


def test_a_notebook_shows_what_has_no_fit():
    found = FineTuning(freeze="body")._repr_mimebundle_()
    assert found["text/html"] == "<pre>FineTuning(freeze=&#x27;body&#x27;)</pre>"
