import warnings
from types import SimpleNamespace

import pytest
import torch

from skdl.networks import recurrent
from skdl.networks.language_model import Continued, LanguageModel
from skdl.networks.recurrent import (
    LockedDropout,
    LSTMLayer,
    RecurrentStack,
    WordDropout,
)
from skdl.networks.softmax import TiedSoftmax
from skdl.training.text.next_token import NextTokenLoss


def plain_log_prob(softmax, hidden):
    """The definition: a softmax over head and clusters, then one in each cluster."""
    first, *_ = softmax.bounds
    head = torch.cat([softmax.weight[:first], softmax.cluster_weight])
    bias = torch.cat([softmax.bias[:first], softmax.cluster_bias])
    scores = (hidden @ head.T + bias).log_softmax(1)
    parts = [scores[:, :first]]
    for i in range(len(softmax.cutoffs)):
        inside = slice(softmax.bounds[i], softmax.bounds[i + 1])
        tail = hidden @ softmax.weight[inside].T + softmax.bias[inside]
        parts.append(tail.log_softmax(1) + scores[:, [first + i]])
    return torch.cat(parts, 1)


@pytest.mark.kernels
@pytest.mark.parametrize("cutoffs", [[], [10], [10, 25]])
@pytest.mark.parametrize("chunk", [100, 1 << 21])
def test_softmax_and_its_gradient_are_exact(cutoffs, chunk, monkeypatch):
    monkeypatch.setattr("skdl.networks.softmax._CHUNK", chunk)
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(50, 8, dtype=torch.float64))
    softmax = TiedSoftmax(weight, cutoffs).double()
    for parameter in softmax.parameters():
        torch.nn.init.normal_(parameter)
    hidden = torch.randn(40, 8, dtype=torch.float64, requires_grad=True)
    target = torch.randint(50, (40,))
    parameters = [hidden, *(p for p in softmax.parameters() if p.numel())]

    expected = plain_log_prob(softmax, hidden)
    loss = -expected.gather(1, target[:, None]).mean()
    wanted = torch.autograd.grad(2 * loss, parameters)
    found = torch.autograd.grad(2 * softmax.mean_nll(hidden, target), parameters)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)

    torch.testing.assert_close(
        softmax.log_prob(hidden).double(), expected, atol=1e-5, rtol=1e-5
    )
    nll = -expected.gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(
        softmax.nll(hidden, target).double(), nll, atol=1e-5, rtol=1e-5
    )
    with torch.no_grad():
        mean = softmax.mean_nll(hidden, target)
    torch.testing.assert_close(mean.double(), loss.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cutoffs", [[], [10], [10, 25]])
def test_a_new_softmax_can_begin_with_how_frequent_classes_are(cutoffs):
    counts = torch.randint(1, 100, (40,))
    softmax = TiedSoftmax(torch.nn.Parameter(torch.randn(40, 4)), cutoffs)
    softmax.begin_at(counts)
    found = softmax.log_prob(torch.zeros(1, 4)).exp()
    torch.testing.assert_close(found[0], counts / counts.sum())


def test_layers_as_wide_as_what_they_are_given_add_to_it():
    stack = RecurrentStack([6, 6, 4])
    x = torch.randn(5, 2, 6)
    first, second = stack.layers
    expected, _ = second(x + first(x)[0])
    torch.testing.assert_close(stack(x)[0], expected)
    del stack.adds  # as it was stored before
    expected, _ = second(first(x)[0])
    torch.testing.assert_close(stack(x)[0], expected)


def test_clusters_without_targets_get_no_gradient():
    weight = torch.nn.Parameter(torch.randn(30, 4))
    softmax = TiedSoftmax(weight, [10])
    softmax.mean_nll(torch.randn(5, 4), torch.zeros(5, dtype=torch.long)).backward()
    assert (weight.grad[10:] == 0).all()
    assert (weight.grad[:10] != 0).any()


@pytest.mark.kernels
def test_lstm_layer_is_torchs_lstm():
    torch.manual_seed(0)
    ours, theirs = LSTMLayer(3, 5), torch.nn.LSTM(3, 5)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ours.weight_ih)
        theirs.weight_hh_l0.copy_(ours.weight_hh)
        theirs.bias_ih_l0.copy_(ours.bias)
        theirs.bias_hh_l0.zero_()
    x = torch.randn(7, 2, 3)
    state = torch.randn(2, 5), torch.randn(2, 5)
    output, (h, c) = ours(x, state)
    expected, (eh, ec) = theirs(x, tuple(s[None] for s in state))
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(h, eh[0])
    torch.testing.assert_close(c, ec[0])


def test_dropped_recurrent_weight_gets_a_gradient_and_new_masks():
    torch.manual_seed(0)
    layer = LSTMLayer(3, 16)
    layer.dropout.p = 0.5
    x = torch.randn(4, 2, 3)
    layer.train()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = layer(x)[0], layer(x)[0]
        first.sum().backward()
    assert not torch.equal(first, second)
    gradient = layer.weight_hh.grad
    share = (gradient == 0).float().mean()
    assert 0.35 < share < 0.65
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_masks_stay_over_time():
    dropped = LockedDropout(0.5)(torch.ones(9, 4, 50))
    assert torch.equal(dropped[0], dropped[8])
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_words_are_dropped_wherever_they_occur():
    ids = torch.tensor([[0, 1, 2, 3] * 20]).T
    dropped = WordDropout(0.5, 4)(torch.ones(80, 1, 3), ids)
    for word in range(4):
        assert len(dropped[ids == word].unique()) == 1


def make(**options):
    torch.manual_seed(0)
    return LanguageModel(20, embedding_dim=8, hidden_size=12, num_layers=2, **options)


@pytest.mark.kernels
def test_windows_with_a_carried_state_are_the_whole_text():
    model = make().eval()
    ids = torch.randint(20, (30, 3))
    whole = model(ids)[0].hidden
    continued = Continued(model).eval()
    parts = [continued(part).hidden for part in ids.split(7)]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_a_change_of_mode_begins_a_new_text():
    continued = Continued(make()).eval()
    ids = torch.randint(20, (5, 3))
    first = continued(ids).hidden
    assert not torch.allclose(continued(ids).hidden, first)
    continued.train()
    continued.eval()
    torch.testing.assert_close(continued(ids).hidden, first)


def test_no_gradient_goes_into_the_window_before():
    continued = Continued(make())
    ids = torch.randint(20, (5, 3))
    continued(ids)
    assert all(not t.requires_grad for state in continued.carried_states for t in state)


@pytest.mark.kernels
@pytest.mark.parametrize("tied", [True, False])
def test_gradient_of_the_vectors_is_that_of_torchs_parts(tied):
    model = make(tie_weights=tied, cutoffs=[6]).train()
    ids, target = torch.randint(20, (5, 3)), torch.randint(20, (5, 3))
    output, _ = model(ids)
    output.mean_nll(target).backward()
    found = model.embedding.weight.grad.clone()
    model.zero_grad()
    x = model.embedding(ids)
    hidden = model.recurrent(x)[0].flatten(0, 1)
    expected = plain_log_prob(model.softmax, hidden)
    (-expected.gather(1, target.view(-1, 1)).mean()).backward()
    torch.testing.assert_close(found, model.embedding.weight.grad)
    assert not found.is_sparse


def test_penalties_have_a_gradient_but_are_not_in_the_loss():
    model = make()
    ids = torch.randint(20, (6, 3))
    output, _ = model(ids)
    plain = NextTokenLoss(20).loss(output, ids)
    penalised = NextTokenLoss(20, 2.0, 1.0).loss(output, ids)
    torch.testing.assert_close(plain, penalised)
    weight = model.recurrent.layers[0].weight_hh
    (a,) = torch.autograd.grad(plain, weight, retain_graph=True)
    (b,) = torch.autograd.grad(penalised, weight)
    assert not torch.allclose(a, b)


@pytest.mark.parametrize(
    ("has_kernel", "expected"), [(True, "bfloat16"), (False, "float32")]
)
def test_an_lstm_on_a_gpu_is_never_made_float16(monkeypatch, has_kernel, expected):
    """Autocast to bfloat16 would do so, and small gradients are zero in it."""
    x = SimpleNamespace(device=torch.device("cuda"), dtype=torch.float32)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: True)
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda kind: torch.bfloat16)
    monkeypatch.setattr(recurrent, "_has_bfloat16_lstm", lambda: has_kernel)
    assert recurrent._arithmetic(x) == getattr(torch, expected)
