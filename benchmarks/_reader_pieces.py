"""Pieces of TextClassifier's reader, each left out in turn."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, log_loss

from skdl import FineTuning, TextClassifier, TextLM
from skdl.estimators.text.network import new_network
from skdl.estimators.text.reader import raw_outputs
from skdl.networks.text_reader import PoolingHead

_HELD_OUT = 300
_KINDS = ("last", "max", "mean")

# A name, how the language model's layers are trained, and what else is left out.
PIECES: list[tuple[str, Any, dict[str, Any]]] = [
    ("words alone", None, {"model": None}),
    ("and vectors", None, {}),
    ("and a reader: thawing, rates / 2.6", "gradual", {}),
    ("... all layers from the first epoch on", FineTuning(layer_lr_decay=1 / 2.6), {}),
    (
        "... one rate for all layers",
        FineTuning(freeze="reading", thaw="gradual"),
        {},
    ),
    ("... all layers at once, at one rate", FineTuning(), {}),
    ("... the head alone", FineTuning(freeze="reading"), {}),
    ("... last outputs alone", "gradual", {"pooling": "last"}),
    ("... highest outputs alone", "gradual", {"pooling": "max"}),
    ("... mean outputs alone", "gradual", {"pooling": "mean"}),
    ("... a language model of other texts", "gradual", {"model": "general"}),
    ("... a language model that has read nothing", "gradual", {"model": "unread"}),
]


@dataclass(frozen=True)
class Texts:
    """Texts with labels to learn from, others without, and some to be judged by.

    Attributes
    ----------
    known, labels : list of str and ndarray
        To learn from.
    others : list of str
        Without labels.
    held_out, truth : list of str and ndarray
        To be judged by.
    """

    known: list[str]
    labels: np.ndarray
    others: list[str]
    held_out: list[str]
    truth: np.ndarray

    def few(self, n_labels: int, draw: int) -> "Texts":
        """Return the same with labels for some of the texts only."""
        order = np.random.RandomState(draw).permutation(len(self.known))
        known = np.array(self.known, dtype=object)[order].tolist()
        labels = self.labels[order[:n_labels]]
        kept, others = known[:n_labels], known[n_labels:]
        return Texts(kept, labels, others, self.held_out, self.truth)


def inner_texts(data: Any, fold: int) -> Texts:
    """Split the training part of a fold; what is reported on the fold stays unseen."""
    training = np.flatnonzero((data.fold != fold).to_numpy())
    order = np.random.RandomState(fold).permutation(training)
    held_out, known = order[:_HELD_OUT], order[_HELD_OUT:]
    texts, y = data.data.to_numpy(), data.target.to_numpy()
    return Texts(
        texts[known].tolist(), y[known], [], texts[held_out].tolist(), y[held_out]
    )


def language_models(texts: list[str], others: list[str], epochs: int) -> dict[str, Any]:
    """Return one that has read others and these, one only others, and one nothing."""
    settings = {"max_epochs": epochs, "random_state": 0, "verbose": 2}
    general = TextLM.from_preset("quick", **settings).fit(others)
    own = TextLM.from_preset("quick", init_from=FrozenEstimator(general), **settings)
    unread = copy.deepcopy(own.fit(texts))
    runtime = unread._runtime()
    with runtime.seeded(0):
        unread.network_ = new_network(unread, unread._lm_encoder, runtime)
    return {"own": own, "general": general, "unread": unread}


@contextlib.contextmanager
def pooled(kind: str | None) -> Iterator[None]:
    """Let heads see one kind of outputs only."""
    if kind is None:
        yield
        return
    forward: Callable[..., Any] = PoolingHead.forward

    def of_one_kind(self: PoolingHead, vectors: torch.Tensor) -> torch.Tensor:
        width = vectors.shape[1] // len(_KINDS)
        start = _KINDS.index(kind) * width
        kept = torch.zeros_like(vectors)
        kept[:, start : start + width] = vectors[:, start : start + width]
        return forward(self, kept)

    with mock.patch.object(PoolingHead, "forward", of_one_kind):
        yield


def judged(
    texts: Texts, models: dict[str, Any], piece: tuple, epochs: int
) -> list[float]:
    """Return loss and accuracy with the words, those of the reader alone, seconds."""
    _, fine_tuning, left_out = piece
    started = time.process_time()
    with pooled(left_out.get("pooling")):
        name = left_out.get("model", "own")
        model = TextClassifier(
            language_model=None if name is None else models[name],
            fine_tuning=fine_tuning,
            max_epochs=epochs,
            random_state=0,
        )
        model.fit(texts.known, texts.labels, unlabeled=texts.others)
        seconds = time.process_time() - started
        found = _figures(model, texts, model.predict_proba(texts.held_out))
        alone = [np.nan, np.nan]
        if fine_tuning is not None:
            alone = _figures(model, texts, reader_alone(model, texts.held_out))
    return [*found, *alone, seconds]


def _figures(model: Any, texts: Texts, chances: np.ndarray) -> list[float]:
    predicted = model.classes_[chances.argmax(1)]
    return [
        float(log_loss(texts.truth, chances, labels=model.classes_)),
        float(accuracy_score(texts.truth, predicted)),
    ]


def reader_alone(model: Any, texts: list[str]) -> np.ndarray:
    """Return the probabilities that the reader gives without the words."""
    encoder = model.language_model_._lm_encoder
    stream = encoder.transform(texts)
    raw = raw_outputs(model.network_, stream, encoder.end_id)
    return raw.double().softmax(1).numpy()
