"""What a training step of a language model takes: bytes and seconds, by formula."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from skdl.training.runtime import runs_in_onednn

# Bytes that are kept for the backward pass by unit of a layer's output and token: a
# part that goes with the width of the arithmetic, and one that does not. Of the LSTM in
# oneDNN's kernel measured; in torch's own, and on a GPU, what its equations need: the
# output, four gates, the cell and its tanh. The QRNN keeps z, f, o and what is pooled
# in float32; on a GPU that holds for a kernel that goes over the steps, not for a scan
# in passes.
_KEPT = {
    ("lstm", "onednn"): (10.0, 26.0),
    ("lstm", "cpu"): (7.0, 0.0),
    ("lstm", "cuda"): (7.0, 0.0),
    ("qrnn", "onednn"): (0.0, 17.0),
    ("qrnn", "cpu"): (0.0, 17.0),
    ("qrnn", "cuda"): (0.0, 17.0),
}
_GATES = {"lstm": 4, "qrnn": 3}
_WIDTH = {"lstm": 1, "qrnn": 2}  # steps that the first layer looks at
_POOL = 1 << 18  # values in a pool of random numbers at the least, on a CPU

# Scores that the softmax holds at once.
_CHUNK = {"cpu": 1 << 21, "cuda": 1 << 25}


@dataclass(frozen=True)
class _Speed:
    """Seconds that parts of a step take."""

    step: float  # whatever its size
    weight: float  # clipping, optimizer step and gradient of one weight
    time_step: float  # of one layer, beyond its multiplications
    multiplication: float


# The CPU's constants were fitted to steps timed on one core of a server, but for the
# multiplications, which take half as long on two. What they are used for, the share of
# a step that does not grow with the window, is smaller on one core and larger on many.
# Those of a GPU are not measured: they are what kernels cost to launch and memory to
# pass through, in order of magnitude.
_SPEEDS = {
    "cpu": _Speed(5e-4, 1.6e-9, 5e-6, 1.3e-11),
    "cuda": _Speed(2e-3, 3e-11, 2e-5, 3e-14),
}

# Where oneDNN does not run, measured beside where it does, on a core with AVX2: a time
# step of an LSTM is a chain of small operations, forth and back, and torch's own
# products of bfloat16 take ten to thirty times as long as those of float32.
_OWN_TIME_STEP = 1e-4
_OWN_BFLOAT16 = 20.0


@dataclass(frozen=True)
class LanguageModelCost:
    """What a step costs, by the sizes of a language model.

    Parameters
    ----------
    n_tokens : int
        Tokens of the vocabulary.
    embedding_dim, hidden_size, num_layers : int
        As in `LanguageModel`.
    tie_weights : bool, default=True
        Whether the softmax has the vectors of the tokens as its weight.
    cell : {"lstm", "qrnn"}, default="lstm"
        Kind of the layers.
    n_scores : float or None, default=None
        Scores that the softmax makes for a token, on average; None is `n_tokens`.
    weight_dropout : bool, default=False
        Whether a masked copy of the recurrent weights is made.
    item_size : {4, 2}, default=4
        Bytes of a number in the arithmetic: 4 is float32, 2 is bfloat16.
    n_copies : int, default=5
        Numbers kept for each weight: itself, its gradient, the optimizer's state (two
        for AdamW) and the weights to go back to.
    device_type : {"cpu", "cuda"}, default="cpu"
        Where the step is taken. Others are taken for a CPU. What a CPU's LSTM keeps
        and how long it takes depend on whether oneDNN or torch's own kernel runs it,
        which torch is asked.

    Examples
    --------
    >>> cost = LanguageModelCost(10_000, 256, 256, 2, device_type="cuda")
    >>> cost.n_weights
    3620624
    >>> round(cost.step_bytes(batch_size=20, bptt=70) / 2**20)
    220
    """

    n_tokens: int
    embedding_dim: int
    hidden_size: int
    num_layers: int
    tie_weights: bool = True
    cell: str = "lstm"
    n_scores: float | None = None
    weight_dropout: bool = False
    item_size: int = 4
    n_copies: int = 5
    device_type: str = "cpu"

    @property
    def _kind(self) -> str:
        return "cuda" if self.device_type == "cuda" else "cpu"

    @property
    def _kernel(self) -> str:
        """Whose kernels run: those of the GPU, oneDNN's, or torch's own on the CPU."""
        if self._kind == "cpu" and runs_in_onednn(self._dtype):
            return "onednn"
        return self._kind

    @property
    def _dtype(self) -> torch.dtype:
        return torch.float32 if self.item_size == 4 else torch.bfloat16

    @property
    def _speed(self) -> _Speed:
        speed = _SPEEDS[self._kind]
        if self._kernel != "cpu":
            return speed
        if self.cell == "lstm":
            speed = replace(speed, time_step=_OWN_TIME_STEP)
        if self._dtype == torch.bfloat16:
            slower = speed.multiplication * _OWN_BFLOAT16
            speed = replace(speed, multiplication=slower)
        return speed

    @property
    def _top(self) -> int:
        """Width of the vectors that the softmax gets."""
        return self.embedding_dim if self.tie_weights else self.hidden_size

    def _layers(self) -> Iterator[tuple[int, int]]:
        """Yield inputs and units of each layer; a first layer may see several steps."""
        middle = [self.hidden_size] * (self.num_layers - 1)
        widths = itertools.pairwise([self.embedding_dim, *middle, self._top])
        for i, (n_inputs, width) in enumerate(widths):
            yield n_inputs * (1 if i else _WIDTH[self.cell]), width

    def _recurrent(self) -> list[int]:
        """Return the number of weights of each layer, biases aside."""
        own = 1 if self.cell == "lstm" else 0  # the LSTM multiplies its state too
        gates = _GATES[self.cell]
        return [gates * width * (n + own * width) for n, width in self._layers()]

    @property
    def n_weights(self) -> int:
        """Weights of the network."""
        tables = self.n_tokens * (self.embedding_dim + 1)
        if not self.tie_weights:
            tables += self.n_tokens * self._top
        biases = sum(_GATES[self.cell] * width for _, width in self._layers())
        return tables + sum(self._recurrent()) + biases

    def kept_bytes(self, batch_size: int, bptt: int) -> int:
        """Return the bytes that the recurrent layers keep for the backward pass.

        Within a quarter of what torch keeps on a CPU.

        Parameters
        ----------
        batch_size, bptt : int
            Streams and tokens of a window.

        Returns
        -------
        int
            Inputs, gates, cells and outputs of all layers and steps, and the weights
            where they are converted or masked for it.
        """
        growing, fixed = _KEPT[self.cell, self._kernel]
        by_unit = growing * self.item_size + fixed
        by_token = sum(n * self.item_size + h * by_unit for n, h in self._layers())
        weights = 0.0
        if self.item_size < 4:
            weights += self.item_size * sum(self._recurrent())
        if self.weight_dropout:
            weights += sum(self._masked_bytes(n) for n in self._masked())
        return round(batch_size * bptt * by_token + weights)

    def _masked(self) -> list[int]:
        """Return the number of weights of each layer that dropout masks."""
        if self.cell == "qrnn":
            return self._recurrent()
        return [_GATES["lstm"] * width * width for _, width in self._layers()]

    def _masked_bytes(self, n: int) -> int:
        """Return the bytes of a masked copy of `n` weights and of its mask."""
        return 4 * (n + (max(_POOL, 4 * n) if self._kind == "cpu" else n))

    def step_bytes(self, *, batch_size: int, bptt: int) -> int:
        """Return the bytes that training takes at its peak.

        Parameters
        ----------
        batch_size, bptt : int
            Streams and tokens of the longest window.

        Returns
        -------
        int
            All copies of the weights, what is kept for the backward pass, and the
            larger of what the softmax and the gradient of the largest layer need.
        """
        tokens, item = batch_size * bptt, self.item_size
        scores = math.ceil(self.n_scores or self.n_tokens)
        softmax = 2 * item * min(tokens * scores, max(scores, _CHUNK[self._kind]))
        # The table in the arithmetic's type, and a part of its gradient before it is
        # added; the gradient itself is one of the copies.
        softmax += 2 * item * self.n_tokens * self._top
        softmax += 2 * item * tokens * self._top
        widest = max(n + (1 + _GATES[self.cell]) * h for n, h in self._layers())
        backward = 2 * item * tokens * widest
        # The gradient of a lookup is added to that of the softmax in a new table.
        backward += 4 * self.embedding_dim * (tokens + self.n_tokens)
        return (
            4 * self.n_copies * self.n_weights
            + self.kept_bytes(batch_size, bptt)
            + max(softmax, backward)
        )

    def tokens_per_second(self, *, batch_size: int, bptt: int) -> float:
        """Return about how many tokens are trained on in a second.

        Good for comparing windows with each other: the constants are fixed, so the
        same sizes always have the same speed.

        Parameters
        ----------
        batch_size, bptt : int
            Streams and tokens of a window.

        Returns
        -------
        float
        """
        speed = self._speed
        per_token = sum(self._recurrent()) + self._top * (
            self.n_scores or self.n_tokens
        )
        tokens = batch_size * bptt
        seconds = (
            speed.step
            + speed.weight * self.n_weights
            + speed.time_step * bptt * self.num_layers
            + speed.multiplication * 3 * per_token * tokens
        )
        return tokens / seconds
