import sys
import warnings

import pytest
import torch

from skdl.networks import linear_recurrence as module
from skdl.networks.linear_recurrence import (
    DOUBLING,
    LOOP,
    Recurrence,
    choose_recurrence,
    doubling_scan,
    linear_recurrence,
    recurrence_for,
    reference,
)
from tests.kernels import KERNEL_DEVICE, runnable

KERNELS = "skdl.networks._recurrence_triton"
CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def problem(steps=5, rows=2, channels=3, dtype=torch.float64, device=CPU):
    torch.manual_seed(0)
    options = {"dtype": dtype, "device": device, "requires_grad": True}
    f = torch.rand(steps, rows, channels, **options)
    a = torch.randn(steps, rows, channels, **options)
    return f, a, torch.randn(rows, channels, **options)


def run_by(recurrence):
    return lambda *arguments: module._Differentiable.apply(*arguments, recurrence)


@pytest.mark.kernels
@pytest.mark.parametrize("steps", [1, 2, 5, 8])
@pytest.mark.parametrize(
    "function",
    [linear_recurrence, doubling_scan, run_by(DOUBLING)],
    ids=["loop", "scan", "doubling"],
)
def test_recurrence_and_its_gradient_follow_the_definition(function, steps):
    arguments = problem(steps)
    torch.testing.assert_close(function(*arguments), reference(*arguments))
    assert torch.autograd.gradcheck(function, arguments)


@pytest.mark.kernels
def test_sums_are_made_in_float32_when_numbers_are_bfloat16():
    steps = 400
    one = torch.ones(steps, 1, 1, dtype=torch.bfloat16)
    h = linear_recurrence(one, one, torch.zeros(1, 1, dtype=torch.bfloat16))
    assert h.dtype == torch.bfloat16
    assert h[-1] == steps  # added one by one in bfloat16 it ends at 256


@pytest.fixture(scope="module")
def kernels():
    """The Triton kernels: on a GPU, or run by Triton's interpreter on the CPU."""
    with runnable(KERNELS, has_loops=True):
        yield module._build_triton()


@pytest.mark.parametrize("steps", [1, 4, 6])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-6), (torch.bfloat16, 2e-2), (torch.float64, 1e-14)],
    ids=str,
)
def test_kernels_agree_with_the_definition(kernels, steps, dtype, tolerance):
    arguments = problem(steps, 2, 67, dtype, KERNEL_DEVICE)  # no multiple of a block
    found = run_by(kernels)(*arguments)
    assert found.dtype == dtype
    exact = [x.detach().double().requires_grad_() for x in arguments]
    expected = reference(*exact)
    gradient = torch.randn_like(found)
    pairs = zip(
        (found, *torch.autograd.grad(found, arguments, gradient)),
        (expected, *torch.autograd.grad(expected, exact, gradient.double())),
        strict=True,
    )
    for x, y in pairs:
        torch.testing.assert_close(x.double(), y, atol=tolerance, rtol=tolerance)


def test_kernels_pass_gradcheck(kernels):
    arguments = problem(3, 1, 2, device=KERNEL_DEVICE)
    assert torch.autograd.gradcheck(run_by(kernels), arguments)


def test_kernels_accumulate_in_float32(kernels):
    one = torch.ones(300, 1, 1, dtype=torch.bfloat16, device=KERNEL_DEVICE)
    h = run_by(kernels)(one, one, torch.zeros_like(one[0]))
    assert h[-1] == 300


def test_kernels_take_slices_of_gates(kernels):
    both = torch.rand(5, 2, 6, device=KERNEL_DEVICE)
    f = both[:, :, 3:]
    a, gradient = torch.randn(2, 5, 2, 3, device=KERNEL_DEVICE)
    outcome = []
    for recurrence in (kernels, LOOP):
        states, d_both = f.new_ones(6, 2, 3), torch.zeros_like(both)
        r = gradient.clone()
        states[1:] = a
        recurrence.forward(f, states)
        recurrence.backward(f, states, r, d_both[:, :, 3:])
        outcome.append((states, r, d_both))
    torch.testing.assert_close(*outcome)


def test_kernels_are_verified_before_use(kernels):
    assert module._verified(kernels, KERNEL_DEVICE) is kernels


@pytest.fixture
def nothing_chosen(monkeypatch):
    """A process that has not used a CUDA device, with its checks made on the CPU."""
    verified = module._verified
    monkeypatch.setattr(module, "_chosen", {})
    monkeypatch.setattr(module, "_verified", lambda run, _: verified(run, CPU))
    return monkeypatch


def raises():
    raise OSError("no C compiler")


def without_gradient():
    def backward(f, states, r, d_f):
        d_f.zero_()

    return Recurrence("triton", LOOP.forward, backward)


def without_numbers():
    def forward(f, states):
        states.fill_(torch.nan)

    return Recurrence("triton", forward, LOOP.backward)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (raises, "OSError: no C compiler"),
        (without_gradient, "differs from the reference"),
        (without_numbers, "differs from the reference by up to nan"),
    ],
)
def test_broken_kernels_are_replaced_with_one_warning(nothing_chosen, build, reason):
    nothing_chosen.setattr(module, "_build_triton", build)
    with pytest.warns(RuntimeWarning, match=reason) as caught:
        assert choose_recurrence(CUDA) is DOUBLING
    assert len(caught) == 1
    assert "doubling" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_recurrence(CUDA) is DOUBLING
    assert recurrence_for(CUDA) == "doubling"


def test_missing_triton_is_told_of(nothing_chosen):
    nothing_chosen.setitem(sys.modules, "triton", None)
    nothing_chosen.delitem(sys.modules, KERNELS, raising=False)
    assert recurrence_for(CUDA) == "doubling"
    with pytest.warns(RuntimeWarning, match="ModuleNotFoundError.*pip install triton"):
        assert choose_recurrence(CUDA) is DOUBLING


def test_kernels_are_built_once_and_where_no_gradients_are_made(nothing_chosen):
    built = []

    def build():
        warnings.warn("of no concern to users", stacklevel=1)
        built.append(Recurrence("triton", LOOP.forward, LOOP.backward))
        return built[-1]

    nothing_chosen.setattr(module, "_build_triton", build)
    nothing_chosen.setattr(module, "has_triton", lambda: True)
    assert recurrence_for(CUDA) == "triton"
    assert not built
    state = torch.get_rng_state()
    with torch.inference_mode():
        first = choose_recurrence(CUDA)
    assert choose_recurrence(CUDA) is first is built[0]
    assert len(built) == 1
    assert torch.equal(torch.get_rng_state(), state)
    assert recurrence_for(CUDA) == "triton"


def test_cpu_runs_the_loop_and_other_devices_the_scan():
    assert choose_recurrence(CPU) is LOOP
    assert choose_recurrence(torch.device("meta")) is DOUBLING
    assert recurrence_for(torch.device("meta")) == "doubling"
