"""Perplexity after so many minutes: what TextLM learns within a budget of time.

    python benchmarks/perplexity_by_minutes.py                      # an hour, two cores
    python benchmarks/perplexity_by_minutes.py --data ptb --minutes 7
    python benchmarks/perplexity_by_minutes.py --device cuda --minutes 5
    python benchmarks/perplexity_by_minutes.py --data ptb --minutes 7 --set lr=0.01

A budget is the time of `fit`; the speed that says how much can be read in it is
measured before. On CPUs models learn at twice the usual rate and from batches of 40,
both chosen by the perplexity of the Penn Treebank's validation part. On a GPU it is the
preset "awd". Both parts are read as one stream; "dynamic" is the test part by a model
that learns from what it has predicted (`--dynamic`).
"""

import argparse
import ast
import time
from typing import Any

from _common import bar, begin, load, print_table
from _language_models import n_tokens, within

from skdl import TextLM
from skdl.datasets import load_ptb, load_wikitext2

CORPORA = {"ptb": load_ptb, "wikitext2": load_wikitext2}

# What is set otherwise on a CPU.
CHANGES = {"lr": 8e-3, "batch_size": 40}

# What the perplexity of the test part is to be at most, on two cores and on a GPU, by
# corpus and minutes.
BARS = {
    ("cpu", "ptb", 7.0): 86.0,
    ("cpu", "ptb", 15.0): 80.0,
    ("cuda", "ptb", 10.0): 57.0,
}


def model_for(options: argparse.Namespace) -> TextLM:
    """Return the model of a device."""
    on_gpu = options.device == "cuda"
    changes = {} if on_gpu else CHANGES
    given = {name: ast.literal_eval(value) for name, value in options.set}
    common: dict[str, Any] = {
        "min_frequency": 1,
        "device": options.device,
        "random_state": options.seed,
        "verbose": 2,
        **changes,
        **given,
    }
    return TextLM.from_preset("awd" if on_gpu else "small", **common)


def run(name: str, minutes: float, options: argparse.Namespace) -> list[Any]:
    """Fit within the budget; return what is printed."""
    data = load(CORPORA[name])
    model, lines = within(model_for(options), data.train, 60 * minutes)
    started = time.perf_counter()
    model.fit(lines)
    seconds = time.perf_counter() - started
    read = model.n_iter_ * n_tokens(lines)
    perplexities = [model.perplexity(part) for part in (data.valid, data.test)]
    print(f"{seconds:.0f} s, validation and test: {perplexities}", flush=True)
    dynamic = model.perplexity(data.test, dynamic=True) if options.dynamic else "-"
    if limit := BARS.get((options.device, name, minutes)):
        bar(f"{name} after {minutes:g} minutes", perplexities[1], limit, at_most=True)
    return [f"{name}, {minutes:g} minutes", seconds, read, *perplexities, dynamic]


def _setting(text: str) -> tuple[str, str]:
    """Part a parameter's name from its value."""
    name, _, value = text.partition("=")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 5, 7, 15])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--set", nargs="*", type=_setting, default=[])
    options = parser.parse_args()
    begin("Perplexity by minutes")
    rows = [run(name, m, options) for name in options.data for m in options.minutes]
    headers = ["", "seconds", "tokens read", "validation", "test", "dynamic"]
    print_table(headers, rows)


if __name__ == "__main__":
    main()
