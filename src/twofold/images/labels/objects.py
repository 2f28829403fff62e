"""Objects laid on their pictures -> `Labelled`: boxes, instance masks, semantic masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from twofold.images.labels.pictures import read_picture
from twofold.images.labels.records import IGNORE, Instances, Labelled, Tally
from twofold.images.labels.shapes import mask_of
from twofold.images.reading.source import Source
from twofold.pixels.reading.words import digest

if TYPE_CHECKING:
    from twofold.images.labels.annotated import Laid, Mark


class Objects:
    """The readers of `Labelled` for pictures with objects. number: the class of each class of the file, or -1."""

    def __init__(self, source: Source, laid: Sequence[Laid], number: Sequence[int]) -> None:
        self.source, self.laid, self.number = source, laid, number

    def tallies(self, classes: Sequence[str]) -> tuple[Tally, ...]:
        """Objects of each class."""
        counts, pictures = [0] * len(classes), [0] * len(classes)
        for one in self.laid:
            numbers = [self.number[mark.number] for mark in one.marks]
            for number in numbers:
                counts[number] += 1
            for number in set(numbers):
                pictures[number] += 1
        return tuple(
            Tally(str(k), name, n, m, "objects")
            for k, (name, n, m) in enumerate(zip(classes, counts, pictures, strict=True))
        )

    def labelled(
        self, name: str, classes: tuple[str, ...], findings: Sequence[str], tallies: tuple[Tally, ...], masks: bool,
        stamp: Sequence[object],
    ) -> Labelled:  # fmt: skip
        """The record."""
        return Labelled(
            name,
            classes,
            _unique([self.source.names[one.row] for one in self.laid]),
            findings,
            self.picture,
            self.semantic if masks else None,
            self.masked if masks else self.boxed,
            self.boxed,
            tallies,
            digest([self.source.fingerprint(), *classes, *stamp]),
        )

    def picture(self, i: int, short_side: int | None) -> Tensor:
        """See `Labelled.picture`."""
        one = self.laid[i]
        return read_picture(self.source, one.row, 1 if one.fit.turned else one.frame.turn, short_side)

    def boxed(self, i: int) -> Instances:
        """Every object, without masks."""
        one = self.laid[i]
        return self._instances(one, range(len(one.marks)), masks=False)

    def masked(self, i: int) -> Instances:
        """The objects that have a segmentation, with masks."""
        one = self.laid[i]
        return self._instances(one, [k for k, mark in enumerate(one.marks) if mark.shape is not None], masks=True)

    def semantic(self, i: int) -> Tensor:
        """int16 (H, W): of objects that overlap the smaller lies on top; IGNORE where there is none."""
        one = self.laid[i]
        found = self.masked(i)
        out = torch.full(one.fit.size, IGNORE, dtype=torch.int16)
        assert found.masks is not None
        for k in found.areas.argsort(descending=True, stable=True).tolist():
            out[found.masks[k]] = int(found.classes[k])
        return out

    def _instances(self, one: Laid, rows: Sequence[int], masks: bool) -> Instances:
        marks: list[Mark] = [one.marks[k] for k in rows]
        height, width = one.fit.size
        stack: Tensor | None = None
        if masks:
            shapes = [mask_of(mark.shape, one.fit.size, one.fit.scale) for mark in marks if mark.shape is not None]
            stack = torch.from_numpy(np.stack(shapes)) if shapes else torch.zeros(0, height, width, dtype=torch.bool)
        return Instances(
            torch.from_numpy(one.boxes[list(rows)].astype(np.float32)).reshape(-1, 4),
            torch.tensor([self.number[mark.number] for mark in marks], dtype=torch.int64),
            torch.tensor([mark.crowd for mark in marks], dtype=torch.bool),
            torch.tensor([mark.difficult for mark in marks], dtype=torch.bool),
            stack,
        )


def _unique(names: Sequence[str]) -> list[str]:
    """The names, a number behind each that was there before."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
