"""A language model as a tutorial writes it: what skdl is compared with.

Two LSTM layers of 200 units with dropout, a full softmax, gradient descent at a rate of
20 that is divided by four when the validation loss does not fall, batches of 20 streams
in windows of 35 tokens.
"""

import math
import time

import numpy as np
import torch
from torch import Tensor, nn

BATCH, WINDOW, UNITS, DROPOUT, RATE, CLIP = 20, 35, 200, 0.2, 20.0, 0.25


class PlainLM(nn.Module):
    """Embedding, LSTM, linear layer."""

    def __init__(self, n_tokens: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(DROPOUT)
        self.embedding = nn.Embedding(n_tokens, UNITS)
        self.lstm = nn.LSTM(UNITS, UNITS, 2, dropout=DROPOUT)
        self.decoder = nn.Linear(UNITS, n_tokens)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, ids: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
        """Return scores (T * B, V) and the state."""
        output, state = self.lstm(self.dropout(self.embedding(ids)), state)
        return self.decoder(self.dropout(output)).flatten(0, 1), state


def streams(ids: np.ndarray, n_streams: int) -> Tensor:
    """Lay a text out as columns."""
    length = len(ids) // n_streams
    columns = ids[: length * n_streams].reshape(n_streams, length).T
    return torch.from_numpy(columns.astype(np.int64)).contiguous()


def train_plain(
    ids: np.ndarray,
    valid: np.ndarray,
    n_tokens: int,
    *,
    seconds: float = math.inf,
    token_limit: float = math.inf,
) -> tuple[PlainLM, dict[str, float]]:
    """Train until the time or the tokens are used up.

    Returns
    -------
    model : PlainLM
        With the weights of the best epoch, or the last ones if they are better.
    facts : dict
        Tokens seen, and seconds of training and in all.
    """
    torch.manual_seed(0)
    model, loss_of = PlainLM(n_tokens), nn.CrossEntropyLoss()
    data, rate, best, best_state = streams(ids, BATCH), RATE, math.inf, None
    started, seen, training = time.perf_counter(), 0, 0.0
    done = False
    while not done:
        model.train()
        state, epoch_started = None, time.perf_counter()
        for i in range(0, len(data) - 1, WINDOW):
            target = data[i + 1 : i + 1 + WINDOW]
            inputs = data[i : i + len(target)]
            if state is not None:
                state = tuple(s.detach() for s in state)
            model.zero_grad()
            scores, state = model(inputs, state)
            loss_of(scores, target.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(parameter.grad, alpha=-rate)
            seen += target.numel()
            done = time.perf_counter() - started > seconds or seen >= token_limit
            if done:
                break
        training += time.perf_counter() - epoch_started
        loss = nll(model, valid, 10)
        if loss < best:
            best = loss
            best_state = {k: v.clone() for k, v in model.state_dict().items()}
        else:
            rate /= 4
    if best_state is not None:
        model.load_state_dict(best_state)
    total = time.perf_counter() - started
    return model, {"tokens": seen, "training": training, "seconds": total}


@torch.no_grad()
def nll(model: PlainLM, ids: np.ndarray, n_streams: int = 1) -> float:
    """Return the mean negative log-likelihood of a token."""
    model.eval()
    data, state, total = streams(ids, n_streams), None, 0.0
    for i in range(0, len(data) - 1, WINDOW):
        target = data[i + 1 : i + 1 + WINDOW]
        scores, state = model(data[i : i + len(target)], state)
        losses = nn.functional.cross_entropy(scores, target.flatten(), reduction="sum")
        total += float(losses)
    return total / ((len(data) - 1) * n_streams)
