"""The example of a service: batches of requests, each with its own answer."""

import asyncio
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from skdl import EntityEmbeddingRegressor, NeuralClassifier
from tests.persistence.models import FRAME, LABELS, SMALL, X

PATH = Path(__file__).parents[1] / "examples" / "serving.py"


@pytest.fixture(scope="module")
def serving():
    spec = importlib.util.spec_from_file_location("serving", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(serving, app, contents):
    async def all_at_once():
        bodies = [
            c if isinstance(c, bytes) else json.dumps(c).encode() for c in contents
        ]
        return await asyncio.gather(
            *(serving.ask(app, "/predict", body) for body in bodies)
        )

    return asyncio.run(all_at_once())


def test_requests_at_once_are_one_batch_and_get_their_own_answers(serving):
    x = X[:, [0, 2, 3]]
    model = NeuralClassifier(**SMALL).fit(x, LABELS)
    app = serving.App(model)
    calls = []
    predict = app.batcher.predict
    app.batcher.predict = lambda rows: calls.append(len(rows)) or predict(rows)
    found = asked(serving, app, [{"rows": x[i : i + 2].tolist()} for i in range(20)])
    assert [status for status, _ in found] == [200] * 20
    expected = model.predict_proba(x)
    for i, (_, content) in enumerate(found):
        np.testing.assert_allclose(content["predictions"], expected[i : i + 2])
    assert len(calls) < 20
    assert sum(calls) == 40


def test_tables_are_objects_and_a_bad_request_is_not_the_others_fault(serving):
    model = EntityEmbeddingRegressor(**SMALL).fit(FRAME, X[:, 0])
    app = serving.App(model)
    row = {"town": "Ulm", "code": 2, "size": 0.5}
    bad = [{"rows": [{**row, "size": "large"}]}, b"no JSON", {"rows": [[1]]}, {"a": 1}]
    (good, *rest) = asked(serving, app, [{"rows": [row]}, *bad])
    assert good[0] == 200
    assert np.isfinite(good[1]["predictions"]).all()
    assert [status for status, _ in rest] == [422] * 4


def test_health_and_other_paths(serving):
    app = serving.App(NeuralClassifier(**SMALL).fit(X, LABELS))
    assert asyncio.run(serving.ask(app, "/health"))[0] == 200
    assert asyncio.run(serving.ask(app, "/etc/passwd"))[0] == 404
