"""TextClassifier on film reviews, beside TF-IDF with logistic regression.

    python benchmarks/text_classifier.py                  # all parts but the last three
    python benchmarks/text_classifier.py --parts folds    # ten folds
    python benchmarks/text_classifier.py --parts few      # 100 and 400 labels
    python benchmarks/text_classifier.py --parts few --labels 50 400 --figure FILE
    python benchmarks/text_classifier.py --parts ablation # pieces, on validation folds
    python benchmarks/text_classifier.py --parts order    # where word order says it
    python benchmarks/text_classifier.py --parts own --folds 0 [--epochs 3]
    python benchmarks/text_classifier.py --parts readers --folds 0 [--epochs 3]
    python benchmarks/text_classifier.py --parts pieces --folds 4 --labels 100 --draws 2

Folds are those of Pang & Lee (2004). The penalty of TF-IDF is tuned on the training
part of each fold, as in language_model.py. TextClassifier was set by its out-of-fold
loss on the training parts of two folds. `own` trains a language model on the training
part of each fold, `readers` first on WikiText-2 and then there: minutes and hours.
`pieces` leaves each piece of the reader out, on parts of the training parts.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from _common import bar, begin, load, print_table
from _reader_pieces import PIECES, inner_texts, judged, language_models
from _reviews import damped_tfidf, tuned_classifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from skdl import FineTuning, TextClassifier, TextLM
from skdl.datasets import load_movie_reviews, load_wikitext2

# By how much it is to be ahead, by the number of labels.
LEADS = {100: 0.03, 400: 0.02}


def tfidf() -> Any:
    """Return TF-IDF and logistic regression as they come."""
    return make_pipeline(TfidfVectorizer(), LogisticRegression())


def tuned_tfidf() -> Any:
    """Return damped TF-IDF with a penalty tuned on what it is fitted on."""
    return make_pipeline(damped_tfidf(), tuned_classifier())


def folds(options: argparse.Namespace) -> None:
    """Ten folds: accuracy, and CPU seconds of a fit."""
    makers: dict[str, Callable[[], Any]] = {
        "TF-IDF as it comes": tfidf,
        "TF-IDF tuned": tuned_tfidf,
        "TextClassifier": lambda: TextClassifier(random_state=0),
    }
    found = {
        name: [scored(make, k) for k in options.folds] for name, make in makers.items()
    }
    rows = []
    for name, values in found.items():
        accuracy, seconds = np.array(values).T
        error = (
            accuracy.std(ddof=1) / len(accuracy) ** 0.5 if len(accuracy) > 1 else 0.0
        )
        rows.append([name, accuracy.mean(), error, seconds.mean()])
    print_table(
        [f"{len(options.folds)} folds", "accuracy", "error", "CPU seconds"], rows
    )
    bar("TextClassifier, accuracy", rows[-1][1], 0.885, at_most=False)
    bar("TextClassifier, CPU minutes a fold", rows[-1][3] / 60, 6.0, at_most=True)


def scored(make: Callable[[], Any], fold: int) -> tuple[float, float]:
    """Return accuracy and CPU seconds of a fit on all folds but one."""
    data = load(load_movie_reviews)
    test = (data.fold == fold).to_numpy()
    texts, y = data.data.to_numpy(), data.target.to_numpy()
    started = time.process_time()
    model = make().fit(texts[~test].tolist(), y[~test])
    seconds = time.process_time() - started
    return model.score(texts[test].tolist(), y[test]), seconds


def few(options: argparse.Namespace) -> None:
    """Few labels beside many texts: accuracy on 400 other reviews, draw by draw."""
    found = {n: few_labels(n, options.draws) for n in options.labels}
    for n_labels, by_name in found.items():
        rows = [
            [name, np.mean(v), np.std(v) / len(v) ** 0.5] for name, v in by_name.items()
        ]
        headers = [f"{n_labels} labels, {options.draws} draws", "accuracy", "error"]
        print_table(headers, rows)
        if n_labels not in LEADS:
            continue
        ours = np.mean(by_name["TextClassifier, unlabeled="])
        for other in ("TF-IDF as it comes", "TF-IDF tuned", "SelfTrainingClassifier"):
            ahead = ours - np.mean(by_name[other])
            bar(f"ahead of {other}", ahead, LEADS[n_labels], at_most=False)
        print()
    if options.figure is not None:
        draw_few_labels(found, options.figure)


def few_labels(n_labels: int, n_draws: int) -> dict[str, list[float]]:
    """Return the accuracies of each model, one a draw."""
    data = load(load_movie_reviews)
    texts, y = data.data.to_numpy(), data.target.to_numpy()
    found: dict[str, list[float]] = {}
    for draw in range(n_draws):
        order = np.random.RandomState(draw).permutation(len(texts))
        test, known, rest = np.split(order, [400, 400 + n_labels])
        for name, model in few_label_models(texts, y, known, rest).items():
            accuracy = np.mean(model.predict(texts[test].tolist()) == y[test])
            found.setdefault(name, []).append(float(accuracy))
    return found


def draw_few_labels(found: dict[int, dict[str, list[float]]], path: str) -> None:
    """Draw accuracies by how many labels there are."""
    labels = sorted(found)
    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
    for name in found[labels[0]]:
        values = [found[n][name] for n in labels]
        errors = [np.std(v) / len(v) ** 0.5 for v in values]
        ours = name.startswith("TextClassifier")
        axes.errorbar(
            labels,
            [np.mean(v) for v in values],
            errors,
            marker="o",
            capsize=2,
            linewidth=2 if ours else 1,
            linestyle="-" if ours else "--",
            label=name,
        )
    axes.set_xscale("log")
    axes.set_xticks(labels, [str(n) for n in labels])
    axes.minorticks_off()
    axes.set(xlabel="labelled reviews", ylabel="accuracy on 400 others")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def few_label_models(
    texts: np.ndarray, y: np.ndarray, known: np.ndarray, rest: np.ndarray
) -> dict[str, Any]:
    """Return models fitted on the known labels, with the other texts where they can."""
    labelled, labels, others = texts[known].tolist(), y[known], texts[rest].tolist()
    tuned = tuned_tfidf().fit(labelled, labels)
    codes = (labels == "pos").astype(int)
    vectorizer, classifier = (step for _, step in tuned.steps)
    self_trained = SelfTrainingClassifier(
        LogisticRegression(C=classifier.C_, max_iter=1000)
    )
    self_trained.fit(
        vectorizer.transform([*labelled, *others]),
        np.concatenate([codes, np.full(len(others), -1)]),
    )
    return {
        "TF-IDF as it comes": tfidf().fit(labelled, labels),
        "TF-IDF tuned": tuned,
        "SelfTrainingClassifier": _OnTexts(vectorizer, self_trained),
        "TextClassifier": TextClassifier(random_state=0).fit(labelled, labels),
        "TextClassifier, unlabeled=": TextClassifier(random_state=0).fit(
            labelled, labels, unlabeled=others
        ),
    }


class _OnTexts:
    """A classifier of 0 and 1 on what a vectorizer makes of texts."""

    def __init__(self, vectorizer: Any, model: Any) -> None:
        self._vectorizer, self._model = vectorizer, model

    def predict(self, texts: list[str]) -> np.ndarray:
        """Return "neg" and "pos"."""
        codes = self._model.predict(self._vectorizer.transform(texts))
        return np.where(codes == 1, "pos", "neg")


def ablation(options: argparse.Namespace) -> None:
    """Pieces of the words' side: loss and accuracy on texts not learned from."""
    data = load(load_movie_reviews)
    variants: dict[str, dict[str, Any]] = {
        "as it is": {},
        "words alone": {"ngram_range": (1, 1)},
        "words and pairs": {"ngram_range": (1, 2)},
        "split at whitespace": {"token_pattern": None},
        "every word, however rare": {"min_frequency": 1},
    }
    rows = []
    for name, settings in variants.items():
        reports, scores = [], []
        for fold in options.folds[:2]:
            training = (data.fold != fold).to_numpy()
            model = TextClassifier(random_state=0, **settings)
            model.fit(data.data[training].tolist(), data.target[training].to_numpy())
            reports.append(model.branches_["loss"])
            scores.append(model.oof_score_)
        mean = sum(reports[1:], start=reports[0]) / len(reports)
        branches = [
            float(mean[b]) for b in ("presence", "tf-idf", "topics", "together")
        ]
        rows.append([name, *branches, np.mean(scores)])
    headers = [
        "out-of-fold loss",
        "presence",
        "tf-idf",
        "topics",
        "together",
        "accuracy",
    ]
    print_table(headers, rows)


def order(options: argparse.Namespace) -> None:
    """Which of two words comes first, some words apart: what only a reader sees."""
    texts, y = ordered_texts(900, np.random.RandomState(0))
    training, test = slice(0, 600), slice(600, 900)
    settings = {"embedding_dim": 32, "hidden_size": 32, "batch_size": 10}
    lm = TextLM(**settings, max_epochs=5, random_state=0).fit(texts[training])
    ways: dict[str, dict[str, Any]] = {
        "words": {},
        "language model as it is": {"language_model": lm},
        "gradual thawing, rates / 2.6": {"fine_tuning": "gradual"},
        "rates / 2.6": {"fine_tuning": FineTuning(layer_lr_decay=1 / 2.6)},
        "gradual thawing": {
            "fine_tuning": FineTuning(freeze="reading", thaw="gradual")
        },
        "head alone": {"fine_tuning": FineTuning(freeze="reading")},
        "all at one rate": {"fine_tuning": FineTuning()},
    }
    rows = []
    for name, options_ in ways.items():
        given = {"language_model": lm, **options_} if options_ else {}
        started = time.perf_counter()
        model = TextClassifier(random_state=0, **given).fit(
            texts[training], y[training]
        )
        seconds = time.perf_counter() - started
        rows.append([name, model.score(texts[test], y[test]), seconds])
    print_table(["which word comes first", "accuracy", "seconds"], rows)


def ordered_texts(n: int, rng: np.random.RandomState) -> tuple[list[str], np.ndarray]:
    """Return texts of twelve words whose label is which of two of them comes first."""
    words = np.array([f"w{i}" for i in range(20)])
    texts, labels = [], []
    for _ in range(n):
        text = rng.choice(words, 12).astype(object)
        first = rng.randint(0, 9)
        second = rng.randint(first + 3, 12)
        labels.append(rng.randint(2))
        text[first], text[second] = ("up", "down") if labels[-1] else ("down", "up")
        texts.append(" ".join(text))
    return texts, np.array(labels)


def own(options: argparse.Namespace) -> None:
    """Read with a language model that has read nothing but the training texts."""
    data, rows = load(load_movie_reviews), []
    for fold in options.folds:
        training = (data.fold != fold).to_numpy()
        texts, y = data.data[training].tolist(), data.target[training].to_numpy()
        lm = TextLM.from_preset("quick", max_epochs=options.epochs, random_state=0)
        started = time.perf_counter()
        lm.fit(texts)
        rows.append([f"fold {fold}, language model", "", "", seconds_since(started)])
        for name, fine_tuning in (("language model", None), ("reader", "gradual")):
            started = time.perf_counter()
            model = TextClassifier(
                language_model=lm, fine_tuning=fine_tuning, random_state=0
            ).fit(texts, y)
            branch = model.branches_.loc[name]
            figures = [float(branch["loss"]), float(branch["weight"])]
            rows.append([f"fold {fold}, {name}", *figures, seconds_since(started)])
        together = float(model.branches_.loc["together", "loss"])
        rows.append([f"fold {fold}, words and vectors", together, "", ""])
    print_table(["what it has not learned from", "loss", "weight", "seconds"], rows)


def seconds_since(started: float) -> float:
    """Return the seconds since a reading of the clock."""
    return time.perf_counter() - started


def readers(options: argparse.Namespace) -> None:
    """Read with a language model of WikiText-2 that goes on with the reviews."""
    data, wiki = load(load_movie_reviews), load(load_wikitext2)
    settings = {"cell": "qrnn", "embedding_dim": 128, "hidden_size": 256}
    common = {**settings, "lowercase": True, "token_pattern": "auto", "batch_size": 40}
    started = time.perf_counter()
    general = TextLM(**common, max_epochs=options.epochs, verbose=2, random_state=0)
    general.fit(wiki.train[: round(options.share * len(wiki.train))])
    rows = [["language model of WikiText-2", np.nan, time.perf_counter() - started]]
    ways: dict[str, dict[str, Any]] = {
        "words": {},
        "and vectors": {"language_model": None},
        "and a reader": {"language_model": None, "fine_tuning": "gradual"},
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for fold in options.folds:
        training = (data.fold != fold).to_numpy()
        started = time.perf_counter()
        own = TextLM(
            **common,
            init_from=FrozenEstimator(general),
            min_frequency=5,
            max_epochs=options.epochs,
            random_state=0,
        ).fit(data.data[training].tolist())
        rows.append(
            [f"fold {fold}, language model", np.nan, time.perf_counter() - started]
        )
        for name, given in ways.items():
            if given:
                given = {**given, "language_model": own}
            make = lambda given=given: TextClassifier(random_state=0, **given)  # noqa: E731
            found[name].append(scored(make, fold))
            print(f"fold {fold}, {name}: accuracy {found[name][-1][0]:.3f}", flush=True)
    for name, values in found.items():
        rows.append([name, *np.mean(values, axis=0)])
    print_table([f"folds {options.folds}", "accuracy", "seconds"], rows)
    best = max(np.mean(values, axis=0)[0] for values in found.values())
    bar("with a language model, accuracy", best, 0.90, at_most=False)


def pieces(options: argparse.Namespace) -> None:
    """Pieces of the reader left out in turn: few labels, and all of them."""
    data, wiki = load(load_movie_reviews), load(load_wikitext2).train
    others = wiki[: round(options.share * len(wiki))]
    found: dict[int, dict[str, list[list[float]]]] = {}
    for fold in options.folds:
        everything = inner_texts(data, fold)
        models = language_models(everything.known, others, options.epochs)
        cases = [(n, i) for n in options.labels for i in range(options.draws)]
        for n_labels, draw in cases:
            texts = everything.few(n_labels, draw)
            by_name = found.setdefault(n_labels, {})
            for piece in PIECES:
                figures = judged(texts, models, piece, options.passes)
                by_name.setdefault(piece[0], []).append(figures)
            print_pieces(n_labels, by_name)


def print_pieces(n_labels: int, by_name: dict[str, list[list[float]]]) -> None:
    """Print means, and by how much losses differ from those of the whole recipe."""
    whole, rows = np.array(by_name[PIECES[2][0]])[:, 0], []
    for name, figures in by_name.items():
        values = np.array(figures)
        worse = values[:, 0] - whole
        error = worse.std(ddof=1) / len(worse) ** 0.5 if len(worse) > 1 else np.nan
        rows.append([name, *values.mean(0)[:2], worse.mean(), error])
        rows[-1] += values.mean(0)[2:].tolist()
    headers = [f"{n_labels} labels, {len(whole)} fits", "loss", "accuracy", "worse"]
    headers += ["error", "reader's loss", "accuracy", "CPU seconds"]
    print_table(headers, rows)


PARTS = {
    "folds": folds,
    "few": few,
    "ablation": ablation,
    "order": order,
    "own": own,
    "readers": readers,
    "pieces": pieces,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    usual = [name for name in PARTS if name not in ("own", "readers", "pieces")]
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=usual)
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--labels", nargs="+", type=int, default=list(LEADS))
    parser.add_argument("--figure", help="file for a picture of --parts few")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--passes", type=int, default=6, help="of readers in pieces")
    parser.add_argument("--share", type=float, default=1.0, help="of WikiText-2")
    options = parser.parse_args()
    begin("TextClassifier")
    for part in options.parts:
        PARTS[part](options)


if __name__ == "__main__":
    main()
