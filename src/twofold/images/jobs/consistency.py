"""Temporal consistency: how far the features of the same images have moved since an earlier stage of the run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.files import write_atomically
from twofold.images.evaluation.features import InputSettings, extract
from twofold.images.reading import Images
from twofold.randomness import generator
from twofold.seam import Method, Monitor, Progress

FEWEST, MOST, STAGES = 32, 256, 10
SHARE = 0.08  # of the images of a stage; each takes a quarter of what learning from it took, so 2 % of the time


class TemporalConsistency(Monitor):
    """Mean cosine between the backbone's features of the same un-augmented images now and one stage ago.

    A stage is a tenth of the run, in whole epochs; 256 images are asked, fewer where stages are short. The features of
    earlier stages lie in the run folder until `clear`, so a run that is killed and resumed logs the same as an
    uninterrupted one.
    """

    def __init__(self, images: Images, inputs: InputSettings, folder: Path, *, epochs: int, seed: int) -> None:
        self.images, self.inputs, self.folder = images, inputs, folder / "consistency"
        self.every_epochs = max(round(epochs / STAGES), 1)
        drawn = torch.randperm(len(images), generator=generator(seed, "consistency"))
        count = min(max(int(SHARE * len(images) * self.every_epochs), FEWEST), MOST)
        self.chosen = drawn[:count].sort().values

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        if progress.epoch % self.every_epochs:
            return {}  # the end of a run that is no whole number of stages
        found = extract(method.backbone, self.images, self.inputs, indices=self.chosen, on_progress=self.on_progress)
        features = F.normalize(found, dim=1)
        write_atomically(self._file(progress.epoch), lambda handle: np.save(handle, features.half().numpy()))
        before = self._before(progress.epoch)
        if before is None or before.shape != features.shape:
            return {}
        return {"temporal_consistency": (features * before).sum(1).mean().item()}

    def clear(self) -> None:
        """Remove what only the run itself needed."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, epoch: int) -> Path:
        return self.folder / f"{epoch}.npy"

    def _before(self, epoch: int) -> Tensor | None:
        file = self._file(epoch - self.every_epochs)
        try:
            return torch.from_numpy(np.load(file, allow_pickle=False)).float() if file.is_file() else None
        except Exception:  # a damaged one only leaves a gap in a curve
            return None
