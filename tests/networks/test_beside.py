"""Raw outputs that only training looks at."""

import torch

from skdl.networks.beside import drop_outputs_beside, new_head
from skdl.networks.packed_embedding import PackedEmbeddingNetwork

X = torch.arange(20.0).view(5, 4) / 10


def pack(n_beside):
    torch.manual_seed(0)
    head = new_head(3, 4, 2, n_beside, hidden_layer_sizes=(8,))
    return PackedEmbeddingNetwork(head, None, None, None, None, None)


def test_training_has_all_outputs_and_others_the_first():
    network = pack(6)
    inputs = torch.zeros(5, 0, dtype=torch.int64), X
    everything = network.train().head.each(X)
    assert everything.shape == (3, 5, 8)
    first = network.eval().head.each(X)
    torch.testing.assert_close(first, everything[..., :2])
    assert network(*inputs).shape == (5, 6)


def test_without_the_others_a_network_is_as_if_it_never_had_them():
    network = pack(6).eval()
    before = network.head.each(X)
    drop_outputs_beside(network)
    torch.testing.assert_close(network.head.each(X), before)
    shapes = {name: p.shape for name, p in network.named_parameters()}
    assert shapes == {name: p.shape for name, p in pack(0).named_parameters()}
    assert len(network.head.layers) == len(pack(0).head.layers)
    again = network.head.layers[-1].weight
    drop_outputs_beside(network)
    assert network.head.layers[-1].weight is again


def test_a_network_of_a_user_has_nothing_to_leave_out():
    drop_outputs_beside(torch.nn.Linear(2, 1))
