"""The picture of how the window of a language model was chosen."""

from typing import Any

import pandas as pd

from skdl.display.base import AxesDisplay, inside
from skdl.training.text.windows import SLOWER

# Why a candidate could not be taken, and how that is drawn.
_NO_MEMORY = "does not fit memory"
_NOT_FINITE = "loss is not finite"
_FEW_STEPS = "too few steps"
_MARKS = {_NO_MEMORY: "x", _NOT_FINITE: "^", _FEW_STEPS: "v"}


class BpttDisplay(AxesDisplay):
    """Tokens a second by length of the window, one line a batch size.

    Speeds are those measured, or where nothing was measured those of a formula, in
    which only the ratios mean something. Candidates that could not be taken are grey.

    Parameters
    ----------
    report : DataFrame
        A TextLM's `bptt_report_`.

    Examples
    --------
    >>> from skdl import BpttDisplay, TextLM
    >>> texts = ["the cat sat on the mat", "the dog sat on the rug"] * 100
    >>> model = TextLM(bptt="auto", batch_size=2, max_epochs=1, random_state=0)
    >>> display = BpttDisplay.from_estimator(model.fit(texts))
    >>> display.ax_.get_xlabel()
    'tokens of a window (bptt)'
    """

    def __init__(self, report: pd.DataFrame) -> None:
        self.report = report

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> "BpttDisplay":
        """Draw how a fitted TextLM, or that of a Pipeline's last step, chose.

        Parameters
        ----------
        estimator : TextLM or Pipeline
            Fitted with ``bptt="auto"`` or ``batch_size="auto"``.
        ax : matplotlib.axes.Axes, default=None
            As for `plot`.

        Returns
        -------
        BpttDisplay

        Raises
        ------
        TypeError
            If nothing was chosen.
        """
        given, estimator = estimator, inside(estimator)
        if not hasattr(estimator, "bptt_report_"):
            raise TypeError(
                f"{type(given).__name__} has no bptt_report_; give a TextLM that "
                'was fitted with bptt="auto" or batch_size="auto".'
            )
        return cls.from_report(estimator.bptt_report_, ax=ax)

    @classmethod
    def from_report(cls, report: pd.DataFrame, *, ax: Any = None) -> "BpttDisplay":
        """Draw a `bptt_report_`.

        Parameters
        ----------
        report : DataFrame
            With its columns.
        ax : matplotlib.axes.Axes, default=None
            As for `plot`.

        Returns
        -------
        BpttDisplay
        """
        return cls(report).plot(ax=ax)

    def _draw(self, ax: Any) -> None:
        table, how = _with_speeds(self.report)
        self._draw_candidates(ax, table)
        self._draw_choice(ax, table)
        ax.set_xscale("log", base=2)
        windows = sorted(set(table["bptt"]))
        ax.set_xticks(windows, labels=windows)
        ax.margins(y=0.1)
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.set(
            xlabel="tokens of a window (bptt)",
            ylabel=f"tokens a second, {how}",
            title="Choice of the window",
        )
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    def _draw_candidates(self, ax: Any, table: pd.DataFrame) -> None:
        for i, (batch_size, rows) in enumerate(table.groupby("batch_size")):
            color = f"C{i % 10}"
            label = f"batch size {batch_size}"
            ax.plot(rows["bptt"], rows["speed"], color=color, alpha=0.5, label=label)
            usable = rows[rows["obstacle"] == ""]
            ax.plot(usable["bptt"], usable["speed"], "o", color=color)
        for obstacle, mark in _MARKS.items():
            rows = table[table["obstacle"] == obstacle]
            if len(rows):
                ax.plot(rows["bptt"], rows["speed"], mark, color="0.5", label=obstacle)

    def _draw_choice(self, ax: Any, table: pd.DataFrame) -> None:
        usable = table[table["obstacle"] == ""]
        if len(usable):
            ax.axhline(
                (1 - SLOWER) * usable["speed"].max(),
                color="0.5",
                linestyle=":",
                linewidth=1,
                label=f"{SLOWER:.0%} slower than the fastest",
            )
        chosen = table[table["chosen"]].iloc[0]
        ax.plot(
            chosen["bptt"],
            chosen["speed"],
            "o",
            color="C3",
            markersize=12,
            markerfacecolor="none",
            markeredgewidth=2,
            label=f"chosen: {chosen['bptt']} x {chosen['batch_size']}",
        )


def _with_speeds(report: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Add `speed` and `obstacle` to a report, and say where speeds are from.

    What could not be taken was not measured; it stands where the formula has it beside
    the others.
    """
    speed, how = report["predicted_tokens_per_second"], "by formula"
    measured = report["tokens_per_second"]
    if measured.notna().any():
        speed, how = measured.fillna(speed * (measured / speed).median()), "measured"
    obstacle = pd.Series("", index=report.index)
    obstacle[~report["enough_steps"]] = _FEW_STEPS
    obstacle[~report["finite"].fillna(True).astype(bool)] = _NOT_FINITE
    obstacle[~report["fits"]] = _NO_MEMORY
    return report.assign(speed=speed, obstacle=obstacle), how
