"""The objective of language models."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


class Scores(Protocol):
    """What a language model returns for a window."""

    hidden: Tensor
    undropped: Tensor

    def mean_nll(self, target: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of tokens (T, B)."""

    def log_prob(self) -> Tensor:
        """Return log-probabilities of all tokens after the last step (B, V)."""


@dataclass(frozen=True)
class NextTokenLoss:
    """Cross-entropy of the next token, with penalties on the top layer's outputs.

    Merity, McCann & Socher 2017, "Revisiting activation regularization for language
    RNNs", arXiv 1708.01009. Penalties have a gradient, but are not in the loss that is
    reported, so that its exponential is a perplexity.

    Parameters
    ----------
    n_outputs : int
        Tokens there are.
    activation_penalty : float, default=0.0
        Times the mean square of the outputs, after dropout.
    temporal_penalty : float, default=0.0
        Times the mean square of their change from step to step, before dropout.
    """

    n_outputs: int
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0

    def loss(self, raw: Scores, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the mean negative log-likelihood of `target` (T, B)."""
        loss = raw.mean_nll(target)
        penalty: Any = 0.0
        if self.activation_penalty:
            penalty = self.activation_penalty * raw.hidden.float().pow(2).mean()
        if self.temporal_penalty and len(raw.undropped) > 1:
            change = raw.undropped[1:] - raw.undropped[:-1]
            penalty = penalty + self.temporal_penalty * change.float().pow(2).mean()
        if isinstance(penalty, Tensor):
            loss = loss + (penalty - penalty.detach())
        return loss

    def inverse_link(self, raw: Scores) -> Tensor:
        """Return probabilities of all tokens after the last step (B, V)."""
        return raw.log_prob().exp()
