"""What is in float16 learns what it learns in float32."""

from types import SimpleNamespace
from unittest import mock

import pytest
import torch

from skdl.networks.recurrent import LSTMLayer


def gradients(layer, x, loss_scale, half):
    """Return the gradients of a small loss, whatever the arithmetic."""
    x = x.clone().requires_grad_()
    layer.zero_grad()
    with (
        mock.patch.object(LSTMLayer, "_persists", return_value=half),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        first, state = layer(x[:3])  # gradients go through the state, too
        output = torch.cat([first, layer(x[3:], state)[0]])
    (output.float().pow(2).mean() * loss_scale).backward()
    return [x.grad, *(p.grad.clone() for p in layer.parameters())]


@pytest.mark.parametrize("loss_scale", [1.0, 1e-3])
def test_gradients_in_float16_are_those_of_float32_but_for_rounding(loss_scale):
    torch.manual_seed(0)
    layer, x = LSTMLayer(16, 16), torch.randn(6, 50, 16)
    exact = gradients(layer, x, loss_scale, half=False)
    found = gradients(layer, x, loss_scale, half=True)
    for a, b in zip(found, exact, strict=True):
        assert a.dtype == b.dtype
        assert (a - b).norm() < 0.01 * b.norm()


def test_without_a_scale_they_would_vanish():
    torch.manual_seed(0)
    layer, x = LSTMLayer(16, 16), torch.randn(6, 50, 16)
    with mock.patch("skdl.networks.half._SCALE", 1.0):
        lost = gradients(layer, x, 1e-3, half=True)[0]
    kept = gradients(layer, x, 1e-3, half=True)[0]
    assert (lost == 0).float().mean() > 0.5
    assert (kept == 0).float().mean() < 0.1


@pytest.mark.parametrize(
    ("sizes", "batch", "chip", "is_used"),
    [
        ((512, 1024), 80, (9, 0, 132), True),
        ((512, 1152), 80, (9, 0, 132), False),
        ((400, 1024), 80, (9, 0, 132), False),
        ((512, 1024), 20, (9, 0, 132), False),
        ((512, 1024), 136, (9, 0, 132), False),
        ((512, 1024), 80, (8, 6, 132), False),
        ((512, 1024), 80, (7, 5, 132), False),
        ((512, 1024), 80, (8, 0, 56), False),
    ],
)
def test_float16_is_for_shapes_that_torch_has_the_fast_kernel_for(
    sizes, batch, chip, is_used
):
    layer = LSTMLayer(128, 128)
    layer.n_inputs, layer.hidden_size = sizes
    x = SimpleNamespace(is_cuda=True, device="cuda", shape=(70, batch, sizes[0]))
    names = ("major", "minor", "multi_processor_count")
    properties = SimpleNamespace(**dict(zip(names, chip, strict=True)))
    with mock.patch("torch.cuda.get_device_properties", return_value=properties):
        assert layer._persists(x) is is_used
        with torch.no_grad():
            assert layer._persists(x) is False
