"""Which networks may draw from torch's global generators."""

import pytest
import torch
from torch import nn

from skdl.networks.dropout import Dropout
from skdl.networks.language_model import LanguageModel
from skdl.networks.mlp import MLP
from skdl.randomness import Randomness, drawing_from
from skdl.training.foreign import is_foreign, lent_where_needed, may_draw

CPU = torch.device("cpu")


class Own(nn.Linear):
    pass


def hooked():
    layer = nn.Linear(2, 2)
    layer.register_forward_pre_hook(lambda *_: None)
    return layer


def patched():
    layer = nn.Linear(2, 2)
    layer.forward = torch.randn_like
    return layer


IN_TRAINING = [
    nn.Dropout(0.1),
    nn.Dropout2d(0.1),
    nn.AlphaDropout(0.1),
    nn.RReLU(),
    nn.LSTM(2, 2, 2, dropout=0.1),
    nn.MultiheadAttention(4, 2, dropout=0.1),
    nn.TransformerEncoderLayer(4, 2, 8),
]
ALWAYS = [Own(2, 2), hooked(), patched(), nn.FractionalMaxPool2d(2, output_size=3)]
NEVER = [
    nn.Linear(2, 2),
    nn.Dropout(0.0),
    nn.LSTM(2, 2, 2),
    nn.BatchNorm1d(2),
    nn.Conv2d(1, 2, 3),
    Dropout(0.5),  # draws from the fit's generator
    MLP(2, 2, dropout=0.5, batch_norm=True),
    LanguageModel(9, embedding_dim=4, hidden_size=4, num_layers=2, input_dropout=0.5),
]


def name(module):
    return type(module).__name__


@pytest.mark.parametrize("module", IN_TRAINING, ids=name)
def test_layers_with_dropout_may_draw_in_training_only(module):
    network = nn.Sequential(nn.Linear(2, 2), module)
    assert may_draw(network.train())
    assert not may_draw(network.eval())


@pytest.mark.parametrize("module", ALWAYS, ids=name)
def test_what_is_not_known_may_always_draw(module):
    network = nn.Sequential(nn.Linear(2, 2), module)
    assert may_draw(network.train())
    assert may_draw(network.eval())


@pytest.mark.parametrize("module", NEVER, ids=name)
def test_skdls_networks_and_plain_layers_never_draw(module):
    before = torch.get_rng_state()
    assert not may_draw(nn.Sequential(module).train())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("module", [*IN_TRAINING, *ALWAYS, *NEVER], ids=name)
def test_foreign_is_what_is_neither_torchs_nor_skdls_whether_it_draws_or_not(
    module, mode
):
    network = nn.Sequential(nn.Linear(2, 2), module).train(mode)
    assert is_foreign(network) == (module in ALWAYS[:3])


def test_an_optimizer_of_the_users_own_may_draw_and_torchs_do_not():
    class Noisy(torch.optim.SGD):
        pass

    network = nn.Linear(2, 2)
    torch.manual_seed(0)
    expected = torch.rand(1)
    for optimizer, lends in ((torch.optim.SGD, False), (Noisy, True)):
        torch.manual_seed(0)
        with (
            drawing_from(Randomness(0, CPU)),
            lent_where_needed(network, optimizer(network.parameters())),
        ):
            assert torch.equal(torch.rand(1), expected) is not lends


def test_outside_of_a_fit_the_caller_draws():
    network = Own(1, 1)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    with lent_where_needed(network):
        assert torch.equal(torch.rand(1), expected)
