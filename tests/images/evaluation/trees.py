"""Small real sets: folders of PNG files in which the class shows in colour and stripes."""

import numpy as np
from PIL import Image

from twofold.images.reading import Images, open_source

CLASSES = ("ash", "elm", "oak")


def write(folder, per_class, seed, classes=CLASSES):
    """PNG files of 18-24 px: a class has a colour and a direction of stripes, under noise."""
    rng = np.random.default_rng(seed)
    for name in classes:
        label = CLASSES.index(name)
        (folder / name).mkdir(parents=True)
        for i in range(per_class):
            h, w = rng.integers(18, 25, 2)
            wave = np.sin(np.arange(h)[:, None] * (label == 0) + np.arange(w)[None] * (label == 1))
            pixels = 110 + 30 * wave[..., None] + 25 * np.eye(3)[label] + rng.normal(0, 25, (h, w, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name / f"{i:02d}.png")
    return folder


def opened(folder, **inputs):
    return Images(open_source(str(folder)), short_side=16, workers=1, **inputs)
