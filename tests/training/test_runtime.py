import warnings

import pytest
import torch

from skdl.training import runtime
from skdl.training.runtime import (
    resolve_runtime,
    runs_in_onednn,
    runtime_after_loading,
)

UNITS = ["_is_amx_tile_supported", "_is_avx512_bf16_supported"]


@pytest.fixture
def broken_cuda(monkeypatch):
    """A machine where torch reports a CUDA device on which nothing works."""

    def fail(*_, device):
        assert torch.device(device).type == "cuda"
        raise RuntimeError("CUDA driver version is insufficient.\nCompile with ...")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch, "ones", fail)
    runtime._warn_of_cuda.cache_clear()


def test_auto_takes_the_cpu_and_warns_once_where_cuda_does_not_work(broken_cuda):
    with pytest.warns(RuntimeWarning, match="driver version is insufficient") as caught:
        assert resolve_runtime("auto").device.type == "cpu"
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve_runtime("auto").device.type == "cpu"


@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda")], ids=str)
def test_cuda_that_was_asked_for_and_does_not_work_is_one_error(broken_cuda, device):
    with pytest.raises(ValueError, match="driver version is insufficient") as caught:
        resolve_runtime(device)
    message = str(caught.value)
    assert "device='cpu'" in message
    assert "\n" not in message


def test_what_was_trained_on_cuda_loads_where_cuda_does_not_work(broken_cuda):
    assert runtime_after_loading("cuda").device.type == "cpu"


def test_auto_takes_cuda_that_works(broken_cuda, monkeypatch):
    cpu_ones = torch.zeros(1) + 1
    monkeypatch.setattr(torch, "ones", lambda *_, device: cpu_ones)
    assert resolve_runtime("auto").device.type == "cuda"
    assert resolve_runtime("cuda:0").device == torch.device("cuda", 0)


@pytest.mark.kernels
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_whether_onednn_runs_an_lstm_is_known(dtype, enabled, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", enabled)
    layer = torch.nn.LSTM(3, 4).to(dtype)
    output, _ = layer(torch.ones(2, 1, 3, dtype=dtype))
    assert runs_in_onednn(dtype) == ("Mkldnn" in output.grad_fn.name())


@pytest.mark.kernels
@pytest.mark.parametrize("unit", UNITS)
def test_auto_takes_bfloat16_only_where_the_units_for_it_can_be_used(unit, monkeypatch):
    for name in UNITS:
        monkeypatch.setattr(torch.cpu, name, lambda has=name == unit: has)
    there = resolve_runtime("cpu", prefer_bfloat16=True).precision
    assert (there == torch.bfloat16) == runs_in_onednn(torch.bfloat16)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    there = resolve_runtime("cpu", prefer_bfloat16=True).precision
    assert there == torch.float32


def test_auto_is_float32_on_a_cpu_without_units_for_bfloat16(monkeypatch):
    for name in UNITS:
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    assert resolve_runtime("cpu", prefer_bfloat16=True).precision == torch.float32


def test_convolutions_are_float32_on_a_cpu_without_tiles(monkeypatch):
    monkeypatch.setattr(torch.cpu, UNITS[0], lambda: False)
    monkeypatch.setattr(torch.cpu, UNITS[1], lambda: True)
    there = resolve_runtime("cpu", prefer_bfloat16=True, convolves=True)
    assert there.precision == torch.float32
