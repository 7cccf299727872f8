"""Log lines of a service that does not exist, with faults that are known.

A text is the log of one session: steps of jobs, each with a host, a size and a number
of its own. Every step of a fault is one that sound sessions have too: what is wrong is
that it comes where it should not, or does not come where it should.
"""

import numpy as np

JOBS = {
    "copy": ["open {f}", "lock {f}", "read {f} {n} bytes", "close {f}", "unlock {f}"],
    "write": ["open {f}", "lock {f}", "write {f} {n} bytes", "sync {f}", "unlock {f}"],
    "query": ["connect {h}", "send query {n}", "recv rows {n}", "disconnect {h}"],
    "put": [
        "connect {h}",
        "auth ok",
        "put object {n}",
        "status created",
        "disconnect {h}",
    ],
    "get": ["connect {h}", "auth ok", "get object {n}", "status ok", "disconnect {h}"],
    "delete": ["auth admin", "delete {f}", "audit delete {f}", "status gone"],
    "retry": [
        "connect {h}",
        "timeout {h}",
        "retry once",
        "connect {h}",
        "disconnect {h}",
    ],
}
# A job, the place of a step, and what is done with it: left out, moved, or replaced by
# one that other jobs have.
FAULTS = [
    ("copy", 1, None),
    ("copy", 4, None),
    ("write", 3, None),
    ("write", 2, "read {f} {n} bytes"),
    ("query", 2, "timeout {h}"),
    ("put", 1, None),
    ("put", 3, "status gone"),
    ("get", 3, "status created"),
    ("delete", 0, "auth ok"),
    ("delete", 2, None),
    ("retry", 1, None),
]


def make_sessions(
    n: int, rng: np.random.RandomState, *, share: float = 0.02
) -> tuple[list[str], np.ndarray, list[str]]:
    """Return the texts of sessions, which of them have a fault, and which it is."""
    texts, kinds = [], []
    for _ in range(n):
        jobs = list(rng.choice(list(JOBS), rng.randint(2, 6)))
        fault = FAULTS[rng.randint(len(FAULTS))] if rng.rand() < share else None
        place = rng.randint(len(jobs))
        if fault is not None:
            jobs[place] = fault[0]
        lines: list[str] = []
        for i, job in enumerate(jobs):
            wrong = fault if i == place else None
            lines += _lines(job, wrong, rng)
        texts.append("\n".join(lines))
        kinds.append("" if fault is None else f"{fault[0]} {fault[1]} {fault[2] or ''}")
    return texts, np.array([bool(kind) for kind in kinds]), kinds


def _lines(job: str, fault: tuple | None, rng: np.random.RandomState) -> list[str]:
    steps = list(JOBS[job])
    if fault is not None:
        steps[fault[1] : fault[1] + 1] = [] if fault[2] is None else [fault[2]]
    names = {"f": f"file{int(rng.zipf(1.5)) % 200}", "h": f"host{rng.randint(12)}"}
    return [step.format(n=rng.randint(1, 500), **names) for step in steps]
