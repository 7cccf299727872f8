# %% [markdown]
# # Serving
#
# A model behind HTTP, as an ASGI application without a framework: it is loaded once,
# requests that wait are answered in one batch, and `/health` says that it lives.
#
#     SKDL_MODEL=model.skdl uvicorn --factory serving:create_app --workers 4
#
#     curl -d '{"rows": [[5.1, 3.5, 1.4, 0.2]]}' localhost:8000/predict

# %%
import asyncio
import json
import os
import tempfile

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris

import skdl

# %%
MOST_ROWS = 4096  # of one batch, and of one request
MOST_BYTES = 1 << 24  # of one request


class RequestError(ValueError):
    """A request that cannot be answered."""


class Batcher:
    """Answers all requests that wait with one call of the model."""

    def __init__(self, predict):
        self.predict = predict
        self.waiting = []
        self.running = None

    async def __call__(self, rows):
        answer = asyncio.get_running_loop().create_future()
        self.waiting.append((rows, answer))
        if self.running is None or self.running.done():
            self.running = asyncio.create_task(self.run())
        return await answer

    async def run(self):
        while self.waiting:
            batch, n_rows = [], 0
            while self.waiting and n_rows + len(self.waiting[0][0]) <= MOST_ROWS:
                batch.append(self.waiting.pop(0))
                n_rows += len(batch[-1][0])
            # A few rows are predicted sooner than a thread is woken.
            await asyncio.sleep(0)
            self.answer(batch)

    def answer(self, batch):
        try:
            frames = [rows for rows, _ in batch]
            joined = frames[0] if len(frames) == 1 else _joined(frames)
            found = self.predict(joined)
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(RequestError(str(error)))
            else:  # one bad request is not the others' fault
                for one in batch:
                    self.answer([one])
            return
        ends = np.cumsum([len(rows) for rows in frames])[:-1]
        for (_, answer), part in zip(batch, np.split(found, ends), strict=True):
            if not answer.done():
                answer.set_result(part)


def _joined(frames):
    if isinstance(frames[0], pd.DataFrame):
        return pd.concat(frames, ignore_index=True)
    return np.concatenate(frames)


# %%
class App:
    """``POST /predict`` with ``{"rows": [...]}``, lists or objects; ``GET /health``."""

    def __init__(self, model):
        self.model = model
        self.names = getattr(model, "feature_names_in_", None)
        self.n_columns = model.n_features_in_
        predicts = getattr(model, "predict_proba", model.predict)
        self.batcher = Batcher(predicts)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http":
            status, content = await self.respond(scope, receive)
            body = json.dumps(content).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ]
            start = {"type": "http.response.start", "status": status}
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def live(self, receive, send):
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def respond(self, scope, receive):
        if scope["path"] == "/health":
            return 200, {"status": "ok", "skdl": skdl.__version__}
        if scope["path"] != "/predict" or scope["method"] != "POST":
            return 404, {"error": "POST /predict or GET /health"}
        try:
            rows = self.read(await body_of(receive))
            found = await self.batcher(rows)
        except RequestError as error:
            return 422, {"error": str(error)}
        return 200, {"predictions": found.tolist()}

    def read(self, body):
        try:
            rows = json.loads(body)["rows"]
            if isinstance(rows[0], dict):
                frame = pd.DataFrame(rows)
            elif self.names is not None:
                frame = pd.DataFrame(rows, columns=self.names)
            else:
                frame = np.array(rows, dtype=float)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise RequestError(f"expected {{'rows': [...]}}: {error}") from error
        if len(frame) > MOST_ROWS or frame.ndim != 2:
            raise RequestError(f"expected at most {MOST_ROWS} rows of columns")
        if frame.shape[1] != self.n_columns:
            raise RequestError(f"expected {self.n_columns} columns in a row")
        return frame


async def body_of(receive):
    """Return the body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BYTES:
            raise RequestError(f"expected at most {MOST_BYTES} bytes")
    return body


def create_app():
    """Load the model that the environment names; each worker does it once."""
    return App(skdl.load(os.environ["SKDL_MODEL"]))


# %% [markdown]
# Without a server: the application is called as a server would call it.


# %%
async def ask(app, path, body=b"", method="POST"):
    """Return the status and the content that an application answers with."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    await app({"type": "http", "path": path, "method": method}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def main():
    """Fit, save, load and ask."""
    X, y = load_iris(return_X_y=True)
    path = tempfile.mkdtemp() + "/iris.skdl"
    skdl.save(skdl.NeuralClassifier(max_epochs=20, random_state=0).fit(X, y), path)
    app = App(skdl.load(path))

    async def several():
        bodies = [json.dumps({"rows": [row.tolist()]}).encode() for row in X[::50]]
        return await asyncio.gather(*(ask(app, "/predict", b) for b in bodies))

    print(asyncio.run(ask(app, "/health", method="GET")))
    for status, content in asyncio.run(several()):
        print(status, np.round(content["predictions"], 2))


if __name__ == "__main__":
    main()
