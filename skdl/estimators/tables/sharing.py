"""Which columns share their vectors."""

from collections.abc import Sequence
from typing import Any


def joined(names: Sequence[Any], groups: Sequence[Sequence[Any]]) -> list[int]:
    """Return a number for each name; those that groups tie together have the same.

    Groups that have a name in common are one.

    Examples
    --------
    >>> joined(["home", "day", "away", "third"], [("home", "away"), ("away", "third")])
    [0, 1, 0, 0]
    """
    head = {name: name for name in names}
    for group in groups:
        heads = {head[name] for name in group}
        first = next(name for name in names if head[name] in heads) if heads else None
        head = {name: first if h in heads else h for name, h in head.items()}
    order = {h: i for i, h in enumerate(dict.fromkeys(head[name] for name in names))}
    return [order[head[name]] for name in names]
