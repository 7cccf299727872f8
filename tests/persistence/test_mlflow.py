"""MLflow's defaults: a model is stored by skops, which asks for types to trust."""

import pytest

import skdl
from tests.persistence.models import X

mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
pytestmark = pytest.mark.filterwarnings("default")


def test_log_model_stores_and_loads_with_the_published_types(
    dense, tmp_path, monkeypatch
):
    pytest.importorskip("mlflow.sklearn")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    logged = mlflow.sklearn.log_model(
        dense, name="model", skops_trusted_types=list(skdl.TRUSTED_TYPES)
    )
    loaded = mlflow.sklearn.load_model(logged.model_uri)
    assert (loaded.predict_proba(X) == dense.predict_proba(X)).all()
    served = mlflow.pyfunc.load_model(logged.model_uri)
    assert (served.predict(X) == dense.predict(X)).all()
