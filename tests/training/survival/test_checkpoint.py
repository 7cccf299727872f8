"""Checkpoints: written whole or not at all, read only where they belong."""

import errno
import os
import pickle
import secrets
import warnings

import pytest
import torch
from torch import nn

from skdl.data import ResidentBatches
from skdl.networks.dropout import Dropout
from skdl.networks.mlp import MLP
from skdl.training.loop import train
from skdl.training.objectives import SquaredError
from skdl.training.optimization.averaging import TriggeredAverage, WeightAverage
from skdl.training.optimization.freezing import Freezing
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer
from skdl.training.optimization.schedules import SCHEDULES
from skdl.training.runtime import Runtime
from skdl.training.stopping import EarlyStopping
from skdl.training.survival import checkpoint as checkpoint_module
from skdl.training.survival.checkpoint import Checkpoint, digest, remove_checkpoint
from skdl.training.survival.whole_file import write_whole
from skdl.training.trainer import Trainer

IDENTITY = {"estimator": "A", "lr": "0.1"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.pt"


def test_what_is_saved_is_read_again(path):
    first = Checkpoint(path, IDENTITY)
    assert first.state is None
    first.notes["seeds"] = [1, 2]
    first.save(1, {"weight": torch.arange(3.0), "epoch": 1})
    second = Checkpoint(str(path), IDENTITY)
    assert second.state["weight"].tolist() == [0, 1, 2]
    assert second.notes == {"seeds": [1, 2]}
    assert os.listdir(path.parent) == ["fit.pt"]


def test_every_n_epochs_and_at_the_end(path):
    checkpoint = Checkpoint(path, IDENTITY, every=3)
    written = []
    for epoch in range(1, 8):
        checkpoint.save(epoch, {"epoch": epoch}, last=epoch == 7)
        if path.exists():
            written.append(Checkpoint(path, IDENTITY).state["epoch"])
    assert written == [3, 3, 3, 6, 7]


def test_another_fit_is_refused_with_what_differs(path):
    Checkpoint(path, IDENTITY).save(1, {})
    with pytest.raises(ValueError, match=r"lr is 0.1 there and 0.2 here.*delete"):
        Checkpoint(path, {"estimator": "A", "lr": "0.2"})
    with pytest.raises(ValueError, match="estimator is A there and B here"):
        Checkpoint(path, {"estimator": "B", "lr": "0.1"})
    later = Checkpoint(path, IDENTITY)
    with pytest.raises(ValueError, match="data is not there and x here"):
        later.match({"data": "x"})


def test_another_version_of_the_format_is_refused(path, monkeypatch):
    monkeypatch.setattr(checkpoint_module, "PROTOCOL", 99)
    Checkpoint(path, {**IDENTITY, "skdl": "9.9"}).save(1, {})
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"version 99 .*skdl 9\.9.*reads version 2"):
        Checkpoint(path, IDENTITY)


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "tensor", "code"])
def test_a_file_that_is_no_checkpoint_is_refused(path, kind):
    if kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "empty":
        path.touch()
    elif kind == "tensor":
        torch.save(torch.ones(3), path)
    elif kind == "code":
        path.write_bytes(pickle.dumps(os.system))
    else:
        Checkpoint(path, IDENTITY).save(1, {"x": torch.ones(1000)})
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="no checkpoint of skdl, or damaged: .*Delete"):
        Checkpoint(path, IDENTITY)


def test_a_folder_that_is_not_there_is_refused_at_once(tmp_path):
    for place in (tmp_path / "nowhere" / "fit.pt", tmp_path):
        with pytest.raises(ValueError, match="path of a file in a folder"):
            Checkpoint(place, IDENTITY)


def test_a_full_disk_leaves_the_old_file_and_is_said_once(path, monkeypatch):
    checkpoint = Checkpoint(path, IDENTITY)
    checkpoint.save(1, {"epoch": 1})

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for epoch in (2, 3):
            checkpoint.save(epoch, {"epoch": epoch, "x": torch.ones(100_000)})
    monkeypatch.undo()
    assert len(caught) == 1
    said = str(caught[0].message)
    assert os.strerror(errno.ENOSPC) in said
    assert "after epoch 2" in said
    assert Checkpoint(path, IDENTITY).state == {"epoch": 1}
    assert os.listdir(path.parent) == ["fit.pt"]
    checkpoint.save(4, {"epoch": 4})  # there is room again
    assert Checkpoint(path, IDENTITY).state == {"epoch": 4}


def test_an_interruption_while_writing_leaves_the_old_file(path, monkeypatch):
    checkpoint = Checkpoint(path, IDENTITY)
    checkpoint.save(1, {"epoch": 1})

    def interrupted(content, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(2, {"epoch": 2})
    monkeypatch.undo()
    assert Checkpoint(path, IDENTITY).state == {"epoch": 1}
    assert os.listdir(path.parent) == ["fit.pt"]


# Damage, and what others put beside a checkpoint.


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_flipped_bit_anywhere_is_one_clear_error(path):
    Checkpoint(path, IDENTITY).save(1, {"x": torch.arange(300.0), "epoch": 1})
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 61):  # every eighth byte, every place in it
        path.write_bytes(flipped(content, bit))
        with pytest.raises(ValueError, match=r"or damaged: it(s checksum| does not)"):
            Checkpoint(path, IDENTITY)
    path.write_bytes(content)
    assert Checkpoint(path, IDENTITY).state["epoch"] == 1


def test_a_file_that_was_cut_off_or_continued_is_one_clear_error(path):
    Checkpoint(path, IDENTITY).save(1, {"x": torch.arange(300.0), "epoch": 1})
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="or damaged: it"):
            Checkpoint(path, IDENTITY)
    path.write_bytes(content + b"0")
    with pytest.raises(ValueError, match="or damaged: its checksum"):
        Checkpoint(path, IDENTITY)


def test_what_lies_where_a_file_might_be_written_first_is_left_alone(path):
    own, aim = path.with_name("fit.pt.tmp"), path.with_name("precious")
    own.write_text("the user's own")
    aim.write_text("precious")
    planted = [path.with_name(f".fit.pt.{i:016x}.tmp") for i in range(3)]
    for link in planted:
        os.symlink(aim, link)
    Checkpoint(path, IDENTITY).save(1, {"epoch": 1})
    remove_checkpoint(path)
    assert own.read_text() == "the user's own"
    assert aim.read_text() == "precious"
    assert all(link.is_symlink() for link in planted)
    assert not path.exists()


def test_a_file_of_that_name_is_never_written_over(path, monkeypatch):
    monkeypatch.setattr(secrets, "token_hex", lambda n: "0" * 2 * n)
    aim, link = path.with_name("precious"), path.with_name(f".fit.pt.{'0' * 16}.tmp")
    aim.write_text("precious")
    os.symlink(aim, link)
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        Checkpoint(path, IDENTITY).save(1, {"epoch": 1})
    assert aim.read_text() == "precious"
    assert link.is_symlink()


def test_what_a_killed_writer_has_left_is_cleared_away(path):
    left = path.with_name(f".fit.pt.{'a' * 16}.tmp")
    other = path.with_name(f".fit.pt2.{'a' * 16}.tmp")
    for file in (left, other):
        file.write_bytes(b"half")
    Checkpoint(path, IDENTITY)
    assert not left.exists()
    assert other.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(path):
    os.mkfifo(path)
    with pytest.raises(ValueError, match="it is no regular file"):
        Checkpoint(path, IDENTITY)


def test_others_may_read_a_checkpoint_as_they_may_any_new_file(path):
    Checkpoint(path, IDENTITY).save(1, {"epoch": 1})
    usual = path.with_name("usual")
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode


def test_the_state_of_another_optimizer_is_refused(path):
    with pytest.raises(CutOffError):
        run(path, until=3)
    with pytest.raises(ValueError, match="of another optimizer: it was .*AdamW"):
        run(path, optimizer="sgd")


def test_removing_a_file_that_is_not_there_is_no_error(path):
    remove_checkpoint(path)
    path.touch()
    remove_checkpoint(path)
    assert not path.exists()


def test_digests_tell_values_shapes_and_types_apart():
    x = torch.arange(6)
    versions = [x, x.view(2, 3), x.int(), x + 1, x.bool(), x.bfloat16(), x[:0]]
    assert len({digest([v]) for v in versions}) == len(versions)
    assert digest([x.view(2, 3).T]) == digest([x.view(2, 3).T.contiguous()])


def test_dropout_goes_on_with_the_masks_it_would_have_had():
    torch.manual_seed(0)
    dropout, x = Dropout(0.5), torch.ones(50, 20)
    for _ in range(3):
        dropout(x)
    state, generator = dropout.mask_state(), torch.get_rng_state()
    expected = [dropout(x) for _ in range(70)]  # a new pool among them
    other = Dropout(0.5)
    torch.manual_seed(1)
    torch.set_rng_state(generator)
    other.load_mask_state(state)
    assert all(torch.equal(other(x), e) for e in expected)
    other.load_mask_state(None)
    assert other.mask_state() is None


# A training that is cut off.


class CutOffError(Exception):
    pass


def run(
    path,
    *,
    until=None,
    average=None,
    stopping=False,
    thaw=False,
    every=1,
    optimizer="adamw",
):
    """Train; with `until`, fail after so many epochs."""
    torch.manual_seed(0)
    X = torch.randn(48, 3)
    y = X.sin() @ torch.ones(3, 1)
    network = MLP(3, 1, hidden_layer_sizes=[8, 8], dropout=0.3, batch_norm=True)
    averages = {"ema": lambda n: WeightAverage(n, 20), "nt": TriggeredAverage}
    trainer = Trainer(
        network,
        SquaredError(1),
        build_optimizer(optimizer, network, OptimizerSettings(0.02)),
        lr=0.02,
        schedule=SCHEDULES["one_cycle"],
        runtime=Runtime(torch.device("cpu")),
        average=averages[average](network) if average else None,
        freezing=Freezing(network, "all_but_last", "gradual") if thaw else None,
    )
    losses = [5.0, 3.0, 4.0, 2.0, 6.0, 6.0, 6.0, 6.0, 6.0]
    checkpoint = None if path is None else Checkpoint(path, IDENTITY, every=every)
    done = checkpoint.state["epoch"] if checkpoint and checkpoint.state else 0

    def begin():
        if until is not None and begin.epochs == until:
            raise CutOffError
        begin.epochs += 1

    def validate():
        return losses[done + begin.epochs - 1], 0.0

    begin.epochs = 0
    outcome = train(
        trainer,
        ResidentBatches((X,), y, None, batch_size=8),
        max_epochs=8,
        validate=validate if stopping or average else None,
        stopping=EarlyStopping(3) if stopping else None,
        on_epoch_begin=begin,
        checkpoint=checkpoint,
    )
    return network.state_dict(), outcome


@pytest.mark.kernels
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"average": "ema"},
        {"average": "nt"},
        {"stopping": True},
        {"stopping": True, "average": "ema"},
        {"thaw": True},
        {"every": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("until", [1, 5])
def test_a_training_that_goes_on_ends_with_the_same_bits(path, options, until):
    expected, outcome = run(None, **options)
    with pytest.raises(CutOffError):
        run(path, until=until, **options)
    weights, resumed = run(path, **options)
    for name, weight in expected.items():
        assert torch.equal(weights[name], weight), name
    assert resumed.kept_epoch == outcome.kept_epoch
    assert resumed.reason == outcome.reason
    assert [(r.epoch, r.loss, r.lr) for r in resumed.records] == [
        (r.epoch, r.loss, r.lr) for r in outcome.records
    ]


def test_a_training_cut_off_after_its_last_epoch_is_at_its_end(path):
    expected, outcome = run(path)  # the file is for the fit to remove
    weights, again = run(path)
    assert all(torch.equal(weights[n], w) for n, w in expected.items())
    assert again.records == outcome.records


@pytest.mark.kernels
def test_halved_rates_and_windows_and_parts_of_batches_go_on(path):
    class Windows(ResidentBatches):
        shortened = 0

        def shorten(self):
            self.shortened += 1

    class Bad(nn.Linear):
        bad = 0

        def forward(self, x):
            if len(x) > 4:
                raise torch.OutOfMemoryError("simulated")
            self.bad -= 1
            return super().forward(x) * (float("nan") if self.bad > 0 else 1.0)

    def attempt(bad, epochs):
        network = Bad(2, 1)
        network.bad = bad
        trainer = Trainer(
            network,
            SquaredError(1),
            build_optimizer("sgd", network, OptimizerSettings(0.1)),
            lr=0.1,
            schedule=SCHEDULES["constant"],
            runtime=Runtime(torch.device("cpu")),
        )
        batches = Windows((torch.ones(16, 2),), torch.ones(16, 1), None, batch_size=8)
        outcome = train(
            trainer,
            batches,
            max_epochs=epochs,
            checkpoint=Checkpoint(path, IDENTITY),
        )
        return outcome.records, trainer, batches

    with pytest.warns(RuntimeWarning, match="at most 4 rows"):
        records, trainer, batches = attempt(9, 1)
    assert (records[0].restorations, batches.shortened) == (2, 1)
    with pytest.warns(RuntimeWarning, match="at most 4 rows"):
        records, trainer, batches = attempt(0, 2)
    assert (records[1].lr, batches.shortened) == (0.025, 1)
    assert trainer.runtime.memory.most_rows == 4


@pytest.mark.parametrize("content", [{"state": 1}, [1, 2], "text"])
def test_a_whole_file_of_something_else_is_refused(content, tmp_path):
    path = tmp_path / "fit.pt"
    write_whole(path, b"skdl checkpoint\n", lambda file: torch.save(content, file))
    with pytest.raises(ValueError, match="no checkpoint of skdl"):
        Checkpoint(path, {})
