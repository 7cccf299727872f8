"""Which pieces of published recipes pay in a `TextLM`.

    python benchmarks/language_pieces.py                          # half an hour
    python benchmarks/language_pieces.py --pieces averaged "in the order given"
    python benchmarks/language_pieces.py --share 0.1 --epochs 40  # learned by heart
    python benchmarks/language_pieces.py --pieces backward        # ten minutes

Each is put into the preset "small" by itself, with the settings that
`perplexity_by_minutes.py` has on a CPU. The perplexity is that of Penn Treebank's
validation part; "times" is how long training takes beside the first of the models.

A model that reads backward does not say which token comes next: "backward" is how many
film reviews logistic regression gets right by the vectors of a model that reads
forward, of one that reads backward, and of both, with and without the words. It learns
from parts of the training parts of three folds and is judged on what is left of them.

"prompts" is whether a model should go on learning from what it continues: perplexity of
100 tokens after prompts of 20, 200 and 1,000 tokens of the validation part, by the
model as it is and by one that has learned from the prompt (dynamic evaluation).
"""

import argparse
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from _common import begin, load, print_table
from _language_models import with_vocabulary
from _language_pieces import mogrified, past_decoded, runs_of
from _reader_pieces import Texts, inner_texts
from _reviews import damped_tfidf
from perplexity_by_minutes import CHANGES
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdl import TextLM
from skdl.datasets import load_movie_reviews, load_ptb
from skdl.training.text.dynamic import dynamic_nll, learned_from

FOLDS, LABELS = (0, 1, 2), (100, 400, 1500)
WEIGHT = 0.2  # of vectors beside words
CONTINUED = 100  # tokens after a prompt
Piece = tuple[dict[str, Any], Callable[[], AbstractContextManager]]

# What is set otherwise, and what is put in.
PIECES: dict[str, Piece] = {
    "as it is": ({}, nullcontext),
    "averaged": ({"weight_averaging": "ema"}, nullcontext),
    "averaged, constant rate": (
        {"weight_averaging": "ema", "schedule": "constant", "lr": 4e-3},
        nullcontext,
    ),
    "in the order given": ({}, lambda: runs_of(1 << 40)),
    "single lines shuffled": ({}, lambda: runs_of(1)),
    "runs of 200 tokens": ({}, lambda: runs_of(200)),
    "runs of 1,000 tokens": ({}, lambda: runs_of(1000)),
    "full softmax": ({"softmax": "full"}, nullcontext),
    "past decoded": ({"softmax": "full"}, lambda: past_decoded(True)),
    "past decoded, cheaply": ({}, lambda: past_decoded(False)),
    "mogrifier": ({}, mogrified),
}


def perplexities(options: argparse.Namespace, pieces: list[str]) -> None:
    """Print the perplexity with each piece."""
    data = load(load_ptb)
    lines = with_vocabulary(data.train, int(options.share * len(data.train)))
    rows: list[list[Any]] = []
    for name in pieces:
        found = []
        for seed in options.seeds:
            found.append(fitted(name, seed, options.epochs, lines, data.valid))
            print(name, seed, *found[-1], flush=True)
        rows.append([name, *np.mean(found, axis=0)])
    for row in rows:
        row.append(row[2] / rows[0][2])
    print_table(["", "validation perplexity", "seconds", "times"], rows)


def fitted(
    name: str, seed: int, epochs: int, lines: list[str], valid: list[str]
) -> tuple[float, float]:
    """Return the perplexity with a piece, and the seconds of training."""
    changes, piece = PIECES[name]
    settings = {"max_epochs": epochs, "random_state": seed, "verbose": 2}
    given = {"min_frequency": 1, **settings, **CHANGES, **changes}
    model = TextLM.from_preset("small", **given)
    started = time.perf_counter()
    with piece():
        model.fit(lines)
        seconds = time.perf_counter() - started
        return model.perplexity(valid), seconds


def backward(epochs: int) -> None:
    """Print what vectors of either direction are worth, and those of both."""
    data = load(load_movie_reviews)
    found: dict[tuple[int, str], list[float]] = {}
    for fold in FOLDS:
        texts = inner_texts(data, fold)
        parts = parts_of(texts, epochs)
        for n_labels in LABELS:
            few = texts.labels[:n_labels]
            for name, (known, held_out) in parts.items():
                model = LogisticRegression(C=10, max_iter=1000)
                model.fit(known[:n_labels], few)
                score = model.score(held_out, texts.truth)
                found.setdefault((n_labels, name), []).append(score)
    for n_labels in LABELS:
        scores = {name: v for (n, name), v in found.items() if n == n_labels}
        rows = [[name, np.mean(v)] for name, v in scores.items()]
        print_table([f"{n_labels} labels", "accuracy"], rows)


def prompts(options: argparse.Namespace) -> None:
    """Print what it brings to learn from a prompt."""
    data = load(load_ptb)
    lines = with_vocabulary(data.train, int(options.share * len(data.train)))
    model = TextLM.from_preset(
        "small", **{"min_frequency": 1, "max_epochs": options.epochs, **CHANGES}
    )
    model.set_params(random_state=0, verbose=2).fit(lines)
    encoder = model._lm_encoder
    ids = encoder.transform(data.valid).ids
    rows = []
    for length in (20, 200, 1000):
        starts = np.linspace(0, len(ids) - length - CONTINUED, 12).astype(int)
        nats = {"as it is": 0.0, "has learned from it": 0.0}
        for start in starts:
            prompt = ids[start : start + length]
            both = ids[start : start + length + CONTINUED]
            learned, _ = learned_from(model.network_, prompt, encoder.end_id)
            networks = (model.network_, learned)
            for name, network in zip(nats, networks, strict=True):
                nll = [
                    dynamic_nll(network, part, encoder.end_id, rate=0.0, pull=0.0)
                    for part in (prompt, both)
                ]
                nats[name] += nll[1] - nll[0]
        n = CONTINUED * len(starts)
        rows.append([length, *(math.exp(total / n) for total in nats.values())])
    print_table(["tokens of the prompt", *nats], rows)


def parts_of(texts: Texts, epochs: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return what classifiers learn from and are judged by, by name."""
    both = texts.known, texts.held_out
    words = damped_tfidf().fit(texts.known)
    found: dict[str, Any] = {"words": tuple(words.transform(x).toarray() for x in both)}
    for name, step in (("forward", 1), ("backward", -1)):
        reader = TextLM.from_preset(
            "quick",
            analyzer=lambda text, step=step: text.split()[::step],
            pooling="mean",
            max_epochs=epochs,
            random_state=0,
            verbose=2,
        ).fit(texts.known)
        space = make_pipeline(PCA(whiten=True, random_state=0), Normalizer())
        vectors = space.fit_transform(reader.transform(texts.known))
        found[name] = vectors, space.transform(reader.transform(texts.held_out))
    found["forward and backward"] = beside(found, ["forward", "backward"], 1.0)
    for name in ("forward", "backward", "forward and backward"):
        found[f"words and {name}"] = beside(found, ["words", name], WEIGHT)
    return found


def beside(
    found: dict[str, Any], names: list[str], weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Put the second beside the first, multiplied by a weight."""
    first, second = (found[name] for name in names)
    known, held_out = (
        np.hstack([a, weight * b]) for a, b in zip(first, second, strict=True)
    )
    return known, held_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [*PIECES, "backward", "prompts"]
    parser.add_argument("--pieces", nargs="+", choices=names, default=list(PIECES))
    parser.add_argument("--share", type=float, default=0.4, help="of the text")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    begin("Pieces of language models")
    pieces = [name for name in options.pieces if name in PIECES]
    if pieces:
        perplexities(options, pieces)
    if "backward" in options.pieces:
        backward(options.epochs)
    if "prompts" in options.pieces:
        prompts(options)


if __name__ == "__main__":
    main()
