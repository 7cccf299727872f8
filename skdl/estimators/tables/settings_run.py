"""One training of a pack whose members differ in their settings."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from skdl.data.folds import FoldNumbers
from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.tables.pack_rows import PackRows, StreamedRows
from skdl.estimators.tables.pack_run import PackRun
from skdl.estimators.tables.packs import without_piecewise
from skdl.estimators.tables.settings import draw_settings
from skdl.networks.packed import Pack
from skdl.networks.packed_members import of_members, tensors_of_members
from skdl.networks.packed_settings import with_slopes
from skdl.training.loop import Outcome
from skdl.training.optimization.optimizers import OptimizerSettings
from skdl.training.selection import BestOfEach
from skdl.training.side_by_side import ELEMENTWISE, Slices, optimizer_of
from skdl.training.survival.not_finite import StepGuard


def check_settings(estimator: Any, *, with_whole: bool) -> None:
    """Refuse what does not go with members of several settings.

    Raises
    ------
    ValueError
    """
    if estimator.optimizer not in ELEMENTWISE:
        raise ValueError(
            f"diversity='settings' gives each network a rate and decay of its own, "
            f"which goes with the optimizers {ELEMENTWISE}; got "
            f"optimizer={estimator.optimizer!r}."
        )
    if with_whole:
        raise ValueError(
            "Vectors are taken from networks of one setting: leave diversity at None."
        )


def whole_settings(blind: Any, n_folds: int) -> Any:
    """Return to which rows networks are blind, without those of no whole setting.

    Parameters
    ----------
    blind : ndarray of shape (n_rows, n_members) or FoldNumbers
        Networks take the folds in turn.
    n_folds : int
        Networks of a setting.

    Raises
    ------
    ValueError
        If there are fewer than two settings.
    """
    n_members = blind.shape[1]
    n_settings = n_members // n_folds
    if n_settings < 2:
        raise ValueError(
            f"diversity='settings' needs networks of at least two settings, and each "
            f"setting has one for each of the {n_folds} folds: set n_estimators to "
            f"{2 * n_folds} or more, such as {4 * n_folds}."
        )
    kept = slice(n_settings * n_folds)
    if isinstance(blind, FoldNumbers):
        return FoldNumbers(blind.patterns[:, kept], blind.numbers)
    return blind[:, kept]


class SettingsRun(PackRun):
    """One training of a pack whose members differ in their settings.

    Parameters
    ----------
    seed : int
        Of what is drawn.
    n_folds : int
        Networks of a setting, which stand beside each other.
    """

    def __init__(self, *given: Any, seed: int, n_folds: int, **options: Any) -> None:
        self._seed, self._n_folds = seed, n_folds
        super().__init__(*given, **options)

    def _new_network(self, encoder: Any, n_outputs: int, n_members: int) -> Pack:
        n_folds = self._n_folds
        self.settings = draw_settings(self.recipe, n_members // n_folds, self._seed)
        self._members = [
            list(range(i * n_folds, (i + 1) * n_folds))
            for i in range(len(self.settings))
        ]
        of_each = {
            name: np.repeat([getattr(s, name) for s in self.settings], n_folds).tolist()
            for name in ("dropout", "embedding_dropout", "slope", "frequency")
        }
        rates = {name: of_each[name] for name in ("dropout", "embedding_dropout")}
        given = n_outputs, n_members, replace(self.recipe, **rates), self.harmful
        network = self.estimator._new_pack(encoder, *given, self._n_beside)
        network.head.layers = with_slopes(network.head.layers, of_each["slope"])
        if network.cosine is not None:
            network.cosine.widen(torch.tensor(of_each["frequency"]))
        for setting, members in zip(self.settings, self._members, strict=True):
            if not setting.piecewise:
                without_piecewise(network, members)
        self._unused = self._settings_without_effect(network)
        return network

    def _settings_without_effect(self, network: Any) -> set[str]:
        """Return the names of settings that change nothing in a network."""
        embedding = network.embedding
        drops = embedding is not None and embedding.drops
        without = {
            "embedding_dropout": not drops,
            "slope": self.estimator.activation != "silu",
            "frequency": network.cosine is None,
            "piecewise": network.cosine is None or network.piecewise is None,
        }
        return {name for name, is_without in without.items() if is_without}

    def _look_at(self, rows: PackRows, rng: np.random.RandomState) -> None:
        super()._look_at(rows, rng)
        self._rng = rng
        self._best = BestOfEach(
            [self._look(rows, rows.blind[:, members]) for members in self._members],
            self._members,
            self.out_of_fold,
            tensors_of_members(self.parts.network),
        )
        self._validate = self._best

    def _optimizer(self, settings: OptimizerSettings) -> torch.optim.Optimizer:
        each = [
            replace(
                settings,
                lr=setting.lr / self.recipe.lr,
                weight_decay=setting.weight_decay,
            )
            for setting, members in zip(self.settings, self._members, strict=True)
            for _ in members
        ]
        slices = Slices(self.parts.network, each)
        return optimizer_of(slices, self.estimator.optimizer)

    def _guard(self) -> StepGuard:
        # Slices of gradients are looked at between their capture and the step.
        return StepGuard(self.runtime.device)

    def train(self, reporter: EpochReporter, *, drops: bool) -> Outcome:
        """Train, and take the best weights of each setting."""
        outcome = super().train(reporter, drops=drops)
        self._best.restore()
        return outcome

    def conclude(self) -> None:
        """Choose settings, leave the networks of others out, and go on as ever."""
        self._counts = self._best.chosen()
        pairs = list(zip(self._members, self._counts, strict=True))
        kept = [m for members, count in pairs if count for m in members]
        counts = np.repeat([count for _, count in pairs if count], self._n_folds)
        shares = counts / counts.sum()
        parts = self.parts
        parts.network = of_members(parts.network, kept)
        parts.objective = type(parts.objective)(parts.objective.member, len(kept))
        self._shares = shares.tolist()
        self._n_chosen = len(kept) // self._n_folds
        self.rows = _rows_of(self.rows, kept, shares.astype(np.float32))
        PackRun._look_at(self, self.rows, self._rng)
        super().conclude()

    def attributes(self, kept: np.ndarray | slice, n_rows: int) -> dict[str, Any]:
        """Return the values of `ATTRIBUTES`."""
        shares = np.array(self._counts) / sum(self._counts)
        found = zip(
            self.settings, self._best.losses, self._best.best, shares, strict=True
        )
        table = [
            {
                **{k: v for k, v in asdict(setting).items() if k not in self._unused},
                "validation_loss": loss,
                "best_epoch": self.epochs_at(look),
                "share": float(share),
            }
            for setting, loss, look, share in found
        ]
        return {**super().attributes(kept, n_rows), "_settings": table}


def _rows_of(rows: PackRows, kept: list[int], shares: np.ndarray) -> PackRows:
    """Return rows that some networks are looked at with, by how much these count."""
    members, *others = rows.untrained
    place = torch.full((rows.blind.shape[1],), -1, device=members.device)
    place[kept] = torch.arange(len(kept), device=members.device)
    stays = place[members] >= 0
    changed: dict[str, Any] = {
        "blind": rows.blind[:, kept] * shares,
        "untrained": (place[members][stays], *(t[stays] for t in others)),
    }
    if isinstance(rows, StreamedRows):
        patterns = rows.folds.patterns[:, kept] * shares
        changed["folds"] = FoldNumbers(patterns, rows.folds.numbers)
    return replace(rows, **changed)
