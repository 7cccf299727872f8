"""The mean of a column's vectors, and drawing rare categories toward it."""

import torch

from skdl.data.categories import FIRST, Vocabulary


def mean_vector(vectors: torch.Tensor, vocabulary: Vocabulary) -> torch.Tensor | None:
    """Return the mean vector of the training rows' categories; None without any."""
    seen = torch.from_numpy(vocabulary.counts[FIRST:]).to(vectors).unsqueeze(1)
    if not seen.sum():
        return None
    return (vectors[FIRST:] * seen).sum(0) / seen.sum()


@torch.no_grad()
def shrink(vectors: torch.Tensor, vocabulary: Vocabulary, strength: float) -> None:
    """Move each new vector to mean + n / (n + strength) * (vector - mean)."""
    mean = mean_vector(vectors, vocabulary)
    if mean is None:
        return
    n = torch.from_numpy(vocabulary.counts).to(vectors).unsqueeze(1)  # (n_rows, 1)
    new = slice(max(FIRST, vocabulary.n_before), None)
    vectors[new] = mean + n[new] / (n[new] + strength) * (vectors[new] - mean)
