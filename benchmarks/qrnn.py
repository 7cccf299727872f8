"""QRNN layers beside torch's LSTM of the same width and depth.

    python benchmarks/qrnn.py                       # layers, softmax; four minutes
    python benchmarks/qrnn.py --parts layers --hidden 640 --bptt 70 --rounds 3
    python benchmarks/qrnn.py --parts quality       # Penn Treebank, equal epochs
    python benchmarks/qrnn.py --parts gpu --device cuda

Two layers, forward and backward, without an optimizer; contenders take turns and ratios
are medians of rounds. Layers are of width 1, like the layers of a `TextLM` but its
first, which looks at two steps and has twice the products; with such a first layer it
is the column "width 2 first". The part softmax adds an embedding of 10,000 words and
the tied, adaptive softmax that a `TextLM` has on a CPU, to both.

Bars: the recurrence at most 10% of the time of the layers; layers at 640 at least 2
times as fast as torch's LSTM; test perplexity within 3% of the LSTM's. On a GPU: the
kernel at least 5 times as fast as a loop over the steps and at 60% of the bandwidth of
a copy, forward and backward, each replayed from a CUDA graph on inputs that take turns;
layers at least 2 times as fast as cuDNN's at batch 64 and 4 times at batch 8, 512
steps.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Sequence

import torch
from _common import bar, begin, load, print_table, ratio, time_in_turn
from torch import Tensor, nn

from skdl import TextLM
from skdl.datasets import load_ptb
from skdl.networks.linear_recurrence import LOOP, Recurrence, choose_recurrence
from skdl.networks.pooling import cut_into_spans
from skdl.networks.qrnn import QRNNLayer
from skdl.networks.softmax import TiedSoftmax
from skdl.training.runtime import resolve_runtime

N_LAYERS, N_WORDS, CUTOFFS = 2, 10_000, (2000,)
SETS = 4  # of inputs a kernel gets in turn: together more than a GPU's cache holds
Run = Callable[[], None]


class QRNN(nn.Module):
    """Layers on top of each other; the first may look at two steps."""

    def __init__(self, hidden: int, first_width: int = 1) -> None:
        super().__init__()
        widths = [first_width, *[1] * (N_LAYERS - 1)]
        self.layers = nn.ModuleList(QRNNLayer(hidden, hidden, width=w) for w in widths)

    def forward(self, x: Tensor) -> tuple[Tensor, list]:
        """Return outputs and states, as torch's LSTM does."""
        states = []
        for layer in self.layers:
            x, state = layer(x)
            states.append(state)
        return x, states


class WordModel(nn.Module):
    """An embedding, recurrent layers, and a softmax tied to the embedding."""

    def __init__(self, layers: nn.Module, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(N_WORDS, hidden)
        self.layers = layers
        self.softmax = TiedSoftmax(self.embedding.weight, CUTOFFS)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the mean loss of guessing each word from the ones before it."""
        hidden, _ = self.layers(self.embedding(ids[:-1]))
        return self.softmax.mean_nll(hidden.flatten(0, 1), ids[1:].flatten())


def step_of(layers: nn.Module, x: Tensor, autocast: bool = False) -> Run:
    """Return a function that runs layers forward and backward."""
    gradient = torch.randn_like(x)

    def step() -> None:
        layers.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=autocast):
            output, _ = layers(x)
        output.backward(gradient)

    return step


def step_of_model(model: WordModel, ids: Tensor) -> Run:
    def step() -> None:
        model.zero_grad()
        model(ids).backward()

    return step


def recurrence_of(shape: Sequence[int]) -> Run:
    """Return a function that runs only the recurrence of all layers, on a CPU.

    As the layers do: over a span of steps at a time, the forget gate among the gates.
    """
    n_steps, batch, hidden = shape
    gates, gradient = torch.rand(n_steps, batch, 3 * hidden), torch.randn(shape)
    states = torch.zeros(n_steps + 1, batch, hidden)
    f = gates.split(hidden, 2)[1]
    spans = cut_into_spans(gates)
    r, d_f = (torch.empty(states[spans[0]].shape) for _ in range(2))

    def run() -> None:
        for _ in range(N_LAYERS):
            for span in spans:
                here = states[span.start : span.stop + 1]
                LOOP.forward(f[span], here)
            for span in reversed(spans):
                here = states[span.start : span.stop + 1]
                later = r[: len(here) - 1].copy_(gradient[span])
                LOOP.backward(f[span], here, later, d_f[: len(here) - 1])

    return run


def rounds(contenders: dict[str, Run], repeats: int) -> dict[str, list[float]]:
    """Time contenders in turn after a round that does not count."""
    time_in_turn(contenders, 1)
    return time_in_turn(contenders, repeats)


def speed(seconds: list[float], tokens: int) -> str:
    return f"{tokens / sorted(seconds)[len(seconds) // 2]:,.0f}"


def sizes(options: argparse.Namespace) -> list[tuple[int, int, int]]:
    return [
        (hidden, batch, bptt)
        for hidden in options.hidden
        for batch in options.batch
        for bptt in options.bptt
    ]


def layers(options: argparse.Namespace) -> None:
    """Layers alone: tokens a second, the share of the recurrence."""
    rows, shares, faster = [], [], []
    for hidden, batch, bptt in sizes(options):
        torch.manual_seed(0)
        x = torch.randn(bptt, batch, hidden, requires_grad=True)
        seconds = rounds(
            {
                "qrnn": step_of(QRNN(hidden), x),
                "width 2": step_of(QRNN(hidden, 2), x),
                "lstm": step_of(nn.LSTM(hidden, hidden, N_LAYERS), x),
                "recurrence": recurrence_of(x.shape),
            },
            options.rounds,
        )
        shares.append(ratio(seconds, "recurrence", "qrnn"))
        times = ratio(seconds, "lstm", "qrnn"), ratio(seconds, "lstm", "width 2")
        if hidden >= 640:
            faster.append(times[0])
        speeds = (speed(seconds[name], bptt * batch) for name in ("qrnn", "lstm"))
        rows.append([hidden, batch, bptt, *speeds, *times, f"{shares[-1]:.1%}"])
    headers = "hidden", "batch", "bptt", "QRNN tokens/s", "LSTM tokens/s", "QRNN / LSTM"
    print_table([*headers, "width 2 first", "recurrence"], rows)
    bar("largest share of the recurrence", max(shares), 0.10, at_most=True)
    if faster:
        bar("slowest QRNN / LSTM from 640 on", min(faster), 2.0, at_most=False)


def softmax(options: argparse.Namespace) -> None:
    """Measure the same with words in and words out."""
    rows = []
    for hidden, batch, bptt in sizes(options):
        torch.manual_seed(0)
        # Words are about as frequent as Zipf says.
        ids = torch.rand(bptt + 1, batch).mul(math.log(N_WORDS)).exp().long() - 1
        cells = {"qrnn": QRNN(hidden), "lstm": nn.LSTM(hidden, hidden, N_LAYERS)}
        seconds = rounds(
            {
                name: step_of_model(WordModel(cell, hidden), ids)
                for name, cell in cells.items()
            },
            options.rounds,
        )
        speeds = (speed(seconds[name], bptt * batch) for name in cells)
        rows.append([hidden, batch, bptt, *speeds, ratio(seconds, "lstm", "qrnn")])
    headers = "hidden", "batch", "bptt", "QRNN tokens/s", "LSTM tokens/s", "QRNN / LSTM"
    print(f"With {N_WORDS:,} words:")
    print_table(headers, rows)


def quality(options: argparse.Namespace) -> None:
    """Penn Treebank, preset "small", the same number of epochs."""
    data = load(load_ptb)
    rows, found = [], {}
    for cell in ("lstm", "qrnn"):
        model = TextLM.from_preset(
            "small",
            cell=cell,
            min_frequency=1,
            max_epochs=options.epochs,
            random_state=0,
            verbose=2,
        ).fit(data.train)
        found[cell] = model.perplexity(data.test)
        seconds = float(model.history_["seconds"].sum())
        rows.append([cell, model.n_iter_, seconds, found[cell]])
    print_table(["PTB", "epochs", "seconds", "test perplexity"], rows)
    worse = found["qrnn"] / found["lstm"]
    bar("PTB, perplexity, QRNN / LSTM", worse, 1.03, at_most=True)


def gpu(options: argparse.Namespace) -> None:
    """Measure the kernel, and layers with it, on a CUDA device."""
    device = torch.empty(0, device=resolve_runtime(options.device).device).device
    kernel = choose_recurrence(device)
    if kernel.name != "triton":
        sys.exit(f"This part measures Triton's kernel; on {device} runs {kernel.name}.")
    for dtype in (torch.float32, torch.bfloat16):
        kernel_speed(kernel, device, dtype, (140, 64, 1152), options.rounds)
    for batch, bptt, limit in ((64, 140, 2.0), (8, 512, 4.0)):
        times = layers_on(device, 1152, batch, bptt, options.rounds)
        what = f"QRNN / cuDNN LSTM, batch {batch}, {bptt} steps"
        bar(what, times, limit, at_most=False)


def kernel_speed(
    kernel: Recurrence,
    device: torch.device,
    dtype: torch.dtype,
    shape: Sequence[int],
    repeats: int,
) -> None:
    """Print how fast a kernel is beside a loop over the steps and beside a copy."""
    inputs = [inputs_of(shape, dtype, device) for _ in range(SETS)]
    source = torch.zeros(1 << 28, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)

    def forward(recurrence: Recurrence) -> Run:
        turns = itertools.cycle(inputs)

        def run() -> None:
            f, states, _, _ = next(turns)
            recurrence.forward(f, states)

        return run

    def backward(recurrence: Recurrence) -> Run:
        turns = itertools.cycle(inputs)
        return lambda: recurrence.backward(*next(turns))

    contenders: dict[str, Run] = {
        "copy": lambda: target.copy_(source),
        "kernel forward": forward(kernel),
        "loop forward": forward(LOOP),
        "kernel backward": backward(kernel),
        "loop backward": backward(LOOP),
    }
    times = 20
    seconds = rounds(
        {
            name: many(run, times, device)
            if name.startswith("loop")
            else many(replay_of(run, times), 1, device)
            for name, run in contenders.items()
        },
        repeats,
    )
    # Read and written: f, a and h; then f, h and r, which changes, and the gradient.
    for way, n_tensors in (("forward", 3), ("backward", 5)):
        size = n_tensors * math.prod(shape) * dtype.itemsize
        share = ratio(seconds, "copy", f"kernel {way}") * size / (2 * len(source))
        per_second = times * size / min(seconds[f"kernel {way}"]) / 1e9
        what = f"{dtype}, {way}"
        faster = ratio(seconds, f"loop {way}", f"kernel {way}")
        print(f"{what}: {per_second:.0f} GB/s")
        bar(f"{what}, loop / kernel", faster, 5.0, at_most=False)
        bar(f"{what}, bandwidth / copy's", share, 0.6, at_most=False)


def inputs_of(
    shape: Sequence[int], dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, ...]:
    """Return forget gates, states, what comes from later steps and a gradient."""
    f, d_f, r = torch.rand(3, *shape, device=device).to(dtype)
    states = torch.rand(shape[0] + 1, *shape[1:], device=device).to(dtype)
    return f, states, r, d_f


def layers_on(
    device: torch.device, hidden: int, batch: int, bptt: int, repeats: int
) -> float:
    """Return how many times faster layers are than cuDNN's, both in bfloat16."""
    x = torch.randn(bptt, batch, hidden, device=device, requires_grad=True)
    narrow = x.detach().bfloat16().requires_grad_()
    lstm = nn.LSTM(hidden, hidden, N_LAYERS).to(device, torch.bfloat16)
    contenders = {
        "qrnn": many(step_of(QRNN(hidden).to(device), x, autocast=True), 5, device),
        "lstm": many(step_of(lstm, narrow), 5, device),
    }
    seconds = rounds(contenders, repeats)
    for name in contenders:
        print(f"{name}: {speed(seconds[name], 5 * bptt * batch)} tokens/s")
    return ratio(seconds, "lstm", "qrnn")


def replay_of(run: Run, times: int) -> Run:
    """Return what runs something several times from a CUDA graph.

    A kernel of some microseconds takes longer to launch than to run.
    """
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):  # compiled and warm
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(times):
            run()
    return graph.replay


def many(run: Run, times: int, device: torch.device) -> Run:
    """Return a function that runs something several times and waits for the end."""

    def repeated() -> None:
        for _ in range(times):
            run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return repeated


PARTS = {"layers": layers, "softmax": softmax, "quality": quality, "gpu": gpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=["layers", "softmax"]
    )
    parser.add_argument("--hidden", nargs="+", type=int, default=[256, 640])
    parser.add_argument("--batch", nargs="+", type=int, default=[20, 64])
    parser.add_argument("--bptt", nargs="+", type=int, default=[35, 70, 140])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=4, help="of quality")
    parser.add_argument("--device", default="cuda", help="of gpu")
    options = parser.parse_args()
    begin("QRNN")
    for part in options.parts:
        PARTS[part](options)


if __name__ == "__main__":
    main()
