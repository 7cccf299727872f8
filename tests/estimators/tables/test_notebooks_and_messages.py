"""What a notebook shows of a table's estimator, and what a wrong category is told."""

import pytest

from skdl import EmbeddingTransformer, EntityEmbeddingRegressor
from skdl.datasets import make_store_sales


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
