"""Labelled images for evaluation: which images, with which labels, to learn from and to test on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from twofold.errors import UserError, nearest
from twofold.evaluation.knn import rows_by_class
from twofold.images.evaluation.features import InputSettings, extract, readable
from twofold.images.reading import Images
from twofold.images.reading.source import Source
from twofold.pixels.reading.words import some_of
from twofold.randomness import generator
from twofold.runs.screen import OnProgress


@dataclass(frozen=True)
class Split:
    """Some labelled images of a set: indices and labels, int64 (n,)."""

    images: Images
    indices: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, rows: Tensor) -> Split:
        """Those rows (int64 or bool)."""
        return Split(self.images, self.indices[rows], self.labels[rows])

    def readable(self) -> Tensor:
        """bool (n,): see features.readable."""
        return readable(self.images, self.indices)

    def read_labels(self) -> Tensor:
        """The labels of the images that can be read: see `readable`."""
        return self.labels[self.readable()]

    def features(
        self, backbone: nn.Module, inputs: InputSettings, on_progress: OnProgress | None = None
    ) -> tuple[Tensor, Tensor]:
        """(features, labels) of the images that can be read: float32 (m, width), int64 (m,)."""
        found = extract(backbone, self.images, inputs, indices=self.indices, on_progress=on_progress)
        keep = self.readable()
        return found[keep], self.labels[keep]


def labelled(images: Images, classes: Sequence[str] | None = None) -> Split:
    """The images of a set that have a label (0 and up).

    classes: the class names of the training set; labels are then read and renumbered by these names, so that a test set
    in which a class has no image, or of one class alone, keeps the right numbers. Raises UserError where nothing is
    labelled or a class is unknown.
    """
    source = images.source
    found, names = (source.labels, source.classes) if classes is None else source.labels_among(classes)
    if found is None or not (np.asarray(found) >= 0).any():
        raise UserError(f"{source.path} has no labels; sort the images into a folder for each class, or name a column.")
    labels = torch.as_tensor(np.asarray(found), dtype=torch.int64)
    indices = torch.nonzero(labels >= 0)[:, 0]
    labels = labels[indices]
    if classes is not None and names is not None and list(names) != list(classes):
        number = {name: i for i, name in enumerate(classes)}
        new = [number.get(name, -1) for name in names]
        strange = [names[c] for c in labels.unique().tolist() if new[c] < 0]
        if strange:
            raise UserError(
                f'{source.path} has the class "{strange[0]}", which the training images do not have '
                f"({some_of(list(classes))}).{nearest(strange[0], classes)}"
            )
        labels = torch.tensor(new)[labels]
    return Split(images, indices, labels)


def remarks(train: Source, test: Source) -> list[str]:
    """What was guessed about the images to test on, and which of them cannot be answered right, a sentence each."""
    classes, notes = train.classes or [], list(test.notes)
    labels, found = test.labels_among(classes)
    if found is not None and found is not test.classes:
        named = some_of(found)
        notes.append(f"classes of {test.path} are the folders named as those of the training images ({named})")
    learned = {classes[label] for label in np.unique(_known(train.labels)).tolist()}
    values, counts = np.unique(_known(labels), return_counts=True)
    named_so = dict(zip(((found or [])[value] for value in values.tolist()), counts.tolist(), strict=True))
    away = [name for name in named_so if name not in learned]
    if away:
        count, total = sum(named_so[name] for name in away), sum(named_so.values())
        notes.append(
            f"{count:,} of {total:,} images of {test.path} are of classes that no training image has "
            f"({some_of(away)}): these always count as wrong"
        )
    return notes


def _known(labels: np.ndarray | None) -> np.ndarray:
    """The labels of those images that have one."""
    values = np.asarray([] if labels is None else labels, np.int64)
    return values[values >= 0]


def numbered(*splits: Split) -> tuple[list[Split], int]:
    """The splits with the labels that occur in any of them renumbered 0, 1, ... in their order, and how many occur."""
    values = torch.cat([split.labels for split in splits]).unique()
    return [replace(split, labels=torch.searchsorted(values, split.labels)) for split in splits], len(values)


def hold_out(split: Split, share: float = 0.2, seed: int = 0) -> tuple[Split, Split]:
    """(train, test): `share` of each class held out, at least one image where the class has two."""
    test = torch.zeros(len(split), dtype=torch.bool)
    for rows in _shuffled(split.labels, seed):
        test[rows[: min(max(1, round(share * len(rows))), len(rows) - 1)]] = True
    return split.take(~test), split.take(test)


def few_labels(split: Split, share: float, seed: int = 0) -> Split:
    """A class-balanced share (0..1) of a split: round(share * n_c) images of class c, at least one.

    With the same seed a smaller share is part of a larger one.
    """
    if not 0 < share <= 1:
        raise UserError(f"A share of the labels lies in (0, 1], and {share} does not.")
    rows = [rows[: max(1, round(share * len(rows)))] for rows in _shuffled(split.labels, seed)]
    return split.take(torch.cat(rows).sort().values)


def _shuffled(labels: Tensor, seed: int) -> Iterator[Tensor]:
    """The rows of each class, in an order drawn by the seed."""
    for label, rows in rows_by_class(labels).items():
        yield rows[torch.randperm(len(rows), generator=generator(seed, "split", label))]
