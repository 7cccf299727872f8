"""A network that reads documents with a language model's layers and labels them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.dropout import Dropout
from skdl.networks.initialization import draw_linear
from skdl.networks.language_model import LanguageModel
from skdl.networks.recurrent import State

_WINDOW = 128  # tokens of each document that are read at once
_HEAD_WIDTH = 50


@dataclass(frozen=True)
class Outputs:
    """What the top layer made of tokens.

    Attributes
    ----------
    undropped : Tensor of shape (T, B, H)
        Its outputs.
    """

    undropped: Tensor


class ReadingBody(nn.Module):
    """The layers of a language model below its softmax, which they are shared with.

    Parameters
    ----------
    model : LanguageModel
        Whose layers they are.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.embedding = model.embedding
        self.word_dropout = model.word_dropout
        self.input_dropout = model.input_dropout
        self.recurrent = model.recurrent

    def forward(
        self, ids: Tensor, states: Sequence[State] | None = None
    ) -> tuple[Outputs, list[State]]:
        """Read tokens (T, B) after what led to `states`, which None begins anew."""
        x = functional.embedding(ids, self.embedding.weight)
        x = self.input_dropout(self.word_dropout(x, ids))
        outputs, after = self.recurrent(x, states)
        return Outputs(outputs), after


class PoolingHead(nn.Module):
    """One hidden layer with batch norm on a document's vector.

    A layer of its own, as far as rates of layers go.

    Parameters
    ----------
    n_inputs : int
        Width of the vectors.
    n_outputs : int
        Raw outputs.
    dropout : float
        Of the vectors; of the hidden units a quarter of it.
    """

    def __init__(self, n_inputs: int, n_outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout, self.hidden_dropout = Dropout(dropout), Dropout(dropout / 4)
        self.norm_scale = nn.Parameter(torch.ones(n_inputs))
        self.norm_shift = nn.Parameter(torch.zeros(n_inputs))
        self.hidden = nn.Parameter(torch.empty(_HEAD_WIDTH, n_inputs))
        self.hidden_bias = nn.Parameter(torch.zeros(_HEAD_WIDTH))
        self.output = nn.Parameter(torch.empty(n_outputs, _HEAD_WIDTH))
        self.output_bias = nn.Parameter(torch.zeros(n_outputs))
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("variance", torch.ones(n_inputs))
        draw_linear(self.hidden.data)
        draw_linear(self.output.data)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return raw outputs (B, n_outputs) of vectors (B, n_inputs)."""
        x = functional.batch_norm(
            vectors,
            self.mean,
            self.variance,
            self.norm_scale,
            self.norm_shift,
            self.training and len(vectors) > 1,  # one has no spread
        )
        x = functional.linear(self.dropout(x), self.hidden, self.hidden_bias).relu()
        return functional.linear(self.hidden_dropout(x), self.output, self.output_bias)


class TextReader(nn.Module):
    """Reads documents and labels them (Howard & Ruder 2018, section 3.3).

    The last, highest and mean outputs of the top layer go to a head. The state goes
    through all of a document, gradients through its last tokens.

    Parameters
    ----------
    model : LanguageModel
        Its layers are shared, not copied.
    n_outputs : int
        Raw outputs.
    dropout : float, default=0.4
        Of the document's vector.
    bptt : int, default=128
        Tokens at the end of a document that gradients go through.

    Examples
    --------
    >>> import torch
    >>> lm = LanguageModel(50, embedding_dim=8, hidden_size=12, num_layers=2)
    >>> ids, lengths = torch.zeros(3, 7, dtype=torch.long), torch.tensor([7, 5, 2])
    >>> TextReader(lm, 2)(ids, lengths).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        model: LanguageModel,
        n_outputs: int,
        *,
        dropout: float = 0.4,
        bptt: int = 128,
    ) -> None:
        super().__init__()
        self.reading = ReadingBody(model)
        width = model.softmax.weight.shape[1]
        self.head = PoolingHead(3 * width, n_outputs, dropout)
        self.bptt = bptt

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return raw outputs (B, n_outputs) of documents.

        Parameters
        ----------
        ids : Tensor of shape (B, T)
            Their tokens, each document at the end of its row.
        lengths : Tensor of shape (B,)
            How many these are; what is before them is read, but not pooled.
        """
        tokens = ids.T
        length = len(tokens)
        learned = max(0, length - self.bptt)
        states: list[State] | None = None
        highest: Tensor | None = None
        total: Tensor | None = None
        for start, end in _windows(length, learned):
            with torch.set_grad_enabled(torch.is_grad_enabled() and start >= learned):
                read, states = self.reading(tokens[start:end], states)
            outputs = read.undropped.float()  # (W, B, H)
            place = torch.arange(start, end, device=ids.device).unsqueeze(1)
            before = (place < length - lengths).unsqueeze(2)  # (W, B, 1)
            top = outputs.masked_fill(before, -torch.inf).amax(0)
            part = outputs.masked_fill(before, 0.0).sum(0)
            highest = top if highest is None else torch.maximum(highest, top)
            total = part if total is None else total + part
        assert highest is not None
        assert total is not None
        mean = total / lengths.unsqueeze(1)
        return self.head(torch.cat([outputs[-1], highest, mean], dim=1))


def _windows(length: int, learned: int) -> list[tuple[int, int]]:
    """Cut steps into windows, none of which goes over where gradients begin."""
    cuts = [*range(0, learned, _WINDOW), *range(learned, length, _WINDOW), length]
    return list(itertools.pairwise(cuts))
