"""Instances and detections, made in a line."""

from __future__ import annotations

import torch

from twofold.images.finetuning.precision import Detections
from twofold.images.labels.records import Instances, Labelled


def instances(boxes, classes=None, *, crowd=(), difficult=(), masks=None):
    """Of boxes; classes 0 where not given; crowd, difficult: their rows."""
    count = len(boxes)
    flags = torch.zeros(2, count, dtype=torch.bool)
    flags[0, list(crowd)] = True
    flags[1, list(difficult)] = True
    numbers = torch.tensor(list(classes) if classes is not None else [0] * count, dtype=torch.int64)
    return Instances(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), numbers, flags[0], flags[1], masks)


def detections(boxes, classes=None, scores=None, masks=None):
    """Of boxes; classes 0 and scores 0.9, 0.89, ... where not given."""
    count = len(boxes)
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(list(classes) if classes is not None else [0] * count, dtype=torch.int64),
        torch.tensor(list(scores) if scores is not None else [0.9 - 0.01 * i for i in range(count)]),
        masks,
    )


def filled(boxes, height, width):
    """The masks of whole boxes: bool (n, H, W)."""
    masks = torch.zeros(len(boxes), height, width, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[int(top) : int(bottom), int(left) : int(right)] = True
    return masks


def stored(pictures):
    """A reader of pictures that are there; nothing shrinks them."""
    return lambda i, short_side: pictures[i]


def scenes(count, *, size=64, classes=2, masks=True, seed=0, name="scenes", empty=()):
    """Pictures of squares (class 0, red) and bars (class 1, green) on noise: boxes, instance masks, semantic masks.

    empty: the pictures without an object. The semantic mask has the background as class 0 and a border to be ignored.
    """
    draws = torch.Generator().manual_seed(seed)
    pictures, labels, maps = [], [], []
    for i in range(count):
        picture = torch.randint(90, 130, (3, size, size), generator=draws, dtype=torch.uint8)
        boxes, kinds = [], []
        for slot in range(0 if i in empty else 2):
            kind = int(torch.randint(classes, (), generator=draws))
            wide, high = (size // 4, size // 4) if kind == 0 else (size // 3, size // 8)
            half = size // 2
            left = slot * half + int(torch.randint(half - wide + 1, (), generator=draws))
            top = int(torch.randint(size - high, (), generator=draws))
            boxes.append([left, top, left + wide, top + high])
            kinds.append(kind)
            picture[:, top : top + high, left : left + wide] = 20
            picture[kind, top : top + high, left : left + wide] = 230
        shapes = filled(boxes, size, size)
        semantic = torch.zeros(size, size, dtype=torch.int16)
        for shape, kind in zip(shapes, kinds, strict=True):
            semantic[shape] = kind + 1
        semantic[0] = -1
        pictures.append(picture)
        labels.append(instances(boxes, kinds, masks=shapes if masks else None))
        maps.append(semantic)
    names = tuple(f"{i:03d}.png" for i in range(count))
    boxed = Labelled(name, ("square", "bar"), names, (), stored(pictures), None, labels.__getitem__)
    masked = Labelled(name, ("ground", "square", "bar"), names, (), stored(pictures), maps.__getitem__, None)
    return boxed, masked
