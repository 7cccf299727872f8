"""The training loop: what it sums, when it stops and which weights it keeps."""

import pytest
import torch
from torch import nn

from skdl.data import ResidentBatches
from skdl.randomness import generator_on
from skdl.training.loop import train
from skdl.training.objectives import SquaredError
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer
from skdl.training.optimization.schedules import SCHEDULES
from skdl.training.runtime import Runtime, resolve_runtime, work_per_row
from skdl.training.stopping import EarlyStopping
from skdl.training.trainer import Trainer


@pytest.fixture
def problem():
    torch.manual_seed(0)
    X = torch.randn(64, 3)
    y = X @ torch.tensor([[1.0], [-2.0], [0.5]])
    return nn.Linear(3, 1), ResidentBatches((X,), y, None, batch_size=16)


def make_trainer(
    network, *, schedule="constant", lr=0.05, clip=None, optimizer="adamw"
):
    return Trainer(
        network,
        SquaredError(1),
        build_optimizer(optimizer, network, OptimizerSettings(lr)),
        lr=lr,
        schedule=SCHEDULES[schedule],
        runtime=Runtime(torch.device("cpu")),
        clip_grad_norm=clip,
    )


def test_training_finds_the_coefficients(problem):
    network, batches = problem
    outcome = train(make_trainer(network), batches, max_epochs=100)
    assert outcome.reason == "finished"
    assert network.weight[0].tolist() == pytest.approx([1.0, -2.0, 0.5], abs=0.02)
    assert outcome.records[-1].loss < 0.01 * outcome.records[0].loss


def test_the_schedule_runs_over_the_whole_training(problem):
    network, batches = problem
    seen = []
    trainer = make_trainer(network, schedule="one_cycle", lr=1.0)
    step = trainer.step
    trainer.step = lambda batch: (seen.append(trainer.current_lr), step(batch))[1]
    train(trainer, batches, max_epochs=10)
    assert len(seen) == 40
    assert max(seen) == pytest.approx(1.0)
    assert seen.index(max(seen)) == 10
    assert seen[-1] < 0.02


def test_momentum_cycles_around_the_users_value(problem):
    network, batches = problem
    trainer = make_trainer(network, schedule="one_cycle")
    trainer.set_progress(0.0)
    assert trainer.optimizer.param_groups[0]["betas"][0] == pytest.approx(0.95)
    trainer.set_progress(0.25)
    assert trainer.optimizer.param_groups[0]["betas"] == pytest.approx((0.85, 0.999))


def test_early_stopping_goes_back_to_the_last_of_the_best_epochs(problem):
    network, batches = problem
    losses = iter([5.0, 3.0, 3.0, 4.0, 4.0, 4.0])
    weights = []

    def validate():
        weights.append(network.weight.clone())
        return next(losses), 0.0

    outcome = train(
        make_trainer(network),
        batches,
        max_epochs=50,
        validate=validate,
        stopping=EarlyStopping(patience=3),
    )
    assert outcome.reason == "early_stopping"
    assert outcome.kept_epoch == 3
    assert len(outcome.records) == 5
    assert torch.equal(network.weight, weights[2])


def test_weights_that_end_infinite_are_taken_back(problem):
    network, _ = problem

    class Exploding(torch.optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            network.weight.data.fill_(float("inf"))

    trainer = make_trainer(network, optimizer=Exploding)
    single = ResidentBatches((torch.ones(4, 3),), torch.ones(4, 1), None, batch_size=4)
    before = network.weight.clone()
    outcome = train(trainer, single, max_epochs=2)
    assert (outcome.reason, outcome.kept_epoch) == ("diverged", 0)
    assert torch.equal(network.weight, before)


def test_an_interruption_keeps_the_epochs_done(problem):
    network, batches = problem
    trainer, kept = make_trainer(network), []
    step = trainer.step

    def interrupted(batch):
        if len(kept) == 2:
            raise KeyboardInterrupt
        return step(batch)

    trainer.step = interrupted
    outcome = train(
        trainer,
        batches,
        max_epochs=9,
        on_epoch_end=lambda record, so_far: kept.append(network.weight.clone()),
    )
    assert (outcome.reason, outcome.kept_epoch) == ("interrupted", 2)
    assert isinstance(outcome.failure, KeyboardInterrupt)
    assert len(outcome.records) == 2
    assert torch.equal(network.weight, kept[1])


def test_an_interruption_before_any_epoch_is_done_goes_on_up(problem):
    network, batches = problem
    trainer = make_trainer(network)
    trainer.step = lambda batch: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        train(trainer, batches, max_epochs=3)


def test_clipping_bounds_the_gradient(problem):
    network, batches = problem
    trainer = make_trainer(network, clip=1e-3)
    trainer.step(next(iter(batches)))
    norm = torch.cat([p.grad.flatten() for p in network.parameters()]).norm()
    assert norm <= 1.001e-3


def test_seeding_leaves_the_callers_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    runtime = resolve_runtime("cpu")
    with runtime.seeded(1):
        first = torch.rand(3, generator=generator_on(runtime.device))
    with runtime.seeded(1):
        again = torch.rand(3, generator=generator_on(runtime.device))
    assert torch.equal(again, first)
    assert torch.equal(torch.rand(1), expected)


def test_small_steps_use_one_thread_and_give_it_back():
    allowed = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        runtime = resolve_runtime("cpu")
        with runtime.threads(1e3):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with runtime.threads(1e12):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(allowed)


def test_work_counts_multiplications_of_linear_and_convolutional_layers():
    network = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3))
    assert work_per_row(network, (torch.zeros(4, 10),)) == 10 * 20 + 20 * 3
    conv = nn.Conv2d(2, 5, 3)  # 6 x 6 positions
    assert work_per_row(conv, (torch.zeros(2, 2, 8, 8),)) == 5 * 2 * 9 * 36


@pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_with_advice(device):
    with pytest.raises(ValueError, match="auto"):
        resolve_runtime(device)
