import pytest
import torch

from skdl.networks import pooling
from skdl.networks.linear_recurrence import DOUBLING, reference
from skdl.networks.pooling import pool

STEPS, ROWS, WIDTH = 5, 2, 3


def problem(n_gates):
    torch.manual_seed(0)
    double = {"dtype": torch.float64, "requires_grad": True}
    gates = torch.randn(STEPS, ROWS, n_gates * WIDTH, **double)
    return gates, torch.randn(ROWS, WIDTH, **double)


def copied(gates, h0, kept=None):
    return pool(gates.clone(), h0, kept)


def by_definition(gates, h0):
    z, f, *others = gates.split(WIDTH, 2)
    share = others[1].sigmoid() if len(others) == 2 else 1 - f.sigmoid()
    c = reference(f.sigmoid(), share * z.tanh(), h0)
    return (others[0].sigmoid() * c if others else c), c[-1]


@pytest.fixture(params=[1, 2, STEPS], ids="{} steps a span".format)
def spans(request, monkeypatch):
    """Cut the steps into spans of one, two, or all."""

    def cut(gates):
        return [
            slice(t, min(t + request.param, STEPS))
            for t in range(0, STEPS, request.param)
        ]

    monkeypatch.setattr(pooling, "cut_into_spans", cut)


@pytest.mark.parametrize("n_gates", [2, 3, 4])
def test_pooling_follows_its_definition(spans, n_gates):
    arguments = problem(n_gates)
    torch.testing.assert_close(copied(*arguments), by_definition(*arguments))


@pytest.mark.kernels
@pytest.mark.parametrize("kept", [False, True], ids=["free", "kept"])
@pytest.mark.parametrize("n_gates", [2, 3, 4])
def test_gradients_are_exact(spans, n_gates, kept):
    mask = torch.rand(STEPS, ROWS, WIDTH) < 0.4 if kept else None
    assert torch.autograd.gradcheck(copied, (*problem(n_gates), mask))


@pytest.mark.parametrize("n_gates", [2, 3, 4])
def test_gradients_are_exact_with_the_scan_of_other_devices(monkeypatch, n_gates):
    monkeypatch.setattr(pooling, "choose_recurrence", lambda _: DOUBLING)
    arguments = problem(n_gates)
    torch.testing.assert_close(copied(*arguments), by_definition(*arguments))
    assert torch.autograd.gradcheck(copied, arguments)


def test_gradient_of_the_last_state_alone():
    gates, h0 = problem(3)
    found = torch.autograd.grad(copied(gates, h0)[1].sum(), (gates, h0))
    wanted = torch.autograd.grad(by_definition(gates, h0)[1].sum(), (gates, h0))
    torch.testing.assert_close(found[1], wanted[1])
    torch.testing.assert_close(found[0], wanted[0])


def test_kept_units_have_their_past_and_learn_nothing():
    gates, h0 = problem(2)
    everywhere = torch.ones(STEPS, ROWS, WIDTH, dtype=torch.bool)
    output, last = copied(gates, h0, everywhere)
    assert (output == h0).all()
    assert (last == h0).all()
    assert not torch.autograd.grad(output.sum(), gates)[0].any()


def test_long_sequences_are_cut_into_spans_that_cover_them(monkeypatch):
    monkeypatch.setattr(pooling, "_SPAN_BYTES", 200)
    gates = torch.randn(11, 2, 6)  # 48 bytes a step
    spans = pooling.cut_into_spans(gates)
    assert [len(gates[span]) for span in spans] == [4, 4, 3]
    monkeypatch.setattr(pooling, "_SPAN_BYTES", 1)
    assert len(pooling.cut_into_spans(gates)) == 11


def test_what_another_operation_needs_is_not_overwritten_in_silence():
    x = torch.randn(4, 2, 6, requires_grad=True)
    gates = x.exp()  # its gradient needs its output
    output, _ = pool(gates, torch.zeros(2, 3))
    with pytest.raises(RuntimeError, match="inplace operation"):
        output.sum().backward()
