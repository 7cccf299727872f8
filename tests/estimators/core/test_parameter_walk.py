"""Every parameter of every estimator, with values that are wrong or strange."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    FineTuning,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
)

RNG = np.random.default_rng(0)
ROWS = 24
LABELS, TARGETS = np.arange(ROWS) % 2, RNG.normal(size=ROWS)
NUMBERS = RNG.normal(size=(ROWS, 3))
TABLE = pd.DataFrame({"a": list("xyz") * 8, "b": list("pq") * 12, "n": TARGETS})
PICTURES = RNG.random((ROWS, 8, 8)).astype(np.float32)
TEXTS = ["a b c", "b c a"] * 8
SMALL = {"hidden_layer_sizes": (4,), "max_epochs": 1, "random_state": 0}
SHORT = {"max_epochs": 1, "random_state": 0}
TINY = {"hidden_size": 8, "embedding_dim": 8, "batch_size": 2, "bptt": 5, **SHORT}

# Of each estimator: what makes it small, and what it is fitted on.
CASES = {
    NeuralClassifier: (SMALL, (NUMBERS, LABELS)),
    NeuralRegressor: (SMALL, (NUMBERS, TARGETS)),
    EntityEmbeddingClassifier: (SMALL, (TABLE, LABELS)),
    EntityEmbeddingRegressor: (SMALL, (TABLE, TARGETS)),
    ImageClassifier: (SHORT, (PICTURES, LABELS)),
    ImageRegressor: (SHORT, (PICTURES, TARGETS)),
    TextLM: ({**TINY, "num_layers": 1}, (TEXTS,)),
    EmbeddingTransformer: (
        {
            "estimator": EntityEmbeddingRegressor(**SMALL),
            "drop_harmful": False,
        },
        (TABLE, TARGETS),
    ),
}


def fails(*args, **options):
    raise RuntimeError("boom")


def returns_text(*args, **options):
    return "nonsense"


def takes_nothing():
    return 1


NASTY = [
    None,
    "nonsense",
    -1,
    float("nan"),
    float("inf"),
    10**30,
    1e-320,
    2.7,
    True,
    [],
    {},
    object(),
    "mps",
    "xpu",
    "meta",
    fails,
    returns_text,
    takes_nothing,
    int,
    {"a": 2.7},
    {"zz": 2},
    {0: float("nan")},
    {0: "much"},
    {0: -1.0},
    {"shift": -1},
    {"shift": "far"},
    {"mixup": float("inf")},
    {"input": "much"},
    ["nonsense"],
    ("a", 2),
    [object()],
    [[None]],
    [0.9, float("nan")],
    (0.9, "much"),
    {1, 2},
    np.zeros((2, 2)),
]
WALK = [(kind, name) for kind in CASES for name in kind().get_params(deep=False)]


def equal(before, after):
    return before.keys() == after.keys() and all(
        before[name] is after[name] for name in before
    )


def refused_by_name_or_fitted(model, data, name, value):
    before, refusal = dict(vars(model)), None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(*data)
        except (TypeError, ValueError) as error:
            refusal = str(error)
    if refusal is None:
        assert hasattr(model, "n_iter_") or hasattr(model, "estimator_")
    else:
        assert name in refusal, f"{name}={value!r}: {refusal}"
        assert equal(before, vars(model)), f"{name}={value!r} left something"


@pytest.mark.parametrize(
    ("kind", "name"), WALK, ids=[f"{kind.__name__}-{name}" for kind, name in WALK]
)
def test_a_strange_value_is_taken_or_refused_by_name_before_anything_is_learned(
    kind, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # "nonsense" is a path, too
    small, data = CASES[kind]
    for value in NASTY:
        refused_by_name_or_fitted(kind(**{**small, name: value}), data, name, value)


@pytest.mark.parametrize("name", FineTuning().get_params())
@pytest.mark.parametrize("kind", [NeuralClassifier, ImageRegressor, TextLM])
def test_strange_values_inside_fine_tuning_are_named_too(kind, name):
    small, data = CASES[kind]
    for value in NASTY:
        model = kind(**small, fine_tuning=FineTuning(**{name: value}))
        refused_by_name_or_fitted(model, data, name, value)


class Half(BaseEstimator):
    """An estimator whose fit leaves something behind when it fails."""

    def fit(self):
        self.half_ = 1
        raise ValueError("half")


def test_what_is_half_fitted_is_seen():
    model = Half()
    before = dict(vars(model))
    with pytest.raises(ValueError, match="half"):
        model.fit()
    assert not equal(before, vars(model))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "mps"}, "'cpu' and 'cuda' only"),
        ({"lr": 1e30}, "'lr' parameter"),
        ({"betas": (0.9, "much")}, "betas must be two numbers"),
        ({"schedule": fails}, "schedule must be a function.*boom"),
        ({"schedule": returns_text}, "schedule must return the factor"),
        ({"schedule": lambda progress: -1}, "schedule must return the factor"),
        ({"optimizer": fails}, "optimizer must be.*boom"),
        ({"optimizer": returns_text}, "optimizer must build.*str"),
        ({"network": fails}, r"network fails when it is called as fails\(3, 2\).*boom"),
        ({"network": int}, r"network fails when it is called as int\(3, 2\)"),
        ({"network": takes_nothing}, "cannot be called with two sizes"),
    ],
)
def test_one_error_says_what_is_wrong_with_a_value(changes, message):
    model = NeuralClassifier(**{**SMALL, **changes})
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(NUMBERS, LABELS)


def test_a_schedule_that_turns_wrong_in_the_middle_is_named():
    def schedule(progress):
        return float("nan") if 0.6 < progress < 0.9 else 1.0

    model = NeuralRegressor(**{**SMALL, "max_epochs": 20}, schedule=schedule)
    with pytest.raises(ValueError, match="schedule must return .* at progress 0.6"):
        model.fit(NUMBERS, TARGETS)
    assert not hasattr(model, "network_")


@pytest.mark.parametrize("dim", [2.7, "many", 0, True, lambda n: 2.7, fails])
def test_entries_of_embedding_dim_are_named_with_their_column(dim):
    model = EntityEmbeddingClassifier(**SMALL, embedding_dim={"a": dim})
    with pytest.raises(ValueError, match="embedding_dim for column 'a'"):
        model.fit(TABLE, LABELS)


@pytest.mark.parametrize("analyzer", [fails, lambda text: [1, 2], lambda text: None])
def test_an_analyzer_that_makes_no_tokens_is_named(analyzer):
    with pytest.raises(ValueError, match="analyzer must"):
        TextLM(**TINY, analyzer=analyzer).fit(TEXTS)
