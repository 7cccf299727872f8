"""What all displays share: matplotlib, imported when a picture is drawn."""

from typing import Any


def pyplot(caller: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} draws with matplotlib, which is not installed: "
            'pip install "skdl[plot]".'
        ) from error
    return plt


def axes_or_new(ax: Any, caller: str) -> Any:
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    plt = pyplot(caller)
    return plt.subplots(figsize=(6.4, 4.0), layout="constrained")[1]
