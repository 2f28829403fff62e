"""What every form of labels is read into first, so that training and test data agree on their classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from twofold.images.labels.findings import Notes
from twofold.images.labels.records import Labelled


@dataclass(frozen=True)
class Wishes:
    """What the user says of labels, over what is read from them; see `open_labelled`.

    role: what they are read for, "train" or "test". asks_images: the option that says where the pictures are.
    """

    classes: str | None = None
    ignore: tuple[int, ...] = ()
    boxes: str | None = None
    images: str | None = None
    snap: bool = False
    image_column: str | None = None
    mask_column: str | None = None
    want: str | None = None
    part: str | None = None
    role: str = "train"
    asks_images: str = "--images"

    def of_numbers(self) -> list[tuple[str, object]]:
        """What makes other numbers of the same files, by name."""
        later = {"role": "train", "asks_images": "--images", "part": None}
        return [item for item in vars(self).items() if item not in later.items()]


class Survey(ABC):
    """Labels that have been read and checked, before their classes are numbered."""

    kind: str  # "boxes" or "masks"
    name: str
    notes: Notes

    @abstractmethod
    def agree(self, other: Any) -> Any:
        """How the classes of this and another survey of the same kind (or of none) are numbered."""

    @abstractmethod
    def pictures_at(self) -> list[str]:
        """Where each picture lies: its file, or its table and name."""

    @abstractmethod
    def labelled(self, agreed: Any) -> Labelled:
        """The labelled pictures, with classes as `agree` has it."""
