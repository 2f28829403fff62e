"""Pictures in batches: the same few for the same seed, from files and from memory."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from tests.images.dense.tiny import labelled
from twofold.images.dense.pictures import some_pictures
from twofold.images.reading import Images, open_source


def test_files_and_memory_give_the_same(tmp_path):
    drawn, pictures = np.random.default_rng(0), []
    for i in range(11):
        pixels = drawn.integers(0, 256, (20 + i, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i:02d}.png")
        pictures.append(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
    told = []
    files = Images(open_source(str(tmp_path)), short_side=16)
    for one, other in zip(
        some_pictures(files, 16, 3, most=9, on_progress=lambda *done: told.append(done)),
        some_pictures(labelled(pictures), 16, 3, most=9),
        strict=True,
    ):
        assert torch.equal(one.index, other.index) and torch.equal(one.size, other.size)
        assert one.size.min() == 16 and torch.equal(one.pixels, other.pixels)
    assert told == [(1, 2), (2, 2)]
