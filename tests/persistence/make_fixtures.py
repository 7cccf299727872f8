"""Writes the fixtures of the present protocol.

``python -m tests.persistence.make_fixtures`` does it.

Run it once for each protocol, with the first version that writes it, and keep the files
for good: later versions must read them.
"""

from pathlib import Path

import numpy as np

import skdl
from skdl.persistence.files import PROTOCOL
from tests.persistence.models import answer, fitted

HERE = Path(__file__).parent / "fixtures"
KINDS = (
    *("dense", "embedding-pack", "transformer", "pipeline", "packed-search"),
    *("words", "pieces", "labels", "reader", "outliers"),
)


def main() -> None:
    for kind in KINDS:
        name = HERE / f"protocol-{PROTOCOL}-{kind}"
        if name.with_suffix(".skdl").exists():
            continue
        model, rows, method = fitted(kind)
        skdl.save(model, name.with_suffix(".skdl"))
        np.save(name.with_suffix(".npy"), answer(model, rows, method))


if __name__ == "__main__":
    main()
