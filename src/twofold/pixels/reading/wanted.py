"""What of some data is to be read, where that is not for the data to say."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.errors import UserError
from twofold.parts import part_called

UNDIVIDED = ("all", "none")


@dataclass(frozen=True)
class Wanted:
    """What a command asks of the data; None leaves it to a look at them.

    image_column, label_column: of a table. part: of data in parts (see `twofold.parts`), or "all", or "none" where
    folders of such names are classes. class_level: the folder in an image's path that is its class, 1 for the
    outermost; 0 for no labels. role: what they are read for, "train", "valid", "test" or "all". channels: how many
    images have.
    """

    image_column: str | None = None
    label_column: str | None = None
    part: str | None = None
    class_level: int | None = None
    role: str = "train"
    channels: int | None = None

    def names_part(self) -> bool:
        """Whether one part is asked for by name."""
        return self.part is not None and self.part not in UNDIVIDED

    def __post_init__(self) -> None:
        if self.part is not None and self.part not in UNDIVIDED:
            object.__setattr__(self, "part", part_called(self.part))
        if self.class_level is not None and self.class_level < 0:
            raise UserError(f"The class level is {self.class_level}: give 1 for the outermost folder, 0 for no labels.")


ANYTHING = Wanted()
