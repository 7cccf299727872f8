import pytest
import torch

from skdl.networks.qrnn import QRNNLayer
from skdl.networks.recurrent import RecurrentStack


def test_f_pooling_is_a_running_mean():
    layer = QRNNLayer(2, 3, pooling="f").eval()
    x = torch.randn(4, 1, 2)
    z, f = layer.linear(x).chunk(2, 2)
    h = torch.zeros(1, 3)
    for t in range(4):
        h = f[t].sigmoid() * h + (1 - f[t].sigmoid()) * z[t].tanh()
        torch.testing.assert_close(layer(x)[0][t], h)


def test_ifo_pooling_has_gates_for_input_and_output():
    layer = QRNNLayer(2, 3, pooling="ifo").eval()
    x = torch.randn(4, 1, 2)
    z, f, o, i = layer.linear(x).chunk(4, 2)
    c = torch.zeros(1, 3)
    for t in range(4):
        c = f[t].sigmoid() * c + i[t].sigmoid() * z[t].tanh()
        torch.testing.assert_close(layer(x)[0][t], o[t].sigmoid() * c)


@pytest.mark.kernels
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("pooling", ["f", "fo", "ifo"])
def test_windows_with_a_carried_state_are_the_whole_sequence(width, pooling):
    layer = QRNNLayer(2, 3, width=width, pooling=pooling).eval()
    x = torch.randn(11, 4, 2)
    whole, last = layer(x)
    first, state = layer(x[:6])
    second, end = layer(x[6:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end[0], last[0])


@pytest.mark.parametrize("width", [1, 2])
def test_windows_of_one_step_are_the_whole_sequence_and_learn(width):
    layer = QRNNLayer(2, 3, width=width)
    x = torch.randn(5, 4, 2)
    state, outputs = None, []
    for x_t in x:
        output, state = layer(x_t[None], state)
        outputs.append(output)
    stepwise = torch.cat(outputs)
    torch.testing.assert_close(stepwise, layer(x)[0])
    found = torch.autograd.grad(stepwise.sum(), layer.linear.weight)
    wanted = torch.autograd.grad(layer(x)[0].sum(), layer.linear.weight)
    torch.testing.assert_close(found, wanted)


def test_no_step_sees_the_future():
    layer = QRNNLayer(2, 3, width=2).eval()
    x = torch.randn(6, 1, 2)
    changed = x.clone()
    changed[4:] += 1
    torch.testing.assert_close(layer(x)[0][:4], layer(changed)[0][:4])


def test_zoneout_keeps_the_past_in_training_only():
    torch.manual_seed(0)
    layer = QRNNLayer(2, 400, pooling="f", zoneout=0.5)
    x, state = torch.randn(1, 1, 2), (torch.ones(1, 400), torch.zeros(1, 2))
    share = (layer(x, state)[0] == 1).float().mean()
    assert 0.4 < share < 0.6
    layer.eval()
    assert not (layer(x, state)[0] == 1).any()


def test_an_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="'lstm' or 'qrnn', got 'gru'"):
        RecurrentStack([2, 3], cell="gru")


@pytest.mark.parametrize(
    "options", [{"width": 3}, {"pooling": "x"}, {"zoneout": 1.0}], ids=str
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        QRNNLayer(2, 3, **options)


@pytest.mark.kernels
@pytest.mark.parametrize("zoneout", [0.0, 0.5])
@pytest.mark.parametrize("pooling", ["f", "fo", "ifo"])
def test_gradients_of_the_layer_are_exact(pooling, zoneout):
    layer = QRNNLayer(2, 3, width=2, pooling=pooling, zoneout=zoneout).double()
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)

    def run(x, *weights):
        torch.manual_seed(0)  # the same units are kept in every call
        output, (last, _) = layer(x)
        return output, last

    assert torch.autograd.gradcheck(run, (x, *layer.parameters()))


def test_layer_shows_which_recurrence_runs():
    assert "recurrence='loop'" in repr(QRNNLayer(2, 3))
    assert "recurrence='doubling'" in repr(QRNNLayer(2, 3).to("meta"))
    assert "recurrence='loop'" in repr(RecurrentStack([2, 3], cell="qrnn"))


@pytest.mark.kernels
def test_narrow_inputs_are_pooled_in_float32():
    layer = QRNNLayer(2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        output, (last, _) = layer(torch.randn(4, 1, 2))
    assert output.dtype == last.dtype == torch.float32
    output.sum().backward()
    assert layer.linear.weight.grad.abs().sum() > 0
