"""One row through a pack as a function: what the modules compute, whatever happens."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize as parametrizing
from torch.nn.utils import prune as pruning

from skdl.networks.folding import settle
from skdl.networks.gates import InputGates
from skdl.networks.numeric_embedding import CosineEmbedding, PiecewiseLinearEmbedding
from skdl.networks.packed import PackedMLP, PackedRandomEffects
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork
from skdl.networks.packed_settings import with_slopes
from skdl.networks.straight import Straight

M, DIM, BINS, NUMBERS = 4, 8, [5, 2, 7], 3
INDICES = torch.tensor([[2, 6]], dtype=torch.int32)
POSITIONS = torch.tensor([[0.5, 2.0, 6.25]])
GROUPS = torch.tensor([[2, 0]], dtype=torch.int32)


def parts_of(kinds):
    """Return the parts of a pack by name."""
    parts = {}
    if "embedding" in kinds:
        parts["embedding"] = PackedEmbedding(M, [4, 5], [3, 2], [0, 1], dropout=0.2)
    if "piecewise" in kinds:
        parts["piecewise"] = PiecewiseLinearEmbedding(M, BINS, DIM)
    if "cosine" in kinds:
        parts["cosine"] = CosineEmbedding(M, [0, 2], DIM)
        ends = torch.full((NUMBERS,), 2.0)
        parts["cosine"].set_range(-ends, ends)
    return parts


def new_pack(
    kinds=("embedding", "piecewise", "cosine"), effects=False, gates=False, **options
):
    torch.manual_seed(0)
    parts = parts_of(kinds)
    n_inputs = NUMBERS + sum(part.n_outputs for part in parts.values())
    options = {"hidden_layer_sizes": (128, 128), "activation": "silu", **options}
    head = PackedMLP(M, n_inputs, 3, **options)
    if effects:
        parts["effects"] = PackedRandomEffects(M, [3, 2], 3)
        nn.init.normal_(parts["effects"].table)
    if gates:
        entries = parts["embedding"].n_outputs if "embedding" in parts else 0
        vectors = [([0, 1, 2], DIM)] if "piecewise" in parts else []
        vectors += [([0, 2], DIM)] if "cosine" in parts else []
        parts["gates"] = InputGates(M, entries, NUMBERS, vectors)
        nn.init.normal_(parts["gates"].gate)
    for module in head.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return PackedEmbeddingNetwork(head, **parts).eval()


def inputs_of(pack):
    found = [INDICES, torch.tensor([[0.3, -5.0, 1.2]])]
    if pack.piecewise is not None:
        found.append(POSITIONS)
    if pack.effects is not None:
        found.append(GROUPS)
    return found


def predicted(pack, inputs):
    """Return what predicts one row makes of it."""
    return pack.function_of_one_row()(*inputs)


def assert_same(pack, inputs=None):
    """Compare what predicts one row with the modules, to the bit."""
    inputs = inputs_of(pack) if inputs is None else inputs
    with torch.inference_mode():
        found, expected = predicted(pack, inputs), pack(*inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


KINDS = [
    (),
    ("embedding",),
    ("piecewise",),
    ("cosine",),
    ("embedding", "cosine"),
    ("embedding", "piecewise", "cosine"),
]


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("effects", [True, False])
@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_one_row_is_what_the_modules_compute(kinds, effects, settled):
    pack = new_pack(kinds, effects)
    if settled:
        settle(pack)
    assert_same(pack)


@pytest.mark.parametrize(
    "options",
    [
        {"gates": True},
        {"batch_norm": True},
        {"dropout": 0.3},
        {"dropout": [0.0, 0.0, 0.3, 0.5]},
        {"activation": "relu"},
        {"activation": "identity"},
        {"hidden_layer_sizes": (64, 128, 128, 128)},
    ],
    ids=str,
)
def test_one_row_of_any_pack(options):
    pack = new_pack(**options)
    assert_same(pack)


def test_slopes_of_members_count():
    pack = new_pack()
    pack.head.layers = with_slopes(pack.head.layers, [0.5, 1.0, 2.0, 4.0])
    assert_same(pack)


def test_a_dense_pack_by_itself():
    torch.manual_seed(0)
    pack = PackedMLP(M, 200, 7, hidden_layer_sizes=(128,)).eval()
    assert_same(pack, [torch.randn(1, 200)])


def test_one_row_is_near_what_it_is_among_others():
    pack = new_pack(effects=True)
    settle(pack)
    inputs = inputs_of(pack)
    with torch.inference_mode():
        among = pack(*(t.expand(32, -1) for t in inputs))[:1]
        torch.testing.assert_close(predicted(pack, inputs), among)


def test_a_missing_number_is_not_a_number():
    pack = new_pack(("cosine",))
    assert_same(pack, [INDICES, torch.full((1, NUMBERS), torch.nan)])


def test_a_small_pack_leaves_rows_among_others():
    assert new_pack(hidden_layer_sizes=(8, 8)).function_of_one_row() is None


# Whatever is done to a network that has predicted one row already.


def double(pack):
    pack.double()


def move_data(pack):
    for parameter in pack.parameters():
        parameter.data = parameter.data * 0.5


def change_in_place(pack):
    for parameter in pack.parameters():
        parameter.data.mul_(0.5)


def load(pack):
    pack.load_state_dict({k: v * 0.5 for k, v in pack.state_dict().items()})


def new_parameter(pack):
    pack.head.layers[2].weight = nn.Parameter(pack.head.layers[2].weight * 0.5)


def new_bias(pack):
    pack.piecewise.bias = nn.Parameter(pack.piecewise.bias.detach().contiguous() * 0.5)


def new_range(pack):
    ends = torch.full((NUMBERS,), 0.1)
    pack.cosine.set_range(-ends, ends)


def new_layer(pack):
    pack.head.layers[1] = nn.Tanh()


def one_layer_more(pack):
    pack.head.layers.append(nn.Tanh())


def new_part(pack):
    pack.cosine = CosineEmbedding(M, [0, 2], DIM)


def settled(pack):
    settle(pack)


def new_forward(pack):
    pack.head.layers[1].forward = torch.tanh


def new_forward_of_weights(pack):
    layer = pack.head.layers[0]
    forward = layer.forward
    layer.forward = lambda x: forward(x) * 0.5


def new_each(pack):
    each = pack.each
    pack.each = lambda *inputs: each(*inputs) * 0.5


class OtherPack(PackedEmbeddingNetwork):
    """A pack that does something else."""

    def each(self, *inputs):
        return super().each(*inputs) * 0.5


def other_class(pack):
    pack.__class__ = OtherPack


def turn(pack):
    pack.head.layers[2].weight.data = pack.head.layers[2].weight.data.mT


def hook(pack):
    pack.head.layers[0].register_forward_hook(lambda m, given, found: found * 0.5)


def hook_before(pack):
    pack.cosine.register_forward_pre_hook(lambda m, given: (given[0] * 0.5,))


class Half(nn.Module):
    """Halves a weight, whatever it is."""

    def forward(self, weight):
        return weight * 0.5


def parametrize(pack):
    for part in (pack.head.layers[2], pack.piecewise, pack.cosine):
        name = "frequency" if part is pack.cosine else "weight"
        parametrizing.register_parametrization(part, name, Half())


def prune(pack):
    pruning.l1_unstructured(pack.head.layers[2], "weight", amount=0.5)


class OtherHead(PackedMLP):
    """A head that does something else."""

    def each(self, x):
        return super().each(x) * 0.5


def other_head(pack):
    n_inputs = pack.head.layers[0].weight.shape[1]
    pack.head = OtherHead(M, n_inputs, 3).eval()


def grown(pack):
    pack.grow([6, 7], [])
    pack.embedding.table.data.normal_()


CHANGES = [
    move_data,
    change_in_place,
    load,
    new_parameter,
    new_bias,
    new_range,
    new_layer,
    one_layer_more,
    new_part,
    settled,
    new_forward,
    new_forward_of_weights,
    new_each,
    other_class,
    turn,
    hook,
    hook_before,
    parametrize,
    prune,
    other_head,
    grown,
]


@pytest.mark.parametrize("laid_out", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_seen(change, laid_out):
    pack = new_pack()
    if laid_out:
        settle(pack)
    inputs = inputs_of(pack)
    with torch.inference_mode():
        before = predicted(pack, inputs)
    change(pack)
    assert_same(pack)
    with torch.inference_mode():
        after = predicted(pack, inputs)
    assert torch.equal(before, after) == (change is settled)
    change_in_place(pack)
    assert_same(pack)


def test_what_a_changed_weight_comes_from_is_seen():
    pack = new_pack()
    parametrize(pack)
    assert_same(pack)
    for parameter in pack.parameters():
        parameter.data.mul_(0.5)
    assert_same(pack)


def test_other_arithmetic_is_seen():
    pack = new_pack()
    assert_same(pack)
    double(pack)
    inputs = [t.double() if t.is_floating_point() else t for t in inputs_of(pack)]
    with torch.inference_mode():
        found = predicted(pack, inputs)
    assert found.dtype == torch.float64
    assert_same(pack, inputs)


def test_units_that_are_dropped_when_predicting_stay_so():
    pack = new_pack(dropout=0.5)
    assert_same(pack)
    for module in pack.modules():  # as for an estimate of the uncertainty
        if type(module).__name__ == "Dropout":
            module.train()
    with torch.inference_mode():
        one, other = (predicted(pack, inputs_of(pack)) for _ in range(2))
    assert not torch.equal(one, other)


def test_hooks_of_all_modules_are_called():
    pack, called = new_pack(), []
    assert_same(pack)
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, given, found: called.append(type(module).__name__)
    )
    try:
        with torch.inference_mode():
            predicted(pack, inputs_of(pack))
    finally:
        handle.remove()
    assert "CosineEmbedding" in called
    called.clear()
    assert_same(pack)


def test_it_is_made_once_and_goes_with_the_network():
    pack = new_pack()
    settle(pack)
    assert pack.function_of_one_row() is pack.function_of_one_row()
    gone = weakref.ref(pack)
    del pack
    gc.collect()
    assert gone() is None


def test_a_function_that_was_kept_is_current_until_something_changes():
    pack = new_pack()
    kept = Straight(pack)
    assert kept.is_current()
    change_in_place(pack)
    assert kept.is_current()  # views see it
    move_data(pack)
    assert not kept.is_current()


# Weights laid out as the product takes them.


def test_weights_laid_out_are_the_same_and_stay_so_in_copies():
    pack = new_pack()
    inputs = [t.expand(32, -1) for t in inputs_of(pack)]
    before, state = pack(*inputs), copy.deepcopy(pack.state_dict())
    parameters = list(pack.parameters())
    settle(pack)
    assert all(a is b for a, b in zip(parameters, pack.parameters(), strict=True))
    torch.testing.assert_close(pack(*inputs), before, rtol=0, atol=0)
    for name, value in pack.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)
    strides = pack.piecewise.weight.stride()
    assert strides != state["piecewise.weight"].stride()
    for other in (copy.deepcopy(pack), pickle.loads(pickle.dumps(pack))):
        assert other.piecewise.weight.stride() == strides
        torch.testing.assert_close(other(*inputs), before, rtol=0, atol=0)
        assert_same(other)


def test_weights_laid_out_learn_as_others_do():
    packs = [new_pack(dropout=0.0, effects=True) for _ in range(2)]
    packs[0].embedding.dropout.p = packs[1].embedding.dropout.p = 0.0
    settle(packs[1])
    for pack in packs:
        pack.train()
        pack.embedding.unknown_rate = 0.0
        optimizer = torch.optim.AdamW(pack.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            pack(*(t.expand(16, -1) for t in inputs_of(pack))).square().sum().backward()
            optimizer.step()
    for one, other in zip(*(pack.parameters() for pack in packs), strict=True):
        torch.testing.assert_close(one, other)


def test_members_with_rows_of_their_own_get_the_same_from_weights_laid_out():
    pack = new_pack(("piecewise",))
    own = [t.expand(M, 5, -1) for t in inputs_of(pack)]
    before = pack(*own)
    settle(pack)
    torch.testing.assert_close(pack(*own), before, rtol=0, atol=0)
