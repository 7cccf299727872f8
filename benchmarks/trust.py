"""What "trust" promises, each figure beside its bar.

    python benchmarks/trust.py                  # all of it; an hour on two cores
    python benchmarks/trust.py files onnx load  # some parts

Parts: files, inputs, together, memory, onnx, load, sizes, serving, distill. With
``--scale 0.1`` the larger parts do a tenth.
"""

import argparse
import asyncio
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from _common import bar, begin, print_table, ratio, time_in_turn
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdl

SCALE = 1.0
ROOT = Path(__file__).parents[1]
# The tests have the small models and the generators of damage.
sys.path.append(str(ROOT))


def scaled(n: int) -> int:
    return max(1, int(n * SCALE))


# Damaged files, in a process of its own: a crash is its exit code.

FILES = """
import sys, tempfile, warnings
import numpy as np
from pathlib import Path
from tests.properties.files import KINDS

warnings.simplefilter("ignore")
kind, n = sys.argv[1], int(sys.argv[2])
folder = Path(tempfile.mkdtemp())
files, marker = KINDS[kind](folder), folder / "ran"
ran = wrong = undocumented = refused = 0
for seed in range(n):
    forged = files.mutate(np.random.RandomState(seed), marker)
    try:
        found = files.read()
    except Exception as error:
        undocumented += 1
        print(seed, repr(error)[:200], file=sys.stderr)
        continue
    ran += marker.exists()
    refused += found is None
    wrong += found is False and not forged
print(ran, wrong, undocumented, refused)
"""


def files() -> None:
    rows, total = [], np.zeros(4, dtype=int)
    crashes = 0
    for kind, n in {"save": 3000, "checkpoint": 1500, "pictures": 1000}.items():
        n = scaled(n)
        done = subprocess.run(
            [sys.executable, "-c", FILES, kind, str(n)], capture_output=True, text=True
        )
        crashes += done.returncode != 0
        found = np.array(done.stdout.split() or [0] * 4, dtype=int)
        total += found
        rows.append([kind, n, *found.tolist(), done.returncode])
        sys.stderr.write(done.stderr[-2000:])
    head = ["damaged files", "n", "executions", "read wrongly", "undocumented"]
    print_table([*head, "refused", "exit code"], rows)
    bar("files tried", sum(row[1] for row in rows), scaled(5000), at_most=False)
    bar("executions", int(total[0]), 0, at_most=True)
    bar("crashes of the interpreter", crashes, 0, at_most=True)
    bar("read otherwise than written", int(total[1]), 0, at_most=True)
    bar("undocumented exceptions", int(total[2]), 0, at_most=True)


def inputs() -> None:
    from _trust_inputs import frame, texts

    from tests.properties.checks import (
        TABLE,
        answers_or_refuses,
        fitted,
        text_classifier,
    )

    models, bad, answered = {**fitted(), "texts": text_classifier()}, 0, 0
    names = list(models)
    n = scaled(20_000)
    begun = time.perf_counter()
    for seed in range(n):
        rng = np.random.RandomState(seed)
        name = names[seed % len(names)]
        model = models[name]
        X = texts(rng) if name == "texts" else frame(rng, list(TABLE.columns))
        is_frame = isinstance(X, pd.DataFrame)
        if is_frame and not hasattr(model, "feature_names_in_") and rng.randint(2):
            X = X.to_numpy()
        try:
            answered += answers_or_refuses(model, X)
        except Exception as error:
            bad += 1
            if bad < 20:
                print(seed, name, repr(error)[:300])
        if seed % 1000 == 999:
            print(f"{seed + 1} inputs, {bad} of them bad", flush=True)
    seconds = time.perf_counter() - begun
    print(f"{n} generated inputs, {answered} answered, {seconds:.0f} s")
    bar("undocumented exceptions and NaN predictions", bad, 0, at_most=True)


# Threads and processes.


def usual(n_rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, 20))
    return X, (X[:, 0] + X[:, 1] ** 2 > 1).astype(int)


def _answer(model) -> bytes:
    if isinstance(model, str):
        model = skdl.load(model)
    return model.predict_proba(usual()[0])


def together() -> None:
    X, y = usual()
    model = skdl.NeuralClassifier(max_epochs=2, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: _answer(model), range(scaled(1600))))
    differ = sum(not np.array_equal(one, expected) for one in found)
    bar(f"of {len(found)} answers of 16 threads, otherwise", differ, 0, at_most=True)
    path = tempfile.mkdtemp() + "/m.skdl"
    skdl.save(model, path)
    for method in multiprocessing.get_all_start_methods():
        workers = 8 if method == "fork" else 2
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            found = list(pool.map(_answer, [model, path] * workers * 2, timeout=300))
        worst = max(np.abs(one - expected).max() for one in found)
        bar(
            f"{method}, {workers} processes, largest difference",
            worst,
            1e-6,
            at_most=True,
        )


# Memory.


def megabytes() -> float:
    return psutil.Process().memory_info().rss / 2**20


def memory() -> None:
    X, y = usual(100)
    small = {"hidden_layer_sizes": 16, "max_epochs": 1, "random_state": 0}
    model = skdl.NeuralClassifier(**small).fit(X, y)
    tasks = {
        "fits": (scaled(2000), lambda: skdl.NeuralClassifier(**small).fit(X, y)),
        "predicts of one row": (scaled(100_000), lambda: model.predict_proba(X[:1])),
    }
    for name, (n, call) in tasks.items():
        for _ in range(n // 10):
            call()
        before = megabytes()
        for _ in range(n - n // 10):
            call()
        growth = 100 * (megabytes() / before - 1)
        bar(f"memory after {n} {name}, growth in %", growth, 1, at_most=True)


# Exports and files.


def onnx() -> None:
    from _tables import TABLES, load_table

    rows, worst_of_all = [], 0.0
    path = tempfile.mkdtemp() + "/m.onnx"
    for name in TABLES:
        X, y = load_table(name)
        chosen = np.random.RandomState(0).permutation(len(X))[: scaled(1000)]
        X, y = X.iloc[chosen].reset_index(drop=True), np.asarray(y)[chosen]
        classes = y.dtype.kind not in "f"
        kinds = (
            skdl.EntityEmbeddingClassifier if classes else skdl.EntityEmbeddingRegressor
        )
        row: list = [name]
        for options in ({"max_epochs": 1}, {"validation": 4, "max_epochs": 1}):
            model = kinds(random_state=0, max_categories=None, **options).fit(X, y)
            try:
                skdl.to_onnx(model, X, path)
            except Exception as error:
                row.append(f"{type(error).__name__}: {error}"[:60])
                worst_of_all = np.inf
                continue
            row.append(_apart(model, path, X))
            worst_of_all = max(worst_of_all, row[-1])
        rows.append(row)
    print_table(["table", "one network", "pack"], rows)
    worst_of_all = max(worst_of_all, _onnx_of_texts(path))
    bar("ONNX, largest difference", worst_of_all, 1e-4, at_most=True)


def _apart(model, path: str, X) -> float:
    """Return the largest difference between a file and its model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    output = session.get_outputs()[0].name
    (found,) = session.run([output], skdl.onnx_inputs(model, session, X))
    classes = hasattr(model, "predict_proba")
    expected = model.predict_proba(X) if classes else model.predict(X)
    scale = 1.0 if classes else np.abs(expected).max()
    return float(np.abs(found - expected).max() / scale)


def _onnx_of_texts(path: str) -> float:
    """Export classifiers of film reviews, and one that reads; return the worst."""
    texts, labels = skdl.datasets.load_movie_reviews(return_X_y=True)
    chosen = np.random.RandomState(0).permutation(len(texts))[: scaled(600)]
    texts, labels = [np.asarray(a, dtype=object)[chosen] for a in (texts, labels)]
    reading = {
        "language_model": skdl.TextLM.from_preset("quick", max_epochs=1),
        "fine_tuning": "gradual",
        "max_epochs": 1,
    }
    rows = []
    for name, options in {"words": {}, "with a reader": reading}.items():
        model = skdl.TextClassifier(random_state=0, **options)
        skdl.to_onnx(model.fit(texts[100:], labels[100:]), texts[:100], path)
        rows.append([name, _apart(model, path, texts[:100])])
    print_table(["film reviews", "difference"], rows)
    return max(row[1] for row in rows)


def load() -> None:
    X, y = usual()
    network = skdl.NeuralClassifier(validation=4, random_state=0, max_epochs=2)
    path = tempfile.mkdtemp() + "/m.skdl"
    skdl.save(make_pipeline(StandardScaler(), network).fit(X, y), path)
    program = (
        "import time, skdl, skops.io; begun = time.perf_counter(); "
        f"model = skdl.load({path!r}); print(time.perf_counter() - begun)"
    )
    found = [
        float(subprocess.check_output([sys.executable, "-c", program]))
        for _ in range(3)
    ]
    bar("seconds to load a pipeline", float(np.median(found)), 0.3, at_most=True)


def sizes() -> None:
    from tests.persistence.models import FRAME, PICTURES, TEXTS

    X, y = usual(2000)
    one = {"max_epochs": 1, "random_state": 0}
    table = (FRAME, FRAME["size"].to_numpy())
    models = {
        "dense": (skdl.NeuralClassifier(**one), X, y),
        "pack": (skdl.NeuralClassifier(**one, validation=4), X, y),
        "table": (skdl.EntityEmbeddingRegressor(**one), *table),
        "table, pack": (skdl.EntityEmbeddingRegressor(**one, validation=4), *table),
        "pictures": (skdl.ImageClassifier(**one), PICTURES, np.arange(20) % 2),
        "text": (skdl.TextLM(**one, batch_size=2), TEXTS, None),
    }
    rows = []
    for name, (model, rows_in, target) in models.items():
        model.fit(rows_in, target)
        tensors = dict.fromkeys(model.network_.state_dict().values())
        weights = sum(t.numel() * t.element_size() for t in tensors)
        path = tempfile.mkdtemp() + "/m.skdl"
        skdl.save(model, path)
        pickled = len(pickle.dumps(model)) / weights
        rows.append([name, weights, pickled, Path(path).stat().st_size / weights])
    print_table(["model", "bytes of weights", "pickle / weights", "file"], rows)
    bar("largest pickle / weights", max(row[2] for row in rows), 1.2, at_most=True)


# Serving.

SERVER = """
import pickle, sys
sys.path.insert(0, "examples")
import uvicorn
from serving import App
model = pickle.load(open(sys.argv[1], "rb"))
uvicorn.run(App(model), port=int(sys.argv[2]), log_level="error", access_log=False)
"""


async def _client(port: int, body: bytes, n: int, seconds: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    for _ in range(n):
        begun = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in answer.split(b"\r\n")[0], answer
        lines = answer.lower().split(b"\r\n")
        (length,) = [x for x in lines if x.startswith(b"content-length")]
        await reader.readexactly(int(length.split(b":")[1]))
        seconds.append(time.perf_counter() - begun)
    writer.close()


async def _clients(port: int, body: bytes, n: int) -> tuple[float, list[float]]:
    await _client(port, body, 50, [])
    seconds: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(_client(port, body, n, seconds) for _ in range(16)))
    return time.perf_counter() - begun, seconds


def serving() -> None:
    import json

    X, y = usual()
    one = {"max_epochs": 2, "random_state": 0}
    models = {
        "skdl, one network": skdl.NeuralClassifier(**one),
        "skdl, pack of four": skdl.NeuralClassifier(**one, validation=4),
        "scikit-learn's MLP": MLPClassifier((256, 128), max_iter=5, random_state=0),
    }
    body = json.dumps({"rows": [X[0].tolist()]}).encode()
    rows = []
    for port, (name, model) in enumerate(models.items(), start=18_431):
        path = tempfile.mkdtemp() + "/m.pkl"
        Path(path).write_bytes(pickle.dumps(model.fit(X, y)))
        server = subprocess.Popen([sys.executable, "-c", SERVER, path, str(port)])
        try:
            for _ in range(300):
                try:
                    taken, seconds = asyncio.run(_clients(port, body, scaled(500)))
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)
        finally:
            server.terminate()
            server.wait()
        p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1e3
        rows.append([name, len(seconds) / taken, float(p50), float(p99)])
    print_table(["one row, 16 clients", "requests/s", "p50 ms", "p99 ms"], rows)


# Distillation.


def encoded(X):
    """Return what makes numbers of a frame for scikit-learn's models."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    return make_column_transformer((SimpleImputer(), numbers), (texts, others))


def times_faster(X, slow, fast) -> float:
    """Return how many times faster one prediction is than another, made in turn."""
    calls = {"slow": lambda: slow.predict(X), "fast": lambda: fast.predict(X)}
    time_in_turn(calls, 1)
    return ratio(time_in_turn(calls, 9), "slow", "fast")


def distill() -> None:
    from _tables import load_table
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.model_selection import train_test_split

    rows = []
    for name in ("california", "letter"):
        X, y = load_table(name)
        y = np.asarray(y)
        parts = train_test_split(
            X, y, train_size=scaled(6000), test_size=4000, random_state=0
        )
        X, X_test, y, y_test = parts
        classes = y.dtype.kind not in "f"
        forest = RandomForestClassifier if classes else RandomForestRegressor
        linear = LogisticRegression(max_iter=1000) if classes else Ridge()
        score = accuracy_score if classes else r2_score
        before = encoded(X)
        teacher = make_pipeline(before, forest(500, random_state=0))
        base = make_pipeline(encoded(X), StandardScaler(), linear)
        student = skdl.distill(teacher, X, y, random_state=0)
        teacher.fit(X, y), base.fit(X, y)
        models = {"base": base, "teacher": teacher, "student": student}
        scores = {k: score(y_test, m.predict(X_test)) for k, m in models.items()}
        faster = [
            times_faster(X_new, teacher, student) for X_new in (X_test, X_test[:1])
        ]
        kept = (scores["student"] - scores["base"]) / (
            scores["teacher"] - scores["base"]
        )
        rows.append([name, *scores.values(), kept, *faster])
        print(rows[-1], flush=True)
    head = ["table", "linear", "forest", "student", "advantage kept"]
    print_table([*head, f"times faster, {len(X_test)} rows", "one row"], rows)
    bar("least advantage kept", min(row[4] for row in rows), 0.98, at_most=False)
    faster = min(row[5] for row in rows)
    bar(f"least times faster, {len(X_test)} rows", faster, 20, at_most=False)


PARTS = {
    part.__name__: part
    for part in (
        *(files, inputs, together, memory, onnx, load),
        *(sizes, serving, distill),
    )
}


def main() -> None:
    global SCALE
    parser = argparse.ArgumentParser(description=__doc__)
    # Python 3.11 would hold an empty list against the choices.
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    SCALE = given.scale
    begin("Trust", "skops")
    warnings.simplefilter("ignore")
    os.environ.setdefault("PYTHONPATH", str(ROOT))
    os.chdir(ROOT)
    for name in PARTS if "all" in given.parts else given.parts:
        print(f"-- {name}")
        PARTS[name]()
        print()


if __name__ == "__main__":
    main()
