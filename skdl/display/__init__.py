"""Pictures, in the style of scikit-learn's displays.

Each display holds what it draws, `plot` draws it and sets `ax_` (or `axes_`) and
`figure_`. matplotlib is imported when a picture is drawn and not before.
`model_summary` is a table.
"""

from skdl.display.bptt import BpttDisplay
from skdl.display.embedding import EmbeddingDisplay
from skdl.display.lr_find import LRFindDisplay
from skdl.display.pictures import (
    ActivationMapDisplay,
    ConfusedPairsDisplay,
    MistakesDisplay,
)
from skdl.display.schedule import ScheduleDisplay
from skdl.display.summary import model_summary
from skdl.display.surprise import SurpriseDisplay
from skdl.display.training import TrainingDisplay

__all__ = [
    "ActivationMapDisplay",
    "BpttDisplay",
    "ConfusedPairsDisplay",
    "EmbeddingDisplay",
    "LRFindDisplay",
    "MistakesDisplay",
    "ScheduleDisplay",
    "SurpriseDisplay",
    "TrainingDisplay",
    "model_summary",
]
