"""Networks as users write them."""

import torch
from torch import nn


class Wide(nn.Module):
    """A network with a setting, a buffer and tied weights."""

    def __init__(self, n_inputs, n_outputs, width=8):
        super().__init__()
        self.width = width
        self.first = nn.Linear(n_inputs, width)
        self.second = nn.Linear(width, width)
        self.again = self.second
        self.last = nn.Linear(width, n_outputs)
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, x):
        x = torch.relu(self.first(x)) * self.scale
        return self.last(self.again(torch.relu(self.second(x))))


def build(n_inputs, n_outputs):
    """Return a network of torch's own layers."""
    return nn.Sequential(
        nn.Linear(n_inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, n_outputs)
    )
