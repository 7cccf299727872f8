"""Captured steps: what decides whether they are, and what comes out of them.

There is no GPU here: a capture is made by what stands in for a CUDA graph, which runs
the captured function anew and writes what it computes where it was. Kernels of Triton
are run by its interpreter.
"""

import gc
import threading
import warnings
import weakref
from dataclasses import replace
from unittest import mock

import pytest
import torch
from torch import nn

from skdl.data.batches import ResidentBatches
from skdl.networks.mlp import MLP
from skdl.networks.side_by_side import side_by_side
from skdl.randomness import Randomness, drawing_side_by_side
from skdl.training import captures, graphs
from skdl.training.graphs import StepGraphs, step_graphs
from skdl.training.objectives import SquaredError
from skdl.training.optimization import device_adamw
from skdl.training.optimization.schedules import SCHEDULES
from skdl.training.ranks import Ranks
from skdl.training.runtime import Runtime
from skdl.training.side_by_side import OwnRowsMean
from skdl.training.survival.not_finite import DeviceGuard
from skdl.training.trainer import Trainer
from tests.kernels import interpreted

KERNELS = "skdl.training.optimization._adamw_triton"
CPU = torch.device("cpu")
CUDA = Runtime(torch.device("cuda"))
X = torch.randn(103, 3, generator=torch.Generator().manual_seed(0))
Y = X[:, :1] * 2


class Graph:
    """Stands in for CUDA graphs."""

    def __init__(self, spoil=0.0, shrink=1.0):
        self.captures, self.replays = 0, 0
        self._spoil, self._shrink = spoil, shrink

    def __call__(self, body):
        self.captures += 1
        loss = body()
        gradients = [p.grad for p in self.parameters]

        def replay():
            self.replays += 1
            again = body()
            loss.copy_(again + self._spoil)
            for kept, parameter in zip(gradients, self.parameters, strict=True):
                kept.copy_(parameter.grad * self._shrink)

        return replay, loss


def trained(graph=None, batch_size=20, build=MLP, **options):
    """Train for some epochs, with or without captured steps."""
    with Runtime(CPU).seeded(0):
        network = build(3, 1, **({"hidden_layer_sizes": (8,)} | options))
        trainer = Trainer(
            network,
            SquaredError(1),
            torch.optim.SGD(network.parameters(), lr=0.1),
            lr=0.1,
            schedule=SCHEDULES["one_cycle"],
            runtime=Runtime(CPU),
        )
        if graph is not None:
            graph.parameters = list(network.parameters())
            trainer._graphs = StepGraphs(CPU, graph)
        batches = ResidentBatches((X,), Y, torch.ones(103), batch_size=batch_size)
        losses = [trainer.run_epoch(batches, i / 4, (i + 1) / 4) for i in range(4)]
    return losses, network, trainer


def test_replayed_steps_learn_what_steps_learn():
    graph = Graph()
    found, expected = trained(graph), trained()
    assert found[0] == expected[0]
    for a, b in zip(found[1].parameters(), expected[1].parameters(), strict=True):
        assert a.equal(b)
    assert graph.captures == 2  # batches of 18 and of 17 rows
    # Of 24 steps all but four of each shape, and once to see that it is one.
    assert graph.replays == 24 - 2 * 4 + 2


@pytest.fixture
def kernels():
    """Run the kernel of AdamW by Triton's interpreter."""
    device_adamw._has_kernel.cache_clear()
    with interpreted(KERNELS, has_loops=False):
        yield
    device_adamw._has_kernel.cache_clear()


class WholeGraph(Graph):
    """Stands in for graphs of whole steps: to capture one leaves all as it was."""

    def __call__(self, body):
        trainer = self.trainer
        live = [
            *trainer.network.parameters(),
            trainer.guard._counts,
            trainer.guard._sum,
        ]
        for state in trainer.optimizer.state.values():
            live += state.values()
        kept = [tensor.detach().clone() for tensor in live]
        replay, loss = super().__call__(body)
        with torch.no_grad():
            for tensor, before in zip(live, kept, strict=True):
                tensor.copy_(before)
        return replay, loss


def whole_steps(graph=None, poisoned=(), **options):
    """Train by AdamW whose steps are captured with the gradients, or not at all."""
    with Runtime(CPU).seeded(0):
        network = MLP(3, 1, hidden_layer_sizes=(8,), dropout=0.0)
        optimizer = device_adamw.DeviceAdamW(
            [{"params": [p], "lr_factor": 0.5} for p in network.parameters()],
            lr=0.1,
            weight_decay=0.1,
        )
        trainer = Trainer(
            network,
            SquaredError(1),
            optimizer,
            lr=0.1,
            schedule=SCHEDULES["one_cycle"],
            runtime=Runtime(CPU),
            guard=DeviceGuard(optimizer, CPU),
            **options,
        )
        if graph is not None:
            graph.trainer, graph.parameters = trainer, list(network.parameters())
            trainer._graphs = StepGraphs(CPU, graph)
            update = trainer.device_update
            trainer.device_update = lambda: FixedAnew(update())
        inputs = X.clone()
        inputs[list(poisoned)] = torch.nan
        batches = ResidentBatches(
            (inputs,), Y, torch.ones(103), batch_size=20, shuffle=False
        )
        trainer.keep()
        losses = [trainer.run_epoch(batches, i / 4, (i + 1) / 4) for i in range(4)]
    return losses, network, trainer


class FixedAnew:
    """What follows gradients that each replay makes anew, which a graph does not."""

    def __init__(self, update):
        self._update = update
        self.fix, self.prepare = update.fix, update.prepare

    def __call__(self, loss):
        self._update.fix()
        self._update(loss)


@pytest.mark.parametrize("options", [{}, {"clip_grad_norm": 0.3}])
def test_captured_steps_of_adamw_are_its_steps(kernels, options):
    graph = WholeGraph()
    found, expected = whole_steps(graph, **options), whole_steps(**options)
    assert graph.captures == 4  # gradients, then whole steps, of two shapes
    assert all(s.update for s in found[2]._graphs._shapes.values())
    torch.testing.assert_close(found[0], expected[0])
    for a, b in zip(found[1].parameters(), expected[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(
        *(t.optimizer.state.values() for _, _, t in (found, expected)), strict=True
    ):
        assert a["step"] == b["step"]


def test_captured_steps_drop_what_is_not_finite(kernels):
    found, expected = (whole_steps(graph, [100]) for graph in (WholeGraph(), None))
    assert found[2].guard.dropped == expected[2].guard.dropped == 1
    torch.testing.assert_close(found[0], expected[0])
    for a, b in zip(found[1].parameters(), expected[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_loaded_state_is_captured_anew(kernels):
    graph = WholeGraph()
    trainer = whole_steps(graph)[2]
    assert trainer._graphs._shapes
    trainer.go_back()
    assert not trainer._graphs._shapes


def test_without_its_kernel_the_step_of_adamw_is_not_captured(monkeypatch):
    monkeypatch.setattr(device_adamw, "_verified", lambda device: 1 / 0)
    device_adamw._has_kernel.cache_clear()
    with pytest.warns(RuntimeWarning, match="kernel of AdamW cannot be used on cpu"):
        assert whole_steps()[2].device_update() is None
    device_adamw._has_kernel.cache_clear()


@pytest.mark.parametrize("options", [{"dropout": 0.2}, {"batch_norm": True}])
def test_masks_and_statistics_are_those_without_a_graph(options):
    graph = Graph()
    found, expected = trained(graph, **options), trained(**options)
    assert graph.captures == 2
    assert found[0] == expected[0]
    values = found[1].state_dict().values(), expected[1].state_dict().values()
    for a, b in zip(*values, strict=True):
        assert a.equal(b)


def torchs_dropout(n_inputs, n_outputs, **_):
    """Build what draws from torch's global generators, which a fit has on loan."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(n_inputs, 8), nn.Dropout(0.3), nn.Linear(8, n_outputs)
    )


def test_masks_of_torchs_layers_are_those_without_a_graph():
    graph = Graph()
    found, expected = (trained(g, build=torchs_dropout) for g in (graph, None))
    assert graph.captures == 2
    assert found[0] == expected[0]
    for a, b in zip(found[1].parameters(), expected[1].parameters(), strict=True):
        assert a.equal(b)


def trained_together(graph=None):
    """Train two networks as one, each with masks of its own."""
    streams = [Randomness(seed, CPU) for seed in (0, 1)]
    with drawing_side_by_side(streams):
        torch.manual_seed(0)
        members = [MLP(3, 1, hidden_layer_sizes=(8,), dropout=0.3) for _ in streams]
        pack = side_by_side(members, [0, 1])
        trainer = Trainer(
            pack,
            OwnRowsMean(SquaredError(1), 2),
            torch.optim.SGD(pack.parameters(), lr=0.1),
            lr=0.1,
            schedule=SCHEDULES["one_cycle"],
            runtime=Runtime(CPU),
        )
        if graph is not None:
            graph.parameters = list(pack.parameters())
            trainer._graphs = StepGraphs(CPU, graph)
        trainer.begin_epoch()
        batch = (X[:20].expand(2, -1, -1),), Y[:20].expand(2, -1, -1), None
        return [trainer.step(batch).item() for _ in range(9)]


def test_masks_of_networks_trained_as_one_are_those_without_a_graph():
    graph = Graph()
    assert trained_together(graph) == trained_together()
    assert graph.captures == 1


def test_what_draws_in_a_graph_is_known_to_it(monkeypatch):
    drawn_from = [object(), object()]
    monkeypatch.setattr(graphs, "generators_on", lambda device: drawn_from)
    with (
        mock.patch("torch.cuda.CUDAGraph") as made,
        mock.patch("torch.cuda.graph") as capture,
    ):
        replay, result = graphs.captured(lambda: "loss")
    graph = made.return_value
    assert (replay, result) == (graph.replay, "loss")
    assert [c.args[0] for c in graph.register_generator_state.mock_calls] == drawn_from
    assert capture.call_args.args == (graph,)


def test_nothing_is_collected_while_a_graph_is_captured():
    class Watching(Graph):
        def __call__(self, body):
            assert not gc.isenabled()
            return super().__call__(body)

    graph = Watching()
    trained(graph)
    assert graph.captures == 2
    assert gc.isenabled()


def test_graphs_go_with_their_training(kernels):
    class Forgetful(WholeGraph):
        """Keeps what was captured no longer than a graph does."""

        def __call__(self, body):
            return lambda: None, super().__call__(body)[1]

    graph = Forgetful()
    trainer = whole_steps(graph)[2]
    assert trainer._graphs._shapes
    graph.trainer = None
    del trainer.device_update  # the stand-in's
    found = weakref.ref(trainer)
    gc.disable()  # a graph that is collected ends what is captured then
    try:
        del trainer
        assert found() is None
    finally:
        gc.enable()


def test_nothing_is_captured_while_another_thread_computes(reasons):
    graph, begun, done = Graph(), threading.Event(), threading.Event()

    def compute():
        with captures.computing_on(torch.device("cuda")):
            begun.set()
            done.wait(30)

    other = threading.Thread(target=compute)
    other.start()
    assert begun.wait(30)
    trained(graph)
    assert graph.captures == 0
    done.set()
    other.join()
    with captures.computing_on(torch.device("cuda")):
        trained(graph)
    assert graph.captures == 2
    assert not reasons
    assert not captures._computing


@pytest.fixture
def reasons(monkeypatch):
    told = []
    monkeypatch.setattr(graphs, "_tell", lambda *words: told.append("".join(words)))
    return told


@pytest.mark.parametrize("wrong", [{"spoil": 9.0}, {"shrink": 0.0}])
def test_a_graph_that_computes_something_else_is_not_used(reasons, wrong):
    expected, found = trained(), trained(Graph(**wrong))
    assert found[0] == expected[0]
    (reason,) = reasons
    assert reason.startswith("what a graph computes differs (loss and gradient (")


def test_a_capture_that_fails_leaves_the_step_as_it_is(reasons):
    class Failing(Graph):
        def __call__(self, body):
            body()
            raise RuntimeError("operation not permitted when stream is capturing\nC")

    expected, found = trained(), trained(Failing())
    assert found[0] == expected[0]
    assert reasons == ["that fails (operation not permitted when stream is capturing)"]


def test_batches_of_many_shapes_are_not_captured(reasons, monkeypatch):
    monkeypatch.setattr(graphs, "_MOST_SHAPES", 1)
    assert trained(Graph())[0] == trained()[0]
    assert reasons == ["batches are of more than 1 shapes"]


def test_a_batch_that_goes_in_parts_is_not_replayed():
    graph = Graph()
    _, _, trainer = trained(graph)
    replays = graph.replays
    trainer.runtime.memory.most_rows = 4
    with pytest.warns(RuntimeWarning, match="parts of at most 4 rows"):
        trainer.step(((X[:18],), Y[:18], torch.ones(18)))
    assert graph.replays == replays


def test_steps_are_captured_on_gpus_where_nothing_speaks_against_it(reasons):
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1), nn.Linear(2, 1))
    for is_training in (True, False):  # as users and looks at outputs leave it
        assert isinstance(step_graphs(network.train(is_training), CUDA), StepGraphs)
    assert step_graphs(network, Runtime(CPU)) is None
    assert step_graphs(network, replace(CUDA, ranks=Ranks(0, 2))) is None
    assert not reasons

    class Own(nn.Module):
        pass

    assert step_graphs(nn.Sequential(Own()), CUDA) is None
    assert ["neither torch's nor skdl's" in r for r in reasons] == [True]
    assert step_graphs(network, CUDA, is_frozen=True) is None


def test_a_reason_is_told_once(monkeypatch):
    monkeypatch.setattr(graphs, "_told", set())
    with pytest.warns(RuntimeWarning, match="not captured in a CUDA graph, since it"):
        graphs._tell("it is a test")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graphs._tell("it is a test", " (or another)")
