"""Tables beside networks: where rows are in them, and what is added."""

import copy
import io
import itertools

import numpy as np
import pytest
import torch

from skdl.networks.corrections import Axis, Corrections, CorrectionTable
from skdl.networks.folding import rescale_inputs, rescale_outputs
from skdl.networks.packed import PackedMLP
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork
from skdl.networks.straight import straight

SIZES = [4, 3]  # codes 0 to 3, and 4 to 6
VALUES = torch.tensor([-1.0, 0.0, 2.0])


def axis(values, column=0, *, is_code=False, is_between=False):
    return Axis(torch.as_tensor(values), column, is_code=is_code, is_between=is_between)


def corrections():
    """Return one of each kind: a code, a number, both, and a place between numbers."""
    code = axis([4, 5, 6], 1, is_code=True)
    draw = torch.Generator().manual_seed(0)
    tables = [
        CorrectionTable(
            [axis([1, 2], 0, is_code=True)], torch.randn(2, 2, generator=draw)
        ),
        CorrectionTable([axis(VALUES)], torch.randn(3, 2, generator=draw)),
        CorrectionTable([code, axis(VALUES, 1)], torch.randn(3, 3, 2, generator=draw)),
        CorrectionTable(
            [axis(VALUES, is_between=True), axis(VALUES, 1, is_between=True)],
            torch.randn(3, 3, 2, generator=draw),
        ),
    ]
    return Corrections(tables)


def network():
    torch.manual_seed(0)
    embedding = PackedEmbedding(2, SIZES, [2, 2], [0, 1])
    head = PackedMLP(2, 4 + 2, 2, hidden_layer_sizes=(8,))
    pack = PackedEmbeddingNetwork(head, embedding)
    pack.corrections = corrections()
    return pack.eval()


def rows(n=64):
    draw = torch.Generator().manual_seed(1)
    codes = torch.stack(
        [
            torch.randint(4, (n,), generator=draw),
            torch.randint(4, 7, (n,), generator=draw),
        ],
        dim=1,
    ).int()
    numbers = torch.randn(n, 2, generator=draw)
    numbers[::2] = VALUES[torch.randint(3, (len(numbers[::2]), 2), generator=draw)]
    return codes, numbers


def test_only_known_values_are_known():
    known = axis(VALUES)
    place, share = known(
        torch.zeros(5, 0), torch.tensor([[-1.0], [0], [2], [0.2], [2.1]])
    )[0]
    assert share.tolist() == [1, 1, 1, 0, 0]
    assert place[:3].tolist() == [0, 1, 2]


def test_rounding_moves_no_number_to_another_value():
    values = torch.tensor([0.1, 0.1001, 7e5])
    moved = torch.nextafter(values, torch.tensor(torch.inf)).unsqueeze(1)
    place, share = axis(values)(torch.zeros(3, 0), moved)[0]
    assert place.tolist() == [0, 1, 2]
    assert share.tolist() == [1, 1, 1]


@pytest.mark.parametrize("ends", [(-1.0, -5.0), (2.0, 1e30)])
def test_beyond_the_last_value_is_as_at_it(ends):
    between = axis(VALUES, is_between=True)
    table = CorrectionTable([between], torch.tensor([[3.0], [4.0], [7.0]]))
    at, beyond = table(torch.zeros(2, 0), torch.tensor(ends).unsqueeze(1))
    assert at == beyond == (3.0 if ends[0] < 0 else 7.0)


def test_a_place_between_four_values_has_their_mean():
    both = [axis([0.0, 1.0], j, is_between=True) for j in (0, 1)]
    table = CorrectionTable(both, torch.tensor([[[0.0], [1.0]], [[10.0], [11.0]]]))
    found = table(torch.zeros(1, 0), torch.tensor([[0.3, 0.6]]))
    torch.testing.assert_close(found, torch.tensor([[0.3 * 10 + 0.6]]))


def test_all_members_are_corrected_alike():
    pack = network()
    given = rows()
    added = pack.corrections(*given)
    with_it = pack.each(*given)
    pack.corrections = None
    assert torch.equal(with_it, pack.each(*given) + added)


def test_members_may_have_rows_of_their_own():
    pack, (codes, numbers) = network(), rows()
    other = codes.flip(0), numbers.flip(0)
    both = [torch.stack(pair) for pair in zip((codes, numbers), other, strict=True)]
    found = pack.each(*both)
    torch.testing.assert_close(found[0], pack.each(codes, numbers)[0])
    torch.testing.assert_close(found[1], pack.each(*other)[1])


def test_a_row_alone_has_the_bits_that_it_has_among_others():
    found, given = corrections(), rows()
    together = found(*given)
    for i in range(len(together)):
        assert torch.equal(found(*(t[i : i + 1] for t in given))[0], together[i])


def test_as_a_function_it_is_the_same():
    pack, given = network(), [t[:1] for t in rows()]
    assert torch.equal(straight(pack)(*given), pack(*given))


@pytest.mark.parametrize("indicator", [None, 1])
def test_as_a_function_each_row_has_what_it_has_among_others(indicator):
    found, (codes, numbers) = corrections(), rows()
    for side in found._axes():
        side.indicator = indicator
    numbers[:8] *= 3  # beyond the ends
    of_one = straight(found)
    for i in range(len(codes)):
        row = codes[i : i + 1], numbers[i : i + 1]
        torch.testing.assert_close(of_one(*row), found(*row))


def test_as_a_function_they_are_seen_to_change_in_place():
    found, row = corrections(), [t[:1] for t in rows()]
    of_one, before = straight(found), found(*row)
    found.scale(2.0)
    assert before.any()
    torch.testing.assert_close(of_one(*row), 2 * before)


def test_numbers_in_other_units_are_corrected_as_before():
    pack, (codes, numbers) = network(), rows()
    slope, shift = torch.tensor([0.5, 3.0]).double(), torch.tensor([1.0, -2.0]).double()
    before = pack(codes, numbers)
    rescale_inputs(pack, slope, shift, 0)
    after = pack(codes, ((numbers - shift) / slope).float())
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_outputs_in_other_units_are_corrected_as_before():
    pack, given = network(), rows()
    scale, shift = torch.tensor([2.0, 0.1]).double(), torch.tensor([5.0, 0.0]).double()
    before = pack.each(*given)
    assert rescale_outputs(pack, scale, shift)
    expected = (before * scale + shift).float()
    torch.testing.assert_close(pack.each(*given), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", [[6, 3], [4, 5], [9, 9]])
def test_more_categories_change_no_correction_of_others(sizes):
    pack, (codes, numbers) = network(), rows()
    before = pack(codes, numbers)
    pack.grow(sizes, [])
    moved = codes + torch.tensor([0, sizes[0] - SIZES[0]], dtype=torch.int32)
    torch.testing.assert_close(pack(moved, numbers), before)


def test_a_network_of_before_there_were_any_has_none():
    pack = network()
    pack.corrections = None
    state = pack.__getstate__()
    state["_modules"] = {
        k: v for k, v in state["_modules"].items() if k != "corrections"
    }
    other = PackedEmbeddingNetwork.__new__(PackedEmbeddingNetwork)
    other.__setstate__(state)
    assert torch.equal(other(*rows()), pack(*rows()))


def test_weights_have_none_of_it_to_learn():
    pack = network()
    assert not list(pack.corrections.parameters())
    torch.save(pack, file := io.BytesIO())
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert torch.equal(loaded(*rows()), pack(*rows()))
    other = copy.deepcopy(pack)
    other.load_state_dict(pack.state_dict())
    assert torch.equal(other(*rows()), pack(*rows()))


def test_ways_to_a_place_do_not_depend_on_what_counts_values(monkeypatch):
    found, given = corrections(), rows()
    before = found(*given)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    assert torch.equal(found(*given), before)


@pytest.mark.parametrize("n", [2, 128, 129, 130, 257, 1000])
@pytest.mark.parametrize("is_between", [False, True])
def test_many_values_are_found_without_a_search(monkeypatch, n, is_between):
    long = axis(torch.arange(float(n)) ** 1.1, is_between=is_between)
    x = torch.linspace(-5, 1.1 * n**1.1, 4001)
    x[:n] = long.values
    before = long.locate(x)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    for found, expected in zip(long.locate(x), before, strict=True):
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("is_between", [False, True])
def test_of_a_missing_value_nothing_is_known(is_between):
    side = Axis(VALUES, 0, is_code=False, is_between=is_between, indicator=1)
    table = CorrectionTable([side], torch.ones(3, 1))
    found = table(torch.zeros(2, 0), torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    assert found.flatten().tolist() == [1, 0]


def test_a_table_has_the_numbers_of_its_values():
    codes, numbers = axis([4, 5, 6], 1, is_code=True), axis(VALUES, 1)
    values = torch.randn(3, 3, 1)
    table = CorrectionTable([codes, numbers], values)
    for i, j in itertools.product(range(3), repeat=2):
        row = torch.tensor([[0, 4 + i]]), torch.tensor([[0.0, VALUES[j]]])
        np.testing.assert_array_equal(table(*row), values[i, j : j + 1])
