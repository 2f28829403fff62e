"""Pictures come back out of the page as they went in."""

import base64
import io

import numpy as np
from PIL import Image

from twofold.page.sprites import picture, sheet

from ..images.report.runs import cells


def decoded(uri):
    assert uri.startswith("data:image/webp;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB")).astype(int)


def test_each_tile_is_its_thumbnail():
    thumbnails = cells()[0]
    chosen = np.array([3, 8, 21, 34, 55])
    packed = sheet(thumbnails, chosen)
    assert (packed.columns, packed.rows) == (3, 2) and set(packed.place) == set(chosen.tolist())
    pixels = decoded(packed.uri)
    for index in chosen.tolist():
        column, row = packed.place[index]
        tile = pixels[row * 40 : row * 40 + 40, column * 40 : column * 40 + 40]
        errors = {other: np.abs(tile - thumbnails[other].astype(int)).mean() for other in chosen.tolist()}
        assert min(errors, key=errors.get) == index and errors[index] < 8


def test_large_thumbnails_shrink_and_small_pictures_stay():
    packed = sheet(np.zeros((4, 200, 200, 3), np.uint8), np.arange(4))
    assert decoded(packed.uri).shape == (128, 128, 3)
    assert decoded(picture(np.zeros((20, 30, 3), np.uint8), 128)).shape == (20, 30, 3)
    assert decoded(picture(np.zeros((100, 400, 3), np.uint8), 128)).shape == (32, 128, 3)


def test_a_thousand_thumbnails_stay_light():
    chosen = np.arange(1000)
    assert len(sheet(np.concatenate([cells()[0]] * 12), chosen).uri) < 1_500_000
