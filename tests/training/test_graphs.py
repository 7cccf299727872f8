"""Captured steps: what decides whether they are, and what comes out of them.

There is no GPU here: a capture is made by what stands in for a CUDA graph, which runs
the captured function anew and writes what it computes where it was.
"""

import warnings
from dataclasses import replace

import pytest
import torch
from torch import nn

from skdl.data.batches import ResidentBatches
from skdl.networks.mlp import MLP
from skdl.training import graphs
from skdl.training.graphs import StepGraphs, step_graphs
from skdl.training.objectives import SquaredError
from skdl.training.optimization.schedules import SCHEDULES
from skdl.training.ranks import Ranks
from skdl.training.runtime import Runtime
from skdl.training.trainer import Trainer

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


def trained(graph=None, batch_size=20, dropout=0.0):
    """Train for some epochs, with or without captured steps."""
    with Runtime(CPU).seeded(0):
        network = MLP(3, 1, hidden_layer_sizes=(8,), dropout=dropout)
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


def test_masks_may_differ_between_a_step_and_its_replay():
    graph = Graph()
    trained(graph, dropout=0.2)
    assert graph.captures == 2


@pytest.fixture
def reasons(monkeypatch):
    told = []
    monkeypatch.setattr(graphs, "_tell", told.append)
    return told


@pytest.mark.parametrize("wrong", [{"spoil": 9.0}, {"shrink": 0.0}])
def test_a_graph_that_computes_something_else_is_not_used(reasons, wrong):
    expected, found = trained(), trained(Graph(**wrong))
    assert found[0] == expected[0]
    assert reasons == ["what a graph computes differs"]


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
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    assert isinstance(step_graphs(network, CUDA), StepGraphs)
    assert step_graphs(network, Runtime(CPU)) is None
    assert step_graphs(network, replace(CUDA, ranks=Ranks(0, 2))) is None
    assert not reasons

    class Own(nn.Module):
        pass

    assert step_graphs(nn.Sequential(Own()), CUDA) is None
    assert step_graphs(network, CUDA, is_frozen=True) is None
    assert ["neither torch's nor skdl's" in r for r in reasons] == [True, False]


def test_a_reason_is_told_once():
    graphs._tell.cache_clear()
    with pytest.warns(RuntimeWarning, match="not captured in a CUDA graph, since it"):
        graphs._tell("it is a test")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graphs._tell("it is a test")
