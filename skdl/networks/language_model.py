"""A recurrent language model: which token comes next."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.initialization import draw_uniform
from skdl.networks.recurrent import LockedDropout, RecurrentStack, State, WordDropout
from skdl.networks.softmax import TiedSoftmax

_INITIAL_BOUND = 0.1


@dataclass(frozen=True)
class NextToken:
    """What a language model says of the tokens after each step.

    Attributes
    ----------
    hidden : Tensor of shape (T, B, H)
        What the softmax gets; in training some of it is dropped.
    undropped : Tensor of shape (T, B, H)
        Outputs of the top layer.
    softmax : TiedSoftmax
        Makes probabilities of it.
    """

    hidden: Tensor
    undropped: Tensor
    softmax: TiedSoftmax

    def mean_nll(self, target: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of tokens (T, B)."""
        return self.softmax.mean_nll(self.hidden.flatten(0, 1), target.flatten())

    def nll(self, target: Tensor) -> Tensor:
        """Return the negative log-likelihood of each token (T, B)."""
        hidden = self.hidden.flatten(0, 1)
        return self.softmax.nll(hidden, target.flatten()).view(target.shape)

    def log_prob(self) -> Tensor:
        """Return log-probabilities of all tokens after the last step (B, V)."""
        return self.softmax.log_prob(self.hidden[-1])


class LanguageModel(nn.Module):
    """AWD-LSTM (Merity et al. 2017, arXiv 1708.02182).

    Parameters
    ----------
    n_tokens : int
        Tokens there are, the most frequent first.
    embedding_dim : int
        Width of their vectors.
    hidden_size : int
        Width of the recurrent layers; with tied weights the last one is as wide as
        the vectors.
    num_layers : int
        Recurrent layers.
    tie_weights : bool, default=True
        Whether the softmax has the vectors of the tokens as its weight.
    cutoffs : sequence of int, default=()
        Clusters of an adaptive softmax; see `TiedSoftmax`.
    input_dropout, hidden_dropout, output_dropout : float, default=0.0
        Of the vectors, between layers and before the softmax.
    word_dropout, recurrent_dropout : float, default=0.0
        Of whole words and of recurrent weights.
    cell : {"lstm", "qrnn"}, default="lstm"
        Kind of the recurrent layers.
    zoneout : float, default=0.0
        Of "qrnn"; see `QRNNLayer`.

    Examples
    --------
    >>> import torch
    >>> model = LanguageModel(50, embedding_dim=8, hidden_size=12, num_layers=2)
    >>> output, states = model(torch.zeros(7, 3, dtype=torch.long))
    >>> output.hidden.shape, output.log_prob().shape
    (torch.Size([7, 3, 8]), torch.Size([3, 50]))
    """

    def __init__(
        self,
        n_tokens: int,
        *,
        embedding_dim: int,
        hidden_size: int,
        num_layers: int,
        tie_weights: bool = True,
        cutoffs: Sequence[int] = (),
        input_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        output_dropout: float = 0.0,
        word_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        cell: str = "lstm",
        zoneout: float = 0.0,
    ) -> None:
        super().__init__()
        vectors = torch.empty(n_tokens, embedding_dim)
        draw_uniform(vectors, _INITIAL_BOUND)
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False)
        top = embedding_dim if tie_weights else hidden_size
        widths = [embedding_dim, *[hidden_size] * (num_layers - 1), top]
        self.word_dropout = WordDropout(word_dropout, n_tokens)
        self.input_dropout = LockedDropout(input_dropout)
        self.recurrent = RecurrentStack(
            widths,
            dropout=hidden_dropout,
            weight_dropout=recurrent_dropout,
            cell=cell,
            zoneout=zoneout,
        )
        self.output_dropout = LockedDropout(output_dropout)
        weight: nn.Parameter = self.embedding.weight
        if not tie_weights:
            weight = nn.Parameter(torch.empty(n_tokens, top))
            draw_uniform(weight, _INITIAL_BOUND)
        self.softmax = TiedSoftmax(weight, cutoffs)

    def forward(
        self, ids: Tensor, states: Sequence[State] | None = None
    ) -> tuple[NextToken, list[State]]:
        """Read tokens (T, B) after what led to `states`, which None begins anew."""
        # With tied weights the gradient of the softmax is dense; that of the lookup is
        # then added to it row by row.
        weight = self.embedding.weight
        sparse = self.training and self.softmax.weight is weight
        x = functional.embedding(ids, weight, sparse=sparse)
        x = self.input_dropout(self.word_dropout(x, ids))
        undropped, after = self.recurrent(x, states)
        hidden = self.output_dropout(undropped)
        return NextToken(hidden, undropped, self.softmax), after


class Continued(nn.Module):
    """A language model that goes on where its last call ended.

    The state is carried from window to window, but no gradient goes through it; where
    it is not finite it begins anew. A change between training and evaluation begins a
    new text.

    Parameters
    ----------
    body : LanguageModel
        What is run.

    Attributes
    ----------
    carried_states : list of tuple of Tensor of shape (B, ...) or None
        The state of each layer after the last call.
    """

    def __init__(self, body: LanguageModel) -> None:
        super().__init__()
        self.body = body
        self.carried_states: list[State] | None = None

    def forward(self, ids: Tensor) -> NextToken:
        """Read the next tokens (T, B) of every stream."""
        output, states = self.body(ids, self.carried_states)
        self.carried_states = [(_carried(h), _carried(c)) for h, c in states]
        return output

    def train(self, mode: bool = True) -> "Continued":
        """Switch between training and evaluation, and begin a new text."""
        self.carried_states = None
        return super().train(mode)


def _carried(state: Tensor) -> Tensor:
    """Detach a state; one bad window must not spoil all that follow."""
    return state.detach().nan_to_num(0.0, 0.0, 0.0)
