"""Pieces of published recipes that a `TextLM` does not have, to be put into a fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.data import streams
from skdl.estimators.text import language_model
from skdl.networks.recurrent import LSTMLayer, State
from skdl.training.text.next_token import NextTokenLoss

PAST_WEIGHT = 0.001  # as in arXiv 1808.05908
ROUNDS = 5  # as in arXiv 1909.01792


@contextmanager
def runs_of(n_tokens: int) -> Iterator[None]:
    """Let documents of about so many tokens stay together in every epoch."""
    with mock.patch.object(streams, "_RUN", n_tokens):
        yield


@contextmanager
def past_decoded(exact: bool) -> Iterator[None]:
    """Let the token before be told from the prediction (arXiv 1808.05908).

    Exactly as published from the probabilities of all tokens, which takes a full
    softmax; else from what the softmax gets, which is cheaper.
    """
    new_network = language_model.new_network
    loss_of = NextTokenLoss.loss

    def with_decoder(*arguments: Any) -> nn.Module:
        network = new_network(*arguments)
        width = network.softmax.weight.shape[1]
        network.softmax.past = nn.Linear(width, width)
        return network

    def loss(self: Any, raw: Any, target: Tensor, weight: Any = None) -> Tensor:
        found = loss_of(self, raw, target, weight)
        softmax = raw.softmax
        if len(target) < 2 or not torch.is_grad_enabled():
            return found
        hidden, past = raw.hidden[1:].flatten(0, 1), target[:-1].flatten()
        if exact:
            table = softmax.weight
            shares = functional.linear(hidden, table, softmax.bias).softmax(1)
            decoded = torch.tanh(softmax.past(shares @ table))
            scores = functional.linear(decoded, table, softmax.bias)
            again = functional.cross_entropy(scores.float(), past)
        else:
            again = softmax.mean_nll(torch.tanh(softmax.past(hidden)), past)
        return found + PAST_WEIGHT * (again - again.detach())

    with (
        mock.patch.object(language_model, "new_network", with_decoder),
        mock.patch.object(NextTokenLoss, "loss", loss),
    ):
        yield


@contextmanager
def mogrified() -> Iterator[None]:
    """Let input and state gate each other before every step (arXiv 1909.01792)."""
    new_network, forward = language_model.new_network, LSTMLayer.forward

    def with_gates(*arguments: Any) -> nn.Module:
        network = new_network(*arguments)
        for layer in network.recurrent.layers:
            i, h = layer.n_inputs, layer.hidden_size
            layer.of_input = nn.Linear(h, i, bias=False)
            layer.of_state = nn.Linear(i, h, bias=False)
            for gate in (layer.of_input, layer.of_state):
                nn.init.normal_(gate.weight, std=0.02)
        return network

    def stepwise(
        self: Any, x: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        if not hasattr(self, "of_input"):
            return forward(self, x, state)
        zeros = x.new_zeros(x.shape[1], self.hidden_size)
        h, c = (zeros, zeros) if state is None else state
        weight_hh, outputs = self.dropout(self.weight_hh), []
        for step in x:
            for i in range(ROUNDS):
                if i % 2 == 0:
                    step = 2 * torch.sigmoid(self.of_input(h)) * step
                else:
                    h = 2 * torch.sigmoid(self.of_state(step)) * h
            gates = functional.linear(step, self.weight_ih, self.bias)
            gates = gates + functional.linear(h, weight_hh)
            i_gate, f_gate, g, o = gates.float().chunk(4, 1)
            c = torch.sigmoid(f_gate) * c + torch.sigmoid(i_gate) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), (h, c)

    with (
        mock.patch.object(language_model, "new_network", with_gates),
        mock.patch.object(LSTMLayer, "forward", stepwise),
    ):
        yield
