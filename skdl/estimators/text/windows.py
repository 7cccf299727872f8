"""The windows that a TextLM is trained on: as given, or chosen for "auto"."""

import math
import time
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice, repeat
from typing import Any

import pandas as pd

from skdl.data.streams import StreamBatches, longest_window, n_windows
from skdl.data.text import TextEncoder, TokenStream
from skdl.estimators.core.fitting import FittedParts, trainer_of_copy
from skdl.estimators.core.user_warnings import warn_user
from skdl.estimators.text.network import dropouts, scores_by_token, step_work
from skdl.training.runtime import Runtime
from skdl.training.survival import device_memory as memory
from skdl.training.survival.checkpoint import Checkpoint
from skdl.training.survival.out_of_memory import MemoryLimit
from skdl.training.survival.snapshot import copied
from skdl.training.text.step_cost import LanguageModelCost
from skdl.training.text.windows import Candidate, candidates, choose

# Share of a device's memory that may be planned with: of what is free now, and of all,
# where the choice must be the same whatever else runs.
_OF_FREE, _OF_TOTAL = 0.8, 0.5

# Trying a candidate: the first step makes the optimizer's state and is not timed. Every
# round gives each candidate about as many tokens, and compares them with each other,
# since a machine is faster in one moment than in the next. No round is begun after some
# seconds.
_STEPS, _ROUNDS, _SECONDS = 3, 7, 10.0
_MOST_UNCERTAIN = 0.05
_LONG = 2.0  # minutes after which people wonder
_LR = 1e-3  # where the rate is not yet known

# Columns of the report that may have gaps.
_TYPES = {"tokens_per_second": float, "finite": "boolean"}


@dataclass(frozen=True)
class Windows:
    """Tokens of a window, streams, and if they were chosen why."""

    bptt: int
    batch_size: int
    report: pd.DataFrame | None = None

    def attributes(self) -> dict[str, Any]:
        """Return what a fitted TextLM tells of them."""
        told = {"bptt_": self.bptt, "batch_size_": self.batch_size}
        return told if self.report is None else {**told, "bptt_report_": self.report}


def choose_windows(
    settings: Any,
    parts: FittedParts,
    stream: TokenStream,
    runtime: Runtime,
    *,
    warm: bool,
    checkpoint: Checkpoint | None = None,
) -> Windows:
    """Return the windows to train on; fewer streams where the text is short.

    A choice is made in the first fit and stays when a fit goes on from it, also from
    its checkpoint. Nothing that is tried for it changes the network or torch's random
    state.
    """
    bptt, batch_size, report = settings.bptt, settings.batch_size, None
    if "auto" in (bptt, batch_size):
        report = getattr(settings, "bptt_report_", None) if warm else None
        if report is None:
            notes = {} if checkpoint is None else checkpoint.notes
            if "windows" not in notes:
                notes["windows"] = _choice(settings, parts, stream, runtime)
            report = pd.DataFrame(notes["windows"]).astype(_TYPES)
        row = report.loc[report["chosen"].idxmax()]
        bptt = int(row["bptt"]) if bptt == "auto" else bptt
        batch_size = int(row["batch_size"]) if batch_size == "auto" else batch_size
    fits = _streams(batch_size, bptt, len(stream))
    if fits < batch_size and settings.batch_size != "auto":
        warn_user(
            f"The text has {len(stream)} tokens, fewer than batch_size * bptt = "
            f"{batch_size * bptt}; batch_size={fits} is used.",
            UserWarning,
        )
    return Windows(bptt, fits, report)


def _streams(batch_size: int, bptt: int, n_tokens: int) -> int:
    """Return how many streams a text is long enough for."""
    return max(1, min(batch_size, n_tokens // bptt))


def training_streams(
    settings: Any,
    windows: Windows,
    encoder: TextEncoder,
    stream: TokenStream,
    runtime: Runtime,
) -> StreamBatches:
    """Return the batches to train on."""
    return StreamBatches(
        stream.ids,
        encoder.end_id,
        lengths=stream.lengths,
        batch_size=windows.batch_size,
        bptt=windows.bptt,
        variable=settings.variable_bptt,
        device=runtime.device,
    )


def tell_of_minutes(
    settings: Any, parts: FittedParts, windows: Windows, n_tokens: int, runtime: Runtime
) -> None:
    """Warn that a fit takes minutes, where nothing else shows how it goes.

    By the formula for a step, which is that of one core: it may be twice too long. Of a
    GPU it is not known well enough.
    """
    if settings.verbose or runtime.device.type != "cpu":
        return
    speed = _cost(settings, parts, runtime).tokens_per_second(
        batch_size=windows.batch_size, bptt=windows.bptt
    )
    minutes = settings.max_epochs * n_tokens / speed / 60
    if minutes > _LONG:
        warn_user(
            f"This fit reads {n_tokens:,} tokens {settings.max_epochs} times, which "
            f"takes about {minutes:.0f} minutes on a core. verbose=1 shows how it "
            "goes; fewer max_epochs, a smaller hidden_size or cell='qrnn' take less.",
            UserWarning,
        )


def _choice(
    settings: Any, parts: FittedParts, stream: TokenStream, runtime: Runtime
) -> list[dict[str, Any]]:
    """Choose, and return the candidates and why."""
    n, variable = len(stream), settings.variable_bptt
    repeatable = settings.random_state is not None
    there = memory.device_memory(runtime.device)
    found = candidates(
        n,
        _cost(settings, parts, runtime),
        _OF_TOTAL * there.total if repeatable else _OF_FREE * there.free,
        bptt=None if settings.bptt == "auto" else settings.bptt,
        batch_size=None if settings.batch_size == "auto" else settings.batch_size,
        steps=lambda streams, bptt: n_windows(
            n // _streams(streams, bptt, n), bptt, variable=variable
        ),
        longest=lambda bptt: longest_window(bptt, variable=variable),
        max_epochs=settings.max_epochs,
        device_type=runtime.device.type,
    )
    trial = _Trial(settings, parts, stream, runtime)
    choose(found, measure=None if repeatable else trial.measure, check=trial.check)
    return copied([asdict(candidate) for candidate in found])


def _cost(settings: Any, parts: FittedParts, runtime: Runtime) -> LanguageModelCost:
    states = 2
    if settings.optimizer == "sgd":
        states = int(settings.betas[0] > 0)
    # The weight, its gradient, the optimizer's state and the average; the same without
    # the gradient as of the last epoch, to go back to; the weight of the best epoch.
    averages = settings.weight_averaging is not None
    copies = 1 + 2 * (1 + states + averages) + settings.early_stopping
    softmax = parts.network.body.softmax
    dropped = dropouts(settings)
    return LanguageModelCost(
        len(parts.encoder.tokens),
        settings.embedding_dim,
        settings.hidden_size,
        settings.num_layers,
        tie_weights=settings.tie_weights,
        cell=settings.cell,
        n_scores=scores_by_token(softmax.cutoffs, parts.encoder.counts),
        weight_dropout=dropped["recurrent_dropout"] > 0,
        item_size=runtime.precision.itemsize,
        n_copies=copies,
        device_type=runtime.device.type,
    )


class _Trial:
    """Takes a few steps on a copy of the network."""

    def __init__(
        self,
        settings: Any,
        parts: FittedParts,
        stream: TokenStream,
        runtime: Runtime,
    ) -> None:
        self._settings, self._parts = settings, parts
        self._ids = stream.ids
        self._runtime = replace(runtime, memory=MemoryLimit(splits=False))
        self._lr = parts.lr or _LR
        if settings.lr != "auto":
            self._lr = float(settings.lr)

    def measure(self, found: list[Candidate]) -> float:
        """Measure how fast candidates are, in turn; return how sure that is."""
        started = time.perf_counter()
        longest = max(candidate.tokens for candidate in found)
        rounds: list[dict[int, float]] = []
        for _ in range(_ROUNDS):
            rounds.append({})
            for i, candidate in enumerate(found):
                if candidate.fits and candidate.finite is not False:
                    steps = max(_STEPS, 1 + round(longest / candidate.tokens))
                    rounds[-1][i] = self._run(candidate, steps)
            if time.perf_counter() - started > _SECONDS:
                break
        speeds, uncertain = compared(rounds)
        for i, speed in speeds.items():
            found[i].tokens_per_second = speed
        return min(uncertain, _MOST_UNCERTAIN)

    def check(self, candidate: Candidate) -> None:
        """See whether a candidate's steps are finite and memory suffices."""
        self._run(candidate, _STEPS)

    def _run(self, candidate: Candidate, steps: int) -> float:
        """Take steps; set `finite` and `fits` and return the tokens a second."""
        work = step_work(self._parts.network, candidate.batch_size, candidate.bptt)
        try:
            # The seed matters to nobody: the fit's generators are left alone.
            with self._runtime.seeded(0), self._runtime.threads(work):
                loss, speed = self._train(candidate, steps)
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
            candidate.fits = False
            return 0.0
        candidate.finite = math.isfinite(loss)
        return speed

    def _train(self, candidate: Candidate, steps: int) -> tuple[float, float]:
        """Take steps on a copy; return the sum of losses and the tokens a second."""
        trainer = trainer_of_copy(self._settings, self._parts, self._runtime, self._lr)
        trainer.begin_epoch()
        batches = chain.from_iterable(repeat(self._batches(candidate, steps)))
        with trainer.drawing():
            total = trainer.step(next(batches)).item()
            started, n = time.perf_counter(), 0
            rest: Any = 0.0
            for batch in islice(batches, steps - 1):
                rest += trainer.step(batch)
                n += batch[1].numel()
            total += rest.item()  # waits for the device
        if trainer.guard.dropped:  # a gradient was not finite
            total = math.nan
        return total, n / max(time.perf_counter() - started, 1e-9)

    def _batches(self, candidate: Candidate, steps: int) -> StreamBatches:
        """Return windows of the beginning of the text, all alike."""
        streams = _streams(candidate.batch_size, candidate.bptt, len(self._ids))
        return StreamBatches(
            self._ids[: streams * candidate.bptt * steps],
            self._parts.encoder.end_id,
            batch_size=streams,
            bptt=candidate.bptt,
            device=self._runtime.device,
        )


def compared(rounds: list[dict[int, float]]) -> tuple[dict[int, float], float]:
    """Return speeds that compare what was measured in turn, and how sure they are.

    Parameters
    ----------
    rounds : list of dict
        The speed of each candidate; one that failed is missing from then on, or has 0.

    Returns
    -------
    speeds : dict
        Of the candidates that never failed: the median over rounds of the speed beside
        that of the others in the same round, times the best round's mean.
    uncertain : float
        The standard error of that median, as a share; 1 where that is not known.
    """
    measured = pd.DataFrame(rounds).replace(0.0, math.nan).dropna(axis=1)
    means = measured.mean(axis=1)
    beside = measured.div(means, axis=0)
    speeds = beside.median() * means.max()
    if measured.empty or len(rounds) == 1:
        return speeds.to_dict(), 1.0
    # Of a median it is a quarter larger than of a mean.
    errors = 1.25 * beside.std() / math.sqrt(len(rounds))
    return speeds.to_dict(), float(errors.max())
