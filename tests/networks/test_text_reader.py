"""The network that reads documents."""

import numpy as np
import torch

from skdl.networks import text_reader
from skdl.networks.language_model import LanguageModel
from skdl.networks.text_reader import TextReader
from skdl.training.text.documents import document_vectors

LENGTHS = torch.tensor([9, 9, 9])


def reader(**options):
    torch.manual_seed(0)
    model = LanguageModel(30, embedding_dim=6, hidden_size=8, num_layers=2)
    return TextReader(model, 2, dropout=0.0, **options)


def documents():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 29, (3, 9), generator=generator)


def test_it_is_read_in_windows_with_the_same_result(monkeypatch):
    network, ids = reader(bptt=4).eval(), documents()
    before = network(ids, LENGTHS)
    monkeypatch.setattr(text_reader, "_WINDOW", 2)
    torch.testing.assert_close(network(ids, LENGTHS), before, atol=1e-6, rtol=1e-5)


def test_training_and_prediction_make_the_same_of_a_document():
    """Prediction reads without padding, in the order of lengths."""
    network, ids = reader().eval(), documents()
    ids[:, 0] = 29  # what stands before a document
    stream = np.concatenate([np.append(row[1:], 29) for row in ids.numpy()])
    vectors = document_vectors(network.reading, stream, LENGTHS.numpy(), 29)
    raw = network.head(torch.from_numpy(vectors))
    torch.testing.assert_close(raw, network(ids, LENGTHS), atol=1e-5, rtol=1e-4)


def test_what_stands_before_a_document_is_not_pooled():
    network, ids = reader().eval(), documents()
    seen = []
    network.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(ids, torch.tensor([1, 1, 1]))
    last, highest, mean = seen[0].split(6, dim=1)
    torch.testing.assert_close(highest, last)
    torch.testing.assert_close(mean, last)


def test_gradients_go_through_the_last_tokens_and_states_through_all():
    network, ids = reader(bptt=3).train(), documents()
    network(ids, LENGTHS).sum().backward()
    gradient = network.reading.embedding.weight.grad
    learned = set(gradient.abs().sum(1).nonzero()[:, 0].tolist())
    assert learned <= set(ids[:, -3:].flatten().tolist())
    network.eval()
    other = ids.clone()
    other[:, 0] = (ids[:, 0] + 1) % 29
    assert not torch.equal(network(ids, LENGTHS), network(other, LENGTHS))
