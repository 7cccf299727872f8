"""Training that survives: too little memory, losses that are not finite."""

import math
import warnings

import pytest
import torch
from torch import nn

from skdl.data import ResidentBatches
from skdl.data.streams import StreamBatches
from skdl.networks.language_model import Continued, LanguageModel
from skdl.training.loop import train
from skdl.training.objectives import CrossEntropy, SquaredError
from skdl.training.optimization.averaging import WeightAverage
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer
from skdl.training.optimization.schedules import SCHEDULES
from skdl.training.runtime import Runtime
from skdl.training.survival.not_finite import DeviceGuard, StepGuard, takes_found_inf
from skdl.training.survival.out_of_memory import MemoryLimit
from skdl.training.survival.snapshot import copied
from skdl.training.text.next_token import NextTokenLoss
from skdl.training.trainer import Trainer


def make_trainer(network, objective=None, *, optimizer="adamw", lr=0.05, **options):
    return Trainer(
        network,
        objective or SquaredError(1),
        build_optimizer(optimizer, network, OptimizerSettings(lr)),
        lr=lr,
        schedule=SCHEDULES["constant"],
        runtime=Runtime(torch.device("cpu")),
        **options,
    )


def batches_of(n=64, batch_size=16, weighted=False):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(n, 3, generator=generator)
    y = X @ torch.tensor([[1.0], [-2.0], [0.5]])
    weight = torch.rand(n, generator=generator) + 0.5 if weighted else None
    return ResidentBatches((X,), y, weight, batch_size=batch_size, shuffle=False)


class Cramped(nn.Module):
    """A network that runs out of memory on more than `limit` rows."""

    def __init__(self, body, limit, *, in_backward=False, dim=0):
        super().__init__()
        self.body, self.limit, self.dim = body, limit, dim
        self.in_backward = in_backward
        self.sizes = []

    def forward(self, x, *rest):
        self.sizes.append(x.shape[self.dim])
        too_large = x.shape[self.dim] > self.limit
        if too_large and not self.in_backward:
            raise torch.OutOfMemoryError("simulated")
        raw = self.body(x, *rest)
        if too_large:
            raw = raw + 0.0
            raw.register_hook(_out_of_memory)
        return raw


def _out_of_memory(gradient):
    raise torch.OutOfMemoryError("simulated")


def fresh_linear():
    torch.manual_seed(1)
    return nn.Linear(3, 1)


# Memory.


@pytest.mark.kernels
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("in_backward", [False, True])
def test_a_batch_in_parts_takes_the_step_of_the_whole(weighted, in_backward):
    whole, cramped = fresh_linear(), Cramped(fresh_linear(), 5, in_backward=in_backward)
    batches = batches_of(weighted=weighted)
    expected = train(make_trainer(whole), batches, max_epochs=3)
    with pytest.warns(RuntimeWarning, match="batch of 16 rows.*at most 4 rows"):
        outcome = train(make_trainer(cramped), batches, max_epochs=3)
    assert torch.allclose(cramped.body.weight, whole.weight, atol=1e-6)
    losses = [r.loss for r in outcome.records]
    assert losses == pytest.approx([r.loss for r in expected.records], rel=1e-5)
    assert [r.rows_at_once for r in outcome.records] == [4, 4, 4]
    assert "rows_at_once" not in expected.records[0].as_row()


def test_what_fitted_is_kept_and_said_once():
    cramped = Cramped(fresh_linear(), 6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = make_trainer(cramped)
        train(trainer, batches_of(), max_epochs=2)
        assert cramped.sizes[:4] == [16, 8, 4, 4]
        assert set(cramped.sizes[2:]) == {4}
        cramped.limit = 3  # less memory than before
        train(trainer, batches_of(), max_epochs=1)
    assert max(cramped.sizes[-32:]) == 2
    assert len(caught) == 1


def test_one_row_that_does_not_fit_is_one_clear_error():
    with pytest.raises(MemoryError, match="one row at a time"):
        train(make_trainer(Cramped(fresh_linear(), 0)), batches_of(), max_epochs=1)


def test_errors_of_other_kinds_go_on_up():
    trainer = make_trainer(nn.Linear(4, 1))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(trainer, batches_of(), max_epochs=1)
    assert trainer.runtime.memory.most_rows is None


def test_a_limit_that_is_not_to_split_lets_the_error_go_up():
    trainer = make_trainer(Cramped(fresh_linear(), 5))
    trainer.runtime = Runtime(torch.device("cpu"), memory=MemoryLimit(splits=False))
    with pytest.raises(torch.OutOfMemoryError):
        train(trainer, batches_of(), max_epochs=1)


def test_what_the_cpus_own_allocator_says_counts():
    class Greedy(nn.Linear):
        def forward(self, x):
            if len(x) > 8:
                torch.empty(1 << 50)
            return super().forward(x)

    with pytest.warns(RuntimeWarning, match="at most 8 rows"):
        outcome = train(make_trainer(Greedy(3, 1)), batches_of(), max_epochs=1)
    assert math.isfinite(outcome.records[0].loss)


class CrampedModel(LanguageModel):
    """A language model that runs out of memory on more than `limit` streams."""

    limit = 100

    def forward(self, ids, states=None):
        if ids.shape[1] > self.limit:
            raise torch.OutOfMemoryError("simulated")
        return super().forward(ids, states)


@pytest.mark.kernels
@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
def test_streams_of_text_in_parts_carry_their_states_on(cell):
    def trained(limit):
        torch.manual_seed(0)
        model = CrampedModel(
            11, embedding_dim=6, hidden_size=8, num_layers=2, cell=cell
        )
        model.limit = limit
        network = Continued(model)
        ids = torch.randint(11, (400,), generator=torch.Generator().manual_seed(3))
        batches = StreamBatches(ids.numpy(), 0, batch_size=5, bptt=8)
        objective = NextTokenLoss(11, activation_penalty=0.5, temporal_penalty=0.5)
        trainer = make_trainer(network, objective, lr=0.01)
        outcome = train(trainer, batches, max_epochs=2)
        return model, outcome.records[-1].loss

    whole, loss = trained(100)
    with pytest.warns(RuntimeWarning, match="batch of 5 rows.*at most 2"):
        parts, loss_in_parts = trained(2)
    assert loss_in_parts == pytest.approx(loss, rel=1e-5)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_a_failure_in_backward_does_not_carry_states_on_twice():
    network = Continued(LanguageModel(5, embedding_dim=4, hidden_size=4, num_layers=1))
    network.train()
    calls = []

    def backward(batch, share):
        (ids,), _, _ = batch
        calls.append(network.carried_states)
        network(ids)
        if ids.shape[1] == 4:
            raise torch.OutOfMemoryError("simulated")
        return torch.tensor(1.0)

    ids = torch.zeros(3, 4, dtype=torch.long)
    with pytest.warns(RuntimeWarning):
        loss = MemoryLimit().gradients(((ids,), ids, None), 1, network, backward)
    assert calls == [None, None, None]
    assert network.carried_states[0][0].shape == (4, 4)
    assert loss == 1


# Steps that are not finite.


class Poisoned(nn.Module):
    """A linear network whose output or gradient is NaN in some calls."""

    def __init__(self, calls, *, gradient=False):
        super().__init__()
        self.body = fresh_linear()
        self.calls, self.gradient, self.n = calls, gradient, 0

    def forward(self, x):
        self.n += 1
        raw = self.body(x)
        if self.n not in self.calls:
            return raw
        if self.gradient:
            raw.register_hook(lambda g: g * math.nan)
            return raw
        return raw * math.nan


@pytest.mark.kernels
@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("gradient", [False, True])
def test_a_step_that_is_not_finite_is_as_if_its_batch_were_absent(gradient, clip):
    network = Poisoned({3}, gradient=gradient)
    trainer = make_trainer(network, clip_grad_norm=clip)
    outcome = train(trainer, batches_of(), max_epochs=1)

    plain = fresh_linear()
    other = make_trainer(plain, clip_grad_norm=clip)
    other.begin_epoch()
    kept = [b for i, b in enumerate(batches_of()) if i != 2]
    losses = [other.step(b).item() for b in kept]
    assert torch.equal(network.body.weight, plain.weight)
    record = outcome.records[0]
    assert record.loss == pytest.approx(sum(losses) / 3)
    assert (record.skipped_steps, record.restorations) == (1, None)


def test_three_bad_steps_in_a_row_go_back_to_the_last_good_epoch():
    network = Poisoned({6, 7, 8})  # in the second epoch of four steps
    trainer, seen = make_trainer(network, lr=0.04), []
    go_back = trainer.go_back

    def watched():
        go_back()
        seen.append(copied(trainer.state_dict()))

    trainer.go_back = watched
    outcome = train(trainer, batches_of(), max_epochs=3)
    first = Poisoned(())
    good = make_trainer(first, lr=0.04)
    train(good, batches_of(), max_epochs=1)
    assert torch.equal(seen[0]["network"]["body.weight"], first.body.weight)
    expected = good.optimizer.state_dict()["state"]
    for key, state in seen[0]["optimizer"]["state"].items():
        for name, value in state.items():
            assert torch.equal(value, expected[key][name])
    assert outcome.reason == "finished"
    assert [r.restorations for r in outcome.records] == [None, 1, None]
    assert [r.skipped_steps for r in outcome.records] == [None, 3, None]
    assert [r.lr for r in outcome.records] == [0.04, 0.02, 0.02]


def test_two_bad_steps_in_a_row_do_not():
    outcome = train(make_trainer(Poisoned({2, 3})), batches_of(), max_epochs=1)
    assert (outcome.records[0].skipped_steps, outcome.records[0].restorations) == (
        2,
        None,
    )


def test_an_epoch_without_a_good_step_does_not_end():
    single = batches_of(batch_size=64)
    outcome = train(make_trainer(Poisoned({2})), single, max_epochs=2)
    assert [r.restorations for r in outcome.records] == [None, 1]


@pytest.mark.parametrize("average", [False, True])
def test_after_three_restorations_the_last_good_model_is_left(average):
    network = Poisoned(range(9, 1000))
    mean = WeightAverage(network, 100) if average else None
    trainer, kept = make_trainer(network, lr=0.08, average=mean), []

    def on_epoch_end(record, so_far):
        with trainer.average.applied() if average else warnings.catch_warnings():
            kept.append(network.body.weight.clone())

    outcome = train(trainer, batches_of(), max_epochs=9, on_epoch_end=on_epoch_end)
    assert (outcome.reason, outcome.kept_epoch) == ("diverged", 2)
    assert len(outcome.records) == 2
    assert torch.equal(network.body.weight, kept[1])
    assert network.n == 8 + 4 * 3  # it does not try for ever
    message = str(outcome.failure)
    for said in ("epoch 3", "step 3", "lr=0.01", "model of epoch 2 is kept", "clip"):
        assert said in message


def test_running_statistics_survive_a_bad_batch():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    X, y = torch.randn(64, 3) + 5, torch.randn(64, 1)
    X[20] = math.nan
    batches = ResidentBatches((X,), y, None, batch_size=4, shuffle=False)
    outcome = train(make_trainer(network), batches, max_epochs=2)
    assert outcome.records[0].skipped_steps == 1
    assert network[0].running_mean.tolist() == pytest.approx([5] * 3, abs=1.5)


def test_a_bad_window_does_not_spoil_the_states_after_it():
    network = Continued(LanguageModel(5, embedding_dim=4, hidden_size=4, num_layers=1))
    network.train()
    with torch.no_grad():
        network(torch.zeros(3, 2, dtype=torch.long))
        weight = network.body.embedding.weight
        kept = weight.clone()
        weight[1] = math.nan
        network(torch.tensor([[0, 1]] * 3))  # one of the two streams meets a NaN
        weight.copy_(kept)
        assert torch.isfinite(network(torch.tensor([[0, 0]])).hidden).all()
    assert network.carried_states[0][0][0].abs().sum() > 0


def test_windows_are_halved_from_the_second_restoration_on():
    class Windows(ResidentBatches):
        shortened = 0

        def shorten(self):
            self.shortened += 1

    X = torch.zeros(8, 3)
    batches = Windows((X,), torch.zeros(8, 1), None, batch_size=2)
    train(make_trainer(Poisoned(range(1000))), batches, max_epochs=1)
    assert batches.shortened == 2
    streams = StreamBatches(torch.arange(400).numpy(), 0, batch_size=2, bptt=20)
    assert len(streams) == 10
    streams.shorten()
    assert len(streams) == 20
    assert len(list(streams)) == 20


def test_the_device_guard_drops_the_same_steps_without_reading():
    def trained(guard):
        network = Poisoned({3, 6, 7}, gradient=True)
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.05, fused=True)
        assert takes_found_inf(optimizer)
        trainer = make_trainer(network)
        trainer.optimizer = optimizer
        if guard:
            trainer.guard = DeviceGuard(optimizer, torch.device("cpu"))
        trainer.keep()
        losses = [trainer.run_epoch(batches_of(), 0.0, 1.0) for _ in range(2)]
        return network.body.weight, losses, trainer.guard.dropped

    weight, losses, dropped = trained(True)
    expected, expected_losses, expected_dropped = trained(False)
    assert torch.equal(weight, expected)
    assert losses == pytest.approx(expected_losses)
    assert (dropped, expected_dropped) == (2, 2)


def test_the_device_guard_notices_a_lost_training_late_but_surely():
    network = Poisoned(range(4, 10_000))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05, fused=True)
    trainer = make_trainer(network)
    trainer.optimizer, trainer.guard = (
        optimizer,
        DeviceGuard(optimizer, torch.device("cpu")),
    )
    many = batches_of(n=1600, batch_size=4)
    assert math.isnan(trainer.run_epoch(many, 0.0, 1.0))
    assert trainer.steps < 200  # of 400
    trainer.guard.reset()
    network.calls = ()
    assert math.isfinite(trainer.run_epoch(batches_of(), 0.0, 1.0))


def test_a_guard_looks_at_sparse_and_complex_gradients_too():
    guard = StepGuard(torch.device("cpu"))
    bad = torch.tensor([0.0, math.nan, 1.0]).to_sparse()
    assert not guard.allows(torch.tensor(1.0), [bad])
    assert guard.allows(torch.tensor(1.0), [torch.ones(3).to_sparse()])
    assert not guard.allows(torch.tensor(1.0), [torch.tensor([complex(0, math.inf)])])
    assert guard.allows(torch.tensor(1.0), [torch.ones(3, dtype=torch.complex64)])


@pytest.mark.kernels
def test_classes_in_parts_are_smoothed_and_weighted_alike():
    torch.manual_seed(0)
    X, y = torch.randn(30, 3), torch.randint(4, (30,))
    weight = torch.rand(30) + 0.5
    network = nn.Linear(3, 4)
    trainer = make_trainer(network, CrossEntropy(4, 0.1), lr=1e-12)
    whole = trainer.step(((X,), y, weight))
    gradient = network.weight.grad.clone()
    trainer.runtime.memory.most_rows = 7
    with pytest.warns(RuntimeWarning, match="at most 7 rows"):
        parts = trainer.step(((X,), y, weight))
    assert parts.item() == pytest.approx(whole.item(), rel=1e-4)
    assert torch.allclose(network.weight.grad, gradient, atol=1e-6)
