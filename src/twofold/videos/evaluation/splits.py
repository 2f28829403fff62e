"""Labelled videos for evaluation: which, with which labels and sources, to learn from and to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from twofold.errors import UserError, nearest
from twofold.evaluation.knn import rows_by_class
from twofold.pixels.reading.words import by_reason, some_of
from twofold.printable import printable
from twofold.randomness import generator
from twofold.runs.screen import OnProgress
from twofold.videos.evaluation.features import InputSettings, readable, stream_features
from twofold.videos.reading.clips import Clips
from twofold.videos.reading.copies import marks
from twofold.videos.reading.naming import spelled
from twofold.videos.reading.source import split_by_group


@dataclass(frozen=True)
class Split:
    """Some labelled videos of a set: indices and labels, int64 (n,)."""

    clips: Clips
    indices: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, rows: Tensor) -> Split:
        """Those rows (int64 or bool)."""
        return Split(self.clips, self.indices[rows], self.labels[rows])

    def readable(self) -> Tensor:
        """bool (n,): see features.readable."""
        return readable(self.clips, self.indices)

    def unreadable(self) -> dict[str, str]:
        """Those that turned out unreadable: name, as it may be printed, to reason."""
        names = {printable(self.clips.source.names[i]) for i in self.indices.tolist()}
        return {name: reason for name, reason in self.clips.unreadable.items() if name in names}

    def groups(self) -> list[str]:
        """The source that each video was cut from, "" where that is not known."""
        return [self.clips.source.items[i].group for i in self.indices.tolist()]

    def features(
        self, backbone: nn.Module, inputs: InputSettings, on_progress: OnProgress | None = None
    ) -> tuple[Tensor, Tensor]:
        """(features, labels) of the videos that can be read: float32 (m, clips, width), int64 (m,). Raises
        UserError where none can."""
        found, done = [], 0
        for part, rows in stream_features(backbone, self.clips, inputs, self.indices):
            found.append(rows)
            done += len(part)
            if on_progress:
                on_progress(done, len(self))
        keep = self.readable()
        if not keep.any():
            why = by_reason(self.unreadable())
            raise UserError(f"None of {len(self):,} videos of {self.clips.source.path} can be read: {why}.")
        return torch.cat(found)[keep], self.labels[keep]


def labelled(clips: Clips, classes: Sequence[str] | None = None) -> Split:
    """The videos of a set that have a label.

    classes: the class names of the set to learn from, by whose numbers those of this one are renumbered; underscores
    may stand for spaces, and large letters for small ones. Raises UserError where nothing is labelled or a class is
    unknown.
    """
    source = clips.source
    labels = torch.from_numpy(source.labels)
    indices = (labels >= 0).nonzero()[:, 0]
    if not len(indices):
        raise UserError(f"{source.path} has no labels: sort the videos into a folder for each class, or give a list.")
    labels = labels[indices]
    if classes is not None and source.classes is not None and list(source.classes) != list(classes):
        number = {spelled(name): i for i, name in enumerate(classes)} | {name: i for i, name in enumerate(classes)}
        new = torch.tensor([number.get(name, number.get(spelled(name), -1)) for name in source.classes])[labels]
        if (new < 0).any():
            strange = source.classes[int(labels[(new < 0).nonzero()[0, 0]])]
            raise UserError(
                f'{source.path} has the class "{strange}", which the videos to learn from do not have '
                f"({some_of(list(classes))}).{nearest(strange, classes)}"
            )
        labels = new
    return Split(clips, indices, labels)


def hold_out(split: Split, seed: int) -> tuple[Split, Split]:
    """(train, test): about a fifth held out, whole sources at a time, copies together where that is possible; see
    `source.split_by_group`."""
    source = split.clips.source.take(split.indices.tolist())
    try:
        rows, test = split_by_group(source, seed, marks(source, range(len(source))))
    except UserError:
        rows, test = split_by_group(source, seed)
    return split.take(torch.tensor(rows)), split.take(torch.tensor(test))


def few_labels(split: Split, share: float, seed: int) -> Split:
    """A class-balanced share (0..1) of a split, at least one video of each class."""
    drawn = generator(seed, "few labels")
    rows = [
        rows[torch.randperm(len(rows), generator=drawn)[: max(1, round(share * len(rows)))]]
        for rows in rows_by_class(split.labels).values()
    ]
    return split.take(torch.cat(rows).sort().values)


def numbered(*splits: Split) -> tuple[list[Split], int]:
    """The splits with the labels that occur in any of them renumbered 0, 1, ... in their order, and how many occur."""
    values = torch.cat([split.labels for split in splits]).unique()
    return [replace(split, labels=torch.searchsorted(values, split.labels)) for split in splits], len(values)


def shared_sources(train: Split, test: Split) -> tuple[int, str]:
    """How many videos to test on are of a source that is also learned from, or copies of a video that is; and the
    first."""
    known = {group for group in train.groups() if group}
    sources, rows = (train.clips.source, test.clips.source), (train.indices.tolist(), test.indices.tolist())
    sizes = [{source.size(i) for i in own} for source, own in zip(sources, rows, strict=True)]
    learned, asked = (marks(sources[k], rows[k], sizes[1 - k]) for k in (0, 1))
    copies = set(learned.values())
    names = [
        sources[1].items[i].name
        for i, group in zip(rows[1], test.groups(), strict=True)
        if group in known or asked.get(i) in copies
    ]
    return len(names), names[0] if names else ""


def left_out(split: Split, what: str) -> list[str]:
    """Which videos of a split are not in its numbers, once these are there, a sentence each. what: they are for."""
    source, broken = split.clips.source, split.unreadable()
    bare, lines = int((source.labels < 0).sum()), []
    if bare:
        lines.append(f"{bare:,} of {len(source):,} videos {what} have no label and are left out.")
    if broken:
        why = by_reason(broken)
        lines.append(f"{len(broken):,} of {len(split):,} videos {what} cannot be read and are left out: {why}.")
    return [*lines, *split.clips.lost()]
