"""Files that are damaged or made up, and readers that must not mind."""

import hashlib
import io
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import skdl
from skdl.training.survival.checkpoint import Checkpoint
from tests.properties.checks import TABLE, fitted

SAVED, CHECKPOINT = b"skdl model 1\n", b"skdl checkpoint\n"
# What is read first, so that damage behind it is not found by the checksum alone.
_SUM = 32


class Runs:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def mutated(whole, rng, marker):
    """Return a file with a random damage, or with a payload.

    Parameters
    ----------
    whole : bytes
        A good file.
    rng : numpy.random.RandomState
    marker : path
        Which a payload makes.
    """
    kind = rng.randint(6)
    at = rng.randint(len(whole))
    if kind == 0:
        return whole[:at]
    if kind == 1:
        damaged = bytearray(whole)
        for place in rng.randint(len(whole), size=rng.randint(1, 9)):
            damaged[place] ^= 1 << rng.randint(8)
        return bytes(damaged)
    if kind == 2:
        return whole[:at] + rng.bytes(rng.randint(1, 64)) + whole[at:]
    if kind == 3:
        return whole[:at] + whole[at + rng.randint(1, 64) :]
    if kind == 4:
        return pickle.dumps(Runs(marker), protocol=int(rng.randint(6)))
    other = rng.randint(len(whole))
    return whole[:at] + whole[other:]


def with_right_sum(whole, beginning):
    """Return a file whose checksum is that of its content."""
    content = whole[len(beginning) + _SUM :]
    return beginning + hashlib.blake2b(content, digest_size=_SUM).digest() + content


class Saved:
    """Files of `skdl.save`."""

    def __init__(self, folder):
        self.path = Path(folder) / "model.skdl"
        self.model = fitted()["table"]
        skdl.save(self.model, self.path)
        self.whole = self.path.read_bytes()
        self.answer = self._answer(self.model)

    @staticmethod
    def _answer(model):
        return model.predict_proba(TABLE).tobytes()

    def mutate(self, rng, marker):
        """Write a damaged file; return whether its checksum was made right again."""
        content = mutated(self.whole, rng, marker)
        forged = bool(rng.randint(2))
        if forged:
            content = with_right_sum(content.ljust(64, b"\0"), SAVED)
        self.path.write_bytes(content)
        return forged

    def read(self):
        """Return whether it was read to what it was; None where it was refused."""
        try:
            model = skdl.load(self.path)
            return self._answer(model) == self.answer
        except (ValueError, MemoryError):
            return None


class SavedCheckpoint:
    """Checkpoints of a training."""

    def __init__(self, folder):

        self.path = Path(folder) / "fit.pt"
        self.state = {"epoch": 1, "weights": torch.arange(1000.0)}
        Checkpoint(self.path, {"lr": "0.1"}).save(1, self.state)
        self.whole = self.path.read_bytes()

    def mutate(self, rng, marker):
        content = mutated(self.whole, rng, marker)
        forged = bool(rng.randint(2))
        if forged:
            content = with_right_sum(content.ljust(64, b"\0"), CHECKPOINT)
        self.path.write_bytes(content)
        return forged

    def read(self):
        try:
            state = Checkpoint(self.path, {"lr": "0.1"}).state
        except (ValueError, MemoryError):
            return None
        weights = state.get("weights") if isinstance(state, dict) else None
        known = isinstance(weights, torch.Tensor)
        return known and torch.equal(weights, self.state["weights"])


class Pictures:
    """Picture files: one that can be decoded is a picture, however it looks."""

    def __init__(self, folder):
        self.path = Path(folder) / "picture.png"
        rng = np.random.RandomState(0)
        paths, labels = [], [0, 1] * 4
        for i in range(8):
            path = Path(folder) / f"{i}.png"
            Image.fromarray(rng.randint(0, 255, (8, 8), np.uint8)).save(path)
            paths.append(str(path))
        options = {"max_epochs": 1, "random_state": 0, "image_shape": (8, 8)}
        self.model = skdl.ImageClassifier(**options).fit(np.array(paths), labels)
        buffer = io.BytesIO()
        Image.fromarray(rng.randint(0, 255, (8, 8), np.uint8)).save(buffer, "PNG")
        self.whole = buffer.getvalue()

    def mutate(self, rng, marker):
        self.path.write_bytes(mutated(self.whole, rng, marker))
        return False

    def read(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = self.model.predict_proba(np.array([str(self.path)]))
            except (ValueError, OSError):
                return None
        return found.shape == (1, 2) and bool(np.isfinite(found).all())


KINDS = {"save": Saved, "checkpoint": SavedCheckpoint, "pictures": Pictures}
