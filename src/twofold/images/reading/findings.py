"""What a look at the images found, as numbers and as lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from twofold.images.reading.decode import shrunk_size
from twofold.images.reading.pixels import PLAIN, PixelRule
from twofold.pixels.reading.words import by_reason, count_list, some_of


@dataclass
class Findings:
    """What `examine` found.

    formats: images by format (after the file's content, not its name). channels: images by the number and depth of
    their channels. pixel_notes: how those beyond three of 8 bits are read, see `looking.settle_pixels`. odd: images by
    peculiarity; odd images are usable. broken: name to reason. height, width: int64 (usable,), in pixels, EXIF
    orientation applied. stored_bytes: of all examined. duplicates: names of images whose bytes equal an earlier one's
    (None where only a sample was examined). per_class: images by class name, where there are labels. examined < total
    where only a sample was.
    """

    path: str
    total: int
    examined: int
    formats: dict[str, int]
    channels: dict[str, int]
    pixel_notes: Sequence[str]
    odd: dict[str, int]
    broken: dict[str, str]
    height: np.ndarray
    width: np.ndarray
    stored_bytes: int
    duplicates: list[str] | None
    skipped: dict[str, int]
    per_class: dict[str, int]
    seconds: float
    examples: dict[str, str] = field(default_factory=dict)  # peculiarity -> name of one image
    notes: tuple[str, ...] = ()  # what was guessed about the data, a sentence each
    rule: PixelRule = PLAIN  # by which pixels are read

    @property
    def usable(self) -> int:
        """How many of the examined images can be read."""
        return self.examined - len(self.broken)

    def short_side(self, percentile: float) -> int:
        """A percentile (0 to 100) of the short sides, in pixels; 0 where nothing is usable."""
        return int(np.percentile(np.minimum(self.height, self.width), percentile)) if len(self.height) else 0

    def smaller_than(self, short_side: int) -> int:
        """How many usable images have a shorter short side than this."""
        return int((np.minimum(self.height, self.width) < short_side).sum())

    def decoded_bytes(self, short_side: int | None) -> int:
        """Bytes of the whole set decoded by its rule, shrunk to `short_side`."""
        sizes = (shrunk_size(int(h), int(w), short_side) for h, w in zip(self.height, self.width, strict=True))
        return int(sum(self.rule.bytes_of(h, w) for h, w in sizes) * (self.total / max(1, self.examined)))

    def lines(self, most: int = 5) -> list[str]:
        """The findings for a person, a line each."""
        part = "" if self.examined == self.total else f" (a sample of {self.total:,})"
        out = [f"{self.path}: {self.examined:,} images examined{part} in {self.seconds:.1f} s, {self.usable:,} usable"]
        out += self.notes
        if self.skipped:
            out.append(f"passed over: {count_list(self.skipped)}")
        if self.usable:
            sides = " / ".join(str(self.short_side(p)) for p in (0, 5, 50, 95, 100))
            out.append(f"formats: {count_list(self.formats)}; {self.stored_bytes / 1e6:,.1f} MB stored")
            out.append("channels: " + ", ".join(f"{kind} in {count:,}" for kind, count in self.channels.items()))
            out.append(f"short side, smallest / 5 % / median / 95 % / largest: {sides} px")
        out += self.pixel_notes
        out += [f"{kind}: {count:,} (such as {self.examples[kind]})" for kind, count in sorted(self.odd.items())]
        if self.duplicates:
            out.append(f"same bytes as another: {len(self.duplicates):,} (such as {self.duplicates[0]})")
        if self.per_class:
            fewest, largest = min(self.per_class.values()), max(self.per_class.values())
            names = some_of(list(self.per_class))
            word = "class" if len(self.per_class) == 1 else "classes"
            out.append(f"labels: {len(self.per_class)} {word} of {fewest:,} to {largest:,} images ({names})")
        if self.broken:
            out.append(f"broken: {len(self.broken):,}: {by_reason(self.broken, most)}")
        return out
