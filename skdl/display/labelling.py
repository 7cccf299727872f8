"""Labels beside points that hide neither each other nor the points."""

from typing import Any

import numpy as np
import pandas as pd

# Where a label may stand, seen from its point: directions, the best first, and how many
# times the usual distance.
_DIRECTIONS = [
    (0, 1), (0, -1), (1, 0), (-1, 0), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7)
]  # fmt: skip
_DISTANCES = (1.0, 2.5, 4.0)
# Points, of 1/72 inch, between a mark and its label, and between two labels.
_GAP, _APART = 3.0, 1.0


def label_points(
    ax: Any, points: pd.DataFrame, sizes: np.ndarray, order: np.ndarray
) -> None:
    """Write the labels of points, as far as there is room for them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where the points are drawn.
    points : DataFrame of shape (n_points, 2)
        Their places, in units of the axes; the index has the labels.
    sizes : ndarray of shape (n_points,)
        Areas of their marks in square points, as `scatter` takes them.
    order : ndarray of int
        The points that are to have a label, the most important first. One that has no
        room beside its point, nor near it with a line that leads there, is left out.
    """
    figure = ax.figure
    figure.draw_without_rendering()  # so that axes and limits are where they will be
    unit = figure.dpi / 72
    centres = ax.transData.transform(points.to_numpy())
    radii = unit * np.sqrt(sizes) / 2
    taken = _Taken(
        np.column_stack([centres - radii[:, None], centres + radii[:, None]])
    )
    frame = np.array(ax.bbox.extents)
    for i in order:
        label = str(points.index[i])
        text = ax.annotate(
            label,
            points.iloc[i],
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize="small",
        )
        text.set_in_layout(False)
        box = text.get_window_extent()
        half = np.array([box.width, box.height]) / 2
        place = _place(centres[i], half, radii[i], unit, taken, frame)
        if place is None:
            text.remove()
            continue
        offset, distance = place
        text.set_position(offset / unit)
        if distance > 1:
            _lead(ax, points.iloc[i], offset, half, unit)


def _place(
    centre: np.ndarray,
    half: np.ndarray,
    radius: float,
    unit: float,
    taken: "_Taken",
    frame: np.ndarray,
) -> tuple[np.ndarray, float] | None:
    """Return the first place that is free, in pixels from the point, and take it."""
    margin = _APART * unit
    for distance in _DISTANCES:
        away = radius + distance * _GAP * unit + (distance - 1) * half[1]
        for direction in _DIRECTIONS:
            offset = np.array(direction) * (away + half)
            low, high = centre + offset - half, centre + offset + half
            inside = (low >= frame[:2]).all() and (high <= frame[2:]).all()
            box = np.concatenate([low - margin, high + margin])
            if inside and taken.is_free(box):
                taken.add(box)
                return offset, distance
    return None


def _lead(
    ax: Any, point: pd.Series, offset: np.ndarray, half: np.ndarray, unit: float
) -> None:
    """Draw a thin line from a point to where its label begins."""
    share = 1 - min(1, float(np.min(half / np.maximum(np.abs(offset), 1e-9))))
    ax.annotate(
        "",
        point,
        xytext=offset * share / unit,
        textcoords="offset points",
        arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6},
    ).set_in_layout(False)


class _Taken:
    """Boxes in which something is drawn."""

    def __init__(self, boxes: np.ndarray) -> None:
        self._boxes = list(boxes)

    def is_free(self, box: np.ndarray) -> bool:
        """Tell whether a box, (left, bottom, right, top), meets none of them."""
        boxes = np.array(self._boxes)
        apart = (boxes[:, :2] >= box[2:]).any(1) | (boxes[:, 2:] <= box[:2]).any(1)
        return bool(apart.all())

    def add(self, box: np.ndarray) -> None:
        """Take a box."""
        self._boxes.append(box)
