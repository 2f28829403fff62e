"""views.py [--sizes SOURCE:VIEW ...]: CPU-ms per image of the batched views (both views), one thread.

For each augmentation and pair of sizes: the whole augmentation, exact and linear colour, the per-image torchvision path
beside it, and the augmentation built up operation by operation, so that the difference of two rows is the cost of an
operation. The source block is uint8 and channels_last, as the readers keep it. The least of several epochs is reported.
"""

from __future__ import annotations

import argparse
import time

import measure
import torch

from twofold.pixels.batch import ImageBatch
from twofold.pixels.views import AUGMENTATIONS, Augmentation
from twofold.pixels.views.augmentations import Crop
from twofold.pixels.views.reference import reference_views
from twofold.pixels.views.views import ImageViews


def batch(source: int, images: int) -> ImageBatch:
    """Random pictures; what the operations cost does not depend on the content."""
    pixels = torch.randint(0, 256, (images, 3, source, source), dtype=torch.uint8)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    return ImageBatch(torch.arange(images), pixels, torch.full((images, 2), source))


def cost(views: ImageViews, data: ImageBatch, epochs: int) -> float:
    """Least CPU-ms per image over some epochs."""
    least = float("inf")
    for epoch in range(epochs):
        start = time.process_time()
        views(data, epoch)
        least = min(least, time.process_time() - start)
    return round(least / len(data) * 1e3, 4)


def exact_cost(views: ImageViews, data: ImageBatch) -> float:
    """CPU-ms per image of torchvision, one image at a time, with the same parameters."""
    start = time.process_time()
    statistics = views.mean, views.std
    reference_views(data, views.augmentation, views.size, seed=views.seed, epoch=0, statistics=statistics)
    return round((time.process_time() - start) / len(data) * 1e3, 4)


def measured(name: str, source: int, size: int, images: int, epochs: int) -> dict:
    """All figures of one augmentation at one pair of sizes."""
    data, ops = batch(source, images), AUGMENTATIONS[name].view(0)
    whole = ImageViews(name, size, seed=0)
    row: dict = {"augmentation": name, "source": source, "view": size, "exact": cost(whole, data, epochs)}
    row["linear"] = cost(ImageViews(name, size, seed=0, colour="linear"), data, epochs)
    row["torchvision"] = exact_cost(whole, data)
    row["ratio"] = round(row["torchvision"] / row["exact"], 1)
    crop = next(place for place, op in enumerate(ops) if isinstance(op, Crop))
    row["up_to"] = {
        type(ops[end - 1]).__name__: cost(ImageViews(Augmentation((ops[:end],)), size, seed=0), data, epochs)
        for end in range(crop + 1, len(ops) + 1)
    }
    return row


def main() -> None:
    """Measure, print a line a row, write benchmarks/results/views.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["128:64", "72:64", "32:32", "256:224"], metavar="SOURCE:VIEW")
    parser.add_argument(
        "--augmentations", nargs="+", default=["simclr-imagenet", "moco-v2", "wmse"], choices=AUGMENTATIONS
    )
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=8)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for pair in settings.sizes:
        source, size = map(int, pair.split(":"))
        for name in settings.augmentations:
            measure.quiet(20)
            rows.append(measured(name, source, size, settings.images, settings.epochs))
            print(rows[-1], flush=True)
    measure.write("views", {"unit": "CPU-ms per image, both views, one thread", "rows": rows})


if __name__ == "__main__":
    main()
