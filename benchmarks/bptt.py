"""The window that bptt="auto" chooses, beside the fastest and the best of four.

    python benchmarks/bptt.py                    # half an hour on two cores
    python benchmarks/bptt.py --tokens 300000 --epochs 1    # minutes
    python benchmarks/bptt.py --device cuda

Preset "small" on the Penn Treebank, as many tokens for every window. Speeds are those
of short fits, in turn, each beside the fastest of its round, so that all share the
machine's moods; the median over rounds counts. Perplexity is that of the test part
after one fit. "auto" is asked twice: with a `random_state` the formula decides, without
it measures and is trained for an epoch only. The other fit counts for its window.
"""

import argparse
from statistics import median
from typing import Any

from _common import bar, begin, load, print_table

from skdl import TextLM
from skdl.datasets import load_ptb

WINDOWS = (35, 70, 140, 280)


def model(options: argparse.Namespace, **changes: Any) -> TextLM:
    return TextLM.from_preset(
        "small",
        **{
            "min_frequency": 1,
            "device": options.device,
            "max_epochs": options.epochs,
            "random_state": 0,
            **changes,
        },
    )


class OneEpoch:
    """A callback that ends training after its first epoch."""

    def setup(self, estimator: Any, context: Any) -> None: ...

    def teardown(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        return True


def first_lines(lines: list[str], n_tokens: int) -> list[str]:
    """Return as many lines as make up some tokens."""
    for n, line in enumerate(lines):
        if n_tokens <= 0:
            return lines[:n]
        n_tokens -= len(line.split()) + 1
    return lines


def speed(options: argparse.Namespace, lines: list[str], bptt: int) -> float:
    """Return the tokens a second of a short fit."""
    fitted = model(options, bptt=bptt, max_epochs=1).fit(lines)
    return fitted.history_["tokens_per_second"].max()


def speeds_in_turn(
    options: argparse.Namespace, lines: list[str], windows: list[int]
) -> tuple[dict[int, float], dict[int, float]]:
    """Return tokens a second of every window, and the share of the fastest's."""
    few = first_lines(lines, 60_000)
    rounds = [
        {bptt: speed(options, few, bptt) for bptt in windows}
        for _ in range(options.rounds + 1)
    ][1:]  # in the first one kernels are built
    speeds = {b: median(found[b] for found in rounds) for b in windows}
    fastest = max(speeds, key=lambda b: speeds[b])
    shares = {b: median(found[b] / found[fastest] for found in rounds) for b in windows}
    return speeds, shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1_000_000, help="about all")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=15, help="of the speed's fits")
    parser.add_argument("--test-lines", type=int, help="all of them by default")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    begin('bptt="auto" on the Penn Treebank')
    data = load(load_ptb)
    lines = first_lines(data.train, options.tokens)
    test = data.test[: options.test_lines]

    chosen: dict[str, int] = {}
    perplexities: dict[int, float] = {}
    for name, seed in (("random_state=0", 0), ("random_state=None", None)):
        auto = model(options, bptt="auto", random_state=seed)
        if seed is None:
            auto.set_callbacks(OneEpoch())
        auto.fit(lines)
        report = auto.bptt_report_.drop(columns="memory_bytes")
        print(f"{name}\n{report.to_string(index=False)}\n", flush=True)
        chosen[name] = auto.bptt_
        if seed is not None:
            perplexities[auto.bptt_] = auto.perplexity(test)
    for bptt in {*WINDOWS, *chosen.values()} - set(perplexities):
        fitted = model(options, bptt=bptt).fit(lines)
        perplexities[bptt] = fitted.perplexity(test)

    windows = sorted(perplexities)  # "auto" may have chosen a shorter one
    speeds, shares = speeds_in_turn(options, lines, windows)
    rows = [[str(b), speeds[b], shares[b], perplexities[b]] for b in windows]
    print_table(["bptt", "tokens/s", "of the fastest", "test perplexity"], rows)
    for name, bptt in chosen.items():
        print(f"{name}: bptt={bptt}")
        bar("tokens/s, auto / best", shares[bptt], 0.95, at_most=False)
        worse = perplexities[bptt] / min(perplexities.values())
        bar("perplexity, auto / best", worse, 1.02, at_most=True)


if __name__ == "__main__":
    main()
