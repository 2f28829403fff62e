"""Pictures for the probe that needs no labels, in batches, from a set of images or from labelled pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.images.labels.records import Labelled
from twofold.images.reading import Images
from twofold.images.reading.decode import shrunk_size
from twofold.images.reading.memory import pad
from twofold.pixels.batch import ImageBatch
from twofold.randomness import generator
from twofold.runs.screen import OnProgress

MOST = 200  # pictures
BATCH = 8


def some_pictures(
    pictures: Images | Labelled, short_side: int, seed: int, most: int = MOST, on_progress: OnProgress | None = None
) -> Iterator[ImageBatch]:
    """Up to `most` pictures, drawn by the seed, in small batches of uint8; labelled ones are shrunk to `short_side`.

    Of images that cannot be read see `Images`: others stand in for them, named in `replaced`.
    """
    chosen = torch.randperm(len(pictures), generator=generator(seed, "pictures of a probe"))[:most].sort().values
    parts = chosen.split(BATCH)
    batches = pictures.stream(parts) if isinstance(pictures, Images) else _batches(pictures, parts, short_side)
    for done, batch in enumerate(batches, 1):
        yield batch
        if on_progress:
            on_progress(done, len(parts))


def _batches(pictures: Labelled, parts: Sequence[Tensor], short_side: int) -> Iterator[ImageBatch]:
    for part in parts:
        shrunk = [_shrunk(pictures, i, short_side) for i in part.tolist()]
        height, width = (max(picture.shape[axis] for picture in shrunk) for axis in (1, 2))
        size = torch.tensor([picture.shape[1:] for picture in shrunk])
        yield ImageBatch(part, pad(shrunk, height, width, pinned=False), size)


def _shrunk(pictures: Labelled, number: int, short_side: int) -> np.ndarray:
    picture = pictures.picture(number)
    size = shrunk_size(picture.shape[1], picture.shape[2], short_side)
    if size != tuple(picture.shape[1:]):
        picture = F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    return picture.numpy()
