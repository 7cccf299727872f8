"""TextLM: perplexity and speed beside a plain torch script, vectors, tokens a second.

    python benchmarks/language_model.py                  # all parts, about an hour
    python benchmarks/language_model.py --parts ptb      # Penn Treebank, equal time
    python benchmarks/language_model.py --parts wikitext # WikiText-2, equal tokens
    python benchmarks/language_model.py --parts vectors  # film reviews, ten folds
    python benchmarks/language_model.py --parts speed    # tokenizing, writing
    python benchmarks/language_model.py --parts awd --device cuda [--minutes 10]

The script (`_plain_lm.py`) is what a tutorial has: 2 x 200 LSTM units, full softmax,
gradient descent with its own schedule. Perplexities are those of the test part, read as
one stream; settings were chosen on the validation part.
"""

import argparse
import math
import time
from typing import Any

import numpy as np
import torch
from _common import bar, begin, load, print_table
from _language_models import n_tokens, with_vocabulary, within
from _plain_lm import nll, train_plain
from _reviews import damped_tfidf, tuned_classifier
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skdl import TextLM
from skdl.data.analyzers import FunctionAnalyzer
from skdl.data.text import TextEncoder
from skdl.datasets import load_movie_reviews, load_ptb, load_wikitext2

# Of the vectors beside TF-IDF; chosen by folds of the first fold's training texts.
WEIGHT = 0.2


def small(**changes: Any) -> TextLM:
    return TextLM.from_preset(
        "small", **{"min_frequency": 1, "random_state": 0, **changes}
    )


def ptb(options: argparse.Namespace) -> None:
    """Equal time: skdl first, then the script for as many seconds."""
    data = load(load_ptb)
    seconds = 60 * options.minutes
    model, lines = within(small(verbose=2), data.train, seconds)
    started = time.perf_counter()
    model.fit(lines)
    ours = time.perf_counter() - started
    ids, valid, test, vocabulary = encoded(data)
    plain, facts = train_plain(ids, valid, vocabulary, seconds=max(ours, seconds))
    perplexities = model.perplexity(data.test), math.exp(nll(plain, test))
    rows = [
        ["skdl", ours, model.n_iter_ * n_tokens(lines), perplexities[0]],
        ["plain script", facts["seconds"], facts["tokens"], perplexities[1]],
    ]
    print_table(["PTB", "seconds", "tokens", "test perplexity"], rows)
    bar("PTB, skdl / script", perplexities[0] / perplexities[1], 0.85, at_most=True)


def encoded(data: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    encoder = TextEncoder(FunctionAnalyzer(str.split))
    ids = encoder.fit_transform(data.train).ids
    valid, test = (encoder.transform(part).ids for part in (data.valid, data.test))
    return ids, valid, test, len(encoder.tokens)


def wikitext(options: argparse.Namespace) -> None:
    """Equal tokens: the first ones of the training part, with all its words."""
    data = load(load_wikitext2)
    ids, valid, test, vocabulary = encoded(data)
    limit = min(options.tokens, len(ids))
    seen, n_lines = 0, 0
    while seen < limit:
        seen += len(data.train[n_lines].split()) + 1
        n_lines += 1
    model = small(max_epochs=1).fit(with_vocabulary(data.train, n_lines))
    tokens_per_second = float(model.history_["tokens_per_second"].iloc[0])
    plain, facts = train_plain(ids[:seen], valid, vocabulary, token_limit=seen)
    plain_per_second = facts["tokens"] / facts["training"]
    perplexities = model.perplexity(data.test), math.exp(nll(plain, test))
    rows = [
        ["skdl", tokens_per_second, perplexities[0]],
        ["plain script", plain_per_second, perplexities[1]],
    ]
    title = f"WikiText-2, {seen:,} tokens seen"
    print_table([title, "tokens/s", "test perplexity"], rows)
    faster = tokens_per_second / plain_per_second
    bar("WikiText-2, tokens/s, skdl / script", faster, 3.0, at_most=False)
    worse = perplexities[0] / perplexities[1]
    bar("WikiText-2, perplexity, skdl / script", worse, 1.03, at_most=True)


def vectors(options: argparse.Namespace) -> None:
    """Ten folds of film reviews; the language model learns from the training texts."""
    data = load(load_movie_reviews)
    found: dict[str, list[float]] = {}
    for fold in options.folds:
        test = (data.fold == fold).to_numpy()
        texts, y = data.data[~test].tolist(), data.target[~test].to_numpy()
        model = small(
            cell="qrnn", embedding_dim=128, hidden_size=128, min_frequency=5
        ).set_params(batch_size=40, max_epochs=options.epochs, pooling="mean")
        known = known_vectors(model.fit(texts), data.data.tolist())
        held_out = data.data[test].tolist(), data.target[test].to_numpy()
        for name, classifier in classifiers(known).items():
            score = classifier.fit(texts, y).score(*held_out)
            found.setdefault(name, []).append(score)
        print(f"fold {fold}:", {k: v[-1] for k, v in found.items()}, flush=True)
    means = {name: float(np.mean(scores)) for name, scores in found.items()}
    print_table(["film reviews", "accuracy"], [[k, v] for k, v in means.items()])
    for tuned in ("", ", tuned"):
        ahead = np.subtract(found["both" + tuned], found["TF-IDF" + tuned])
        error = ahead.std(ddof=1) / math.sqrt(len(ahead))
        print(f"both - TF-IDF{tuned}: {ahead.mean():+.4f}, standard error {error:.4f}")
    bar("both / TF-IDF", means["both"] / means["TF-IDF"], 1.0, at_most=False)


def classifiers(known: Any) -> dict[str, Any]:
    """Return what is compared: all as it comes, and tuned on the training texts.

    Whitening takes away what all texts have in common, as in Arora et al. 2017, "A
    simple but tough-to-beat baseline for sentence embeddings".
    """
    lm = make_pipeline(known, PCA(whiten=True, random_state=0), Normalizer())
    result = {"TextLM": make_pipeline(lm, LogisticRegression())}
    for kind, words, classifier in (
        ("", TfidfVectorizer(), LogisticRegression()),
        (", tuned", damped_tfidf(), tuned_classifier()),
    ):
        parts = [("words", words), ("lm", lm)]
        both = FeatureUnion(parts, transformer_weights={"lm": WEIGHT})
        result["TF-IDF" + kind] = make_pipeline(words, classifier)
        result["both" + kind] = make_pipeline(both, classifier)
    return result


def known_vectors(model: TextLM, texts: list[str]) -> FunctionTransformer:
    """Return a transformer of texts whose vectors are made once."""
    vectors = dict(zip(texts, model.transform(texts), strict=True))
    return FunctionTransformer(lambda X: np.stack([vectors[text] for text in X]))


def speed(options: argparse.Namespace) -> None:
    """Words tokenized and tokens written, a second."""
    data = load(load_ptb)
    encoder = TextEncoder(FunctionAnalyzer(str.split))
    started = time.perf_counter()
    n = len(encoder.fit_transform(data.train))
    words = n / (time.perf_counter() - started)
    model = small(max_epochs=1).fit(data.train[:4000])
    model.generate([""] * 16, max_new_tokens=5, stop=None, random_state=0)
    started = time.perf_counter()
    model.generate([""] * 16, max_new_tokens=200, stop=None, random_state=0)
    written = 16 * 200 / (time.perf_counter() - started)
    bar("words tokenized a second", words, 1e6, at_most=False)
    bar("tokens written a second, 16 texts", written, 2000, at_most=False)


def awd(options: argparse.Namespace) -> None:
    """Preset "awd" on a GPU, for as many minutes, on both corpora."""
    for name, loader, limit in (
        ("PTB", load_ptb, 60),
        ("WikiText-2", load_wikitext2, 66.5),
    ):
        data = load(loader)
        model = TextLM.from_preset(
            "awd", min_frequency=1, device=options.device, random_state=0, verbose=2
        )
        model, lines = within(model, data.train, 60 * options.minutes)
        started = time.perf_counter()
        model.fit(lines, X_val=data.valid)
        seconds = time.perf_counter() - started
        print(
            f"{name}: {model.n_iter_} epochs in {seconds:.0f} s, "
            f"{model.history_['tokens_per_second'].median():,.0f} tokens/s"
        )
        per_epoch = model.history_["training_seconds"].median()
        print(f"{per_epoch:.1f} s an epoch, {softmax_share(model):.0%} in the softmax")
        if torch.cuda.is_available():
            print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
        bar(f"{name}, perplexity", model.perplexity(data.test), limit, at_most=True)


def softmax_share(model: TextLM) -> float:
    """Return the share of a step's loss and gradient that the softmax takes."""
    network = model.network_
    device = next(network.parameters()).device
    ids = torch.randint(len(model.tokens_), (model.bptt, model.batch_size))
    ids = ids.to(device)
    kind = torch.bfloat16 if model.precision == "bfloat16" else torch.float32
    output, _ = network(ids)
    hidden = output.hidden.detach().flatten(0, 1).requires_grad_()

    def whole() -> None:
        network(ids)[0].mean_nll(ids).backward()

    def softmax() -> None:
        network.softmax.mean_nll(hidden, ids.flatten()).backward()

    seconds = []
    for run in (whole, softmax):
        with torch.autocast(device.type, kind, enabled=kind != torch.float32):
            for repeat in range(12):
                if repeat == 2:
                    _synchronize()
                    started = time.perf_counter()
                run()
        _synchronize()
        seconds.append(time.perf_counter() - started)
    return seconds[1] / seconds[0]


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


PARTS = {
    "speed": speed,
    "ptb": ptb,
    "wikitext": wikitext,
    "vectors": vectors,
    "awd": awd,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=["speed", "ptb", "wikitext", "vectors"],
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--tokens", type=int, default=700_000)
    parser.add_argument("--folds", type=int, nargs="*", default=range(10))
    parser.add_argument("--epochs", type=int, default=4, help="of film reviews")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    begin("Language models")
    for part in options.parts:
        PARTS[part](options)


if __name__ == "__main__":
    main()
