"""make_photos.py OUT [N] [--flat]: N JPEGs of 96..256 px cut from photographs that scikit-image and scikit-learn ship.

One sub-folder a photograph (so: labels), or one flat folder without labels. The same N gives the same pictures.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import skimage.data
import sklearn.datasets
from PIL import Image

SKIMAGE = ["astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png"]
SKIMAGE += ["retina.jpg", "rocket.jpg", "brick.png", "grass.png", "gravel.png"]
SKLEARN = ["china.jpg", "flower.jpg"]


def photographs() -> dict[str, Image.Image]:
    """The source photographs by name."""
    first = [Path(skimage.data.__file__).parent / f for f in SKIMAGE]
    second = [Path(sklearn.datasets.__file__).parent / "images" / f for f in SKLEARN]
    return {p.stem: Image.open(p).convert("RGB") for p in sorted([*first, *second], key=lambda p: p.stem)}


def main() -> None:
    """Cut and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=2048)
    parser.add_argument("--flat", action="store_true")
    args = parser.parse_args()
    draw, photos, total = random.Random(0), photographs(), 0
    names = list(photos)
    for number in range(args.count):
        name = names[number % len(names)]
        photo = photos[name]
        width, height = draw.randint(96, 256), draw.randint(96, 256)
        room = min(photo.width / width, photo.height / height, 2.5)
        zoom = draw.uniform(1.0, room) if room > 1 else 1.0
        w, h = min(int(width * zoom), photo.width), min(int(height * zoom), photo.height)
        x, y = draw.randint(0, photo.width - w), draw.randint(0, photo.height - h)
        folder = args.out if args.flat else args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / (f"{name}_{number:05d}.jpg" if args.flat else f"{number:05d}.jpg")
        photo.crop((x, y, x + w, y + h)).resize((width, height), Image.Resampling.BICUBIC).save(file, quality=90)
        total += file.stat().st_size
    print(f"{args.count} pictures from {len(names)} photographs, {total // args.count} bytes each on average")


if __name__ == "__main__":
    main()
