"""The kernel of AdamW takes torch's steps: on a GPU, or interpreted on the CPU."""

import pytest
import torch

from skdl.training.optimization import device_adamw
from skdl.training.optimization.device_adamw import DeviceAdamW, DeviceStep
from tests.kernels import KERNEL_DEVICE, runnable

KERNELS = "skdl.training.optimization._adamw_triton"


@pytest.fixture(autouse=True)
def kernel():
    """Let the kernel run."""
    with runnable(KERNELS, has_loops=False):
        yield


def after_two_steps(*, is_ours, found=0.0):
    """Return weights after torch's first step and one more; groups differ in rates."""
    wave = torch.arange(2500, device=KERNEL_DEVICE).mul(0.37).sin()
    weights = [torch.nn.Parameter(wave[:n].clone()) for n in (2500, 3)]
    groups = [
        {"params": [w], "lr": 0.1 / i, "weight_decay": 0.1 * i}
        for i, w in enumerate(weights, start=1)
    ]
    optimizer = DeviceAdamW(groups, betas=(0.8, 0.9))
    for step in range(2):
        for weight in weights:
            weight.grad = wave[: len(weight)].roll(step)
        if step == 0 or not is_ours:
            torch.optim.AdamW.step(optimizer)
            continue
        optimizer.found_inf = torch.tensor(found, device=KERNEL_DEVICE)
        plan = DeviceStep(optimizer)
        plan.fix()
        plan()
    return [
        *(w.detach() for w in weights),
        *(s["step"] for s in optimizer.state.values()),
    ]


def test_it_is_verified_before_use():
    assert device_adamw._verified(KERNEL_DEVICE)


def test_groups_have_rates_of_their_own():
    torch.testing.assert_close(
        after_two_steps(is_ours=True), after_two_steps(is_ours=False)
    )


def test_what_is_not_finite_is_no_step():
    *weights, first, second = after_two_steps(is_ours=True, found=1.0)
    assert first == second == 1
    *stepped, _, _ = after_two_steps(is_ours=True)
    assert not torch.equal(weights[0], stepped[0])
