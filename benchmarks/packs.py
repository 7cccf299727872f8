"""Cost of a training step of k networks as one pack, beside one network k times.

A step is forward, loss, backward and AdamW, on one thread and on two.

    python benchmarks/packs.py [--members 4] [--rounds 7]

Bars: a pack of k costs at most k times one network, and on layers of 64 units at most
half of that; embedding numbers costs at most as much as the rest of the step.
"""

import argparse
from collections.abc import Callable

import torch
from _common import bar, begin, print_table, ratio, time_in_turn
from torch import nn

from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.ensemble import Ensemble
from skdl.networks.mlp import MLP
from skdl.networks.numeric_embedding import CosineEmbedding, PiecewiseLinearEmbedding
from skdl.networks.packed import PackedMLP
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork
from skdl.training.blind import BlindMean
from skdl.training.objectives import CrossEntropy, MemberMean, Objective
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer

STEPS, CLASSES, BINS = 10, 3, 48
# Rows of a batch, numbers, units of the two hidden layers.
SIZES = [(32, 10, 64), (64, 10, 256), (256, 30, 256), (256, 100, 512)]
LEVELS = [7, 12, 40, 300, 2000]


def steps_of(
    network: nn.Module, objective: Objective, inputs: tuple, target: torch.Tensor
) -> Callable[[], None]:
    """Return a function that takes some steps."""
    optimizer = build_optimizer("adamw", network, OptimizerSettings(1e-3, 0.02))

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            objective.loss(network(*inputs), target, None).backward()
            optimizer.step()

    return run


def dense(n_members: int, rows: int, columns: int, units: int) -> dict[str, Callable]:
    """Return what to time on numbers alone."""
    options = {"hidden_layer_sizes": (units, units), "activation": "silu"}
    options["dropout"] = 0.1
    inputs, target = (torch.randn(rows, columns),), torch.randint(CLASSES, (rows,))
    one = CrossEntropy(CLASSES)

    def member() -> MLP:
        return MLP(columns, CLASSES, **options)

    pack = PackedMLP(n_members, columns, CLASSES, **options)
    several = Ensemble(member() for _ in range(n_members))
    return {
        "one": steps_of(member(), one, inputs, target),
        "pack": steps_of(pack, BlindMean(one, n_members), inputs, target),
        "modules": steps_of(several, MemberMean(one, n_members), inputs, target),
    }


def tables(n_members: int, rows: int, numbers: int) -> dict[str, Callable]:
    """Return what to time on categories and numbers."""
    sizes, dims = LEVELS, [min(12, (n + 1) // 2) for n in LEVELS]
    columns = list(range(len(sizes)))
    starts = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    picked = torch.rand(rows, len(sizes)) * torch.tensor(sizes)
    indices = (picked.long() + starts).int()
    x, target = torch.randn(rows, numbers), torch.randint(CLASSES, (rows,))
    positions = BINS * torch.rand(rows, numbers)
    one, mean = CrossEntropy(CLASSES), BlindMean(CrossEntropy(CLASSES), n_members)
    drops = {"dropout": 0.2, "unknown_rate": 0.01}
    shape = {"hidden_layer_sizes": (256, 256), "activation": "silu", "dropout": 0.1}

    def pack(*numeric: nn.Module | None) -> PackedEmbeddingNetwork:
        width = sum(dims) + numbers + sum(part.n_outputs for part in numeric if part)
        head = PackedMLP(n_members, width, CLASSES, **shape)
        embedding = PackedEmbedding(n_members, sizes, dims, columns, **drops)
        return PackedEmbeddingNetwork(head, embedding, *numeric)

    bins = PiecewiseLinearEmbedding(n_members, [BINS] * numbers, 8)
    cosines = CosineEmbedding(n_members, range(numbers), 8)
    single = EmbeddingNetwork(
        EntityEmbedding(sizes, dims, columns, **drops),
        MLP(sum(dims) + numbers, CLASSES, **shape),
    )
    return {
        "one": steps_of(single, one, (indices, x), target),
        "pack": steps_of(pack(), mean, (indices, x), target),
        "piecewise": steps_of(pack(bins), mean, (indices, x, positions), target),
        "cosine": steps_of(pack(None, cosines), mean, (indices, x), target),
        "both": steps_of(pack(bins, cosines), mean, (indices, x, positions), target),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    k = options.members
    begin(f"A step of {k} networks: times one network's")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        rows, found = [], {}
        for size in SIZES:
            seconds = time_in_turn(dense(k, *size), options.rounds)
            found[size] = ratio(seconds, "pack", "one")
            rows.append([*size, found[size], ratio(seconds, "modules", "one")])
        heads = ["rows", "columns", "units", "pack", "modules side by side"]
        print_table([f"threads={threads}: {heads[0]}", *heads[1:]], rows)
        for size, value in found.items():
            limit = k / 2 if size[2] == 64 else k
            bar(f"pack, rows, columns, units = {size}", value, limit, at_most=True)
        print()
        rows = []
        for size in [(64, 8), (256, 8), (256, 30)]:
            seconds = time_in_turn(tables(k, *size), options.rounds)
            names = ["pack", "piecewise", "cosine", "both"]
            rows.append([*size, *(ratio(seconds, n, "one") for n in names)])
        heads = ["numbers", "pack", "with piecewise linear", "with cosines", "both"]
        print_table([f"threads={threads}, categories: rows", *heads], rows)
        for n_rows, n_numbers, plain, piecewise, *_ in rows:
            what = f"piecewise / plain, {n_rows} rows of {n_numbers} numbers"
            bar(what, piecewise / plain, 2, at_most=True)
        print()


if __name__ == "__main__":
    main()
