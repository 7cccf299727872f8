"""Torch modules with explicit sizes; they know nothing of labels or losses."""

from skdl.networks.conv import ConvNet
from skdl.networks.dropout import Dropout
from skdl.networks.mlp import ACTIVATIONS, MLP

__all__ = ["ACTIVATIONS", "MLP", "ConvNet", "Dropout"]
