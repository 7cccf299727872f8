"""Strange log lines: TextOutlierDetector beside one-class models on TF-IDF.

    python benchmarks/surprise.py [--draws 3] [--sessions 3000]

Sessions of a service are made by rule (`_log_lines.py`), 2% of them with a fault, also
those that models learn from. Every step of a fault occurs in sound sessions too, often
beside the same others; names and numbers are drawn anew in each. Figures are average
precisions on sessions that no model has seen. The detector is as it comes; what it
makes of tokens, and for how long, was chosen on sessions of other seeds.
"""

import argparse
import time
from typing import Any

import numpy as np
from _common import bar, begin, print_table
from _log_lines import make_sessions
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM

from skdl import TextOutlierDetector


def contenders(seed: int) -> dict[str, Any]:
    """Return what is compared, all as it comes but for pairs of words."""

    def tfidf() -> TfidfVectorizer:
        return TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+")

    return {
        "TF-IDF, IsolationForest": make_pipeline(
            tfidf(), IsolationForest(random_state=seed)
        ),
        "TF-IDF, OneClassSVM": make_pipeline(tfidf(), OneClassSVM(nu=0.02)),
        "TextOutlierDetector": TextOutlierDetector(random_state=seed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=3000)
    options = parser.parse_args()
    begin("Surprise")
    found: dict[str, list[tuple[float, float]]] = {}
    for draw in range(11, 11 + options.draws):
        rng = np.random.RandomState(draw)
        training, _, _ = make_sessions(options.sessions, rng)
        test, faulty, _ = make_sessions(options.sessions, rng)
        for name, model in contenders(draw).items():
            started = time.perf_counter()
            scores = model.fit(training).score_samples(test)
            seconds = time.perf_counter() - started
            precision = average_precision_score(faulty, -scores)
            found.setdefault(name, []).append((precision, seconds))
    rows = [[name, *np.mean(values, axis=0)] for name, values in found.items()]
    print_table([f"{options.draws} draws", "average precision", "seconds"], rows)
    bar("TextOutlierDetector", rows[-1][1], 0.9, at_most=False)


if __name__ == "__main__":
    main()
