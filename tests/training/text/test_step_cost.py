"""The formula for a step's memory is held against what torch allocates."""

import weakref
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from skdl.networks.language_model import Continued, LanguageModel
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer
from skdl.training.optimization.schedules import resolve_schedule
from skdl.training.runtime import Runtime, runs_in_onednn
from skdl.training.text.next_token import NextTokenLoss
from skdl.training.text.step_cost import LanguageModelCost
from skdl.training.trainer import Trainer

N_TOKENS = 2000
SIZES = [
    {"embedding_dim": 64, "hidden_size": 64, "num_layers": 2},
    {"embedding_dim": 128, "hidden_size": 256, "num_layers": 1},
    {"embedding_dim": 48, "hidden_size": 96, "num_layers": 3},
]
SHAPES = [(12, 24), (3, 96)]
DTYPES = [torch.float32, torch.bfloat16]


@pytest.fixture(params=[True, False], ids=["onednn", "torch's own"])
def onednn(request, monkeypatch):
    """Let oneDNN run what it can on this CPU, and then nothing."""
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", request.param)


def network(**sizes):
    torch.manual_seed(0)
    dropouts = dict.fromkeys(("input_dropout", "hidden_dropout", "output_dropout"), 0.1)
    return Continued(LanguageModel(N_TOKENS, **dropouts, **sizes)).train()


def kept_for_backward(model, ids, dtype):
    """Return the bytes that autograd keeps, without parameters, each storage once."""
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        model.train()(ids).mean_nll(ids)
    return sum(size for size, _ in kept.values())


class Peak(TorchDispatchMode):
    """Adds up what operations allocate and is not yet freed."""

    def __init__(self):
        super().__init__()
        self.alive, self.now, self.highest = set(), 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, torch.Tensor) and not tensor.is_sparse:
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self.alive:
            return
        self.alive.add(key)
        self.now += size
        self.highest = max(self.highest, self.now)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key, size):
        self.alive.discard(key)
        self.now -= size


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_what_layers_keep_is_within_a_quarter_of_the_formula(
    sizes, cell, dtype, onednn
):
    for dropped in (0.0, 0.2):
        model = network(cell=cell, recurrent_dropout=dropped, **sizes)
        cost = LanguageModelCost(
            N_TOKENS,
            cell=cell,
            weight_dropout=dropped > 0,
            item_size=dtype.itemsize,
            **sizes,
        )
        for batch_size, bptt in SHAPES:
            ids = torch.randint(N_TOKENS, (bptt, batch_size))
            kept = kept_for_backward(model, ids, dtype)
            assert cost.kept_bytes(batch_size, bptt) == pytest.approx(kept, rel=0.25)


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
def test_the_peak_of_a_step_is_within_a_quarter_of_the_formula(
    cell, tied, dtype, onednn
):
    sizes = {"embedding_dim": 96, "hidden_size": 128, "num_layers": 2}
    sizes |= {"cell": cell, "tie_weights": tied}
    model = network(recurrent_dropout=0.2, **sizes)
    optimizer = build_optimizer("adamw", model, OptimizerSettings(lr=1e-3))
    trainer = Trainer(
        model,
        NextTokenLoss(N_TOKENS),
        optimizer,
        lr=1e-3,
        schedule=resolve_schedule("constant"),
        runtime=Runtime(torch.device("cpu"), dtype),
        clip_grad_norm=0.25,
    )
    # The weight, its gradient and AdamW's two; the gradient is made in the step.
    sizes |= {"item_size": dtype.itemsize}
    cost = LanguageModelCost(N_TOKENS, weight_dropout=True, n_copies=4, **sizes)
    there = 3 * 4 * sum(p.numel() for p in model.parameters())
    for batch_size, bptt in SHAPES:
        ids = torch.randint(N_TOKENS, (bptt, batch_size))
        model.train()
        trainer.step(((ids,), ids, None))  # makes the optimizer's state
        optimizer.zero_grad()
        with Peak() as peak:
            trainer.step(((ids,), ids, None))
        expected = cost.step_bytes(batch_size=batch_size, bptt=bptt)
        assert expected == pytest.approx(there + peak.highest, rel=0.25)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_weights_are_counted(sizes, cell, tied):
    model = LanguageModel(N_TOKENS, cell=cell, tie_weights=tied, **sizes)
    cost = LanguageModelCost(N_TOKENS, cell=cell, tie_weights=tied, **sizes)
    assert cost.n_weights == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("device_type", ["cpu", "cuda", "xpu"])
@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
def test_longer_windows_take_more_memory_and_are_no_slower(cell, device_type):
    cost = LanguageModelCost(9000, 256, 256, 2, cell=cell, device_type=device_type)
    sizes = [cost.step_bytes(batch_size=20, bptt=t) for t in (10, 35, 70, 280)]
    speeds = [cost.tokens_per_second(batch_size=20, bptt=t) for t in (10, 35, 70, 280)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert speeds == sorted(speeds)


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
def test_without_onednn_bfloat16_is_slow_and_long_windows_gain_little(
    cell, dtype, monkeypatch
):
    cost = LanguageModelCost(9000, 256, 256, 2, cell=cell, item_size=dtype.itemsize)
    fast, gain = speed_and_gain(cost)
    slower = runs_in_onednn(dtype) and (cell == "lstm" or dtype == torch.bfloat16)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    own, own_gain = speed_and_gain(cost)
    assert (own < fast) == slower
    assert (own_gain < gain) == slower
    if dtype == torch.bfloat16:
        float32, _ = speed_and_gain(replace(cost, item_size=4))
        assert own < 0.2 * float32
        assert own_gain < 1.05  # so `bptt="auto"` takes the shortest


def speed_and_gain(cost):
    """Return the tokens a second, and how many times that a long window brings."""
    slow, fast = (cost.tokens_per_second(batch_size=20, bptt=n) for n in (35, 280))
    return slow, fast / slow
