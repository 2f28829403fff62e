"""Parquet files with a column of masks beside the column of pictures."""

from __future__ import annotations

from twofold.errors import UserError, nearest
from twofold.images.labels.findings import Notes
from twofold.images.labels.lists import ClassList
from twofold.images.labels.masks import Masked
from twofold.images.labels.survey import Wishes
from twofold.images.reading.columns import IMAGE_COLUMNS
from twofold.images.reading.opening import open_source

MASK_COLUMNS = (
    "mask", "masks", "segmentation_mask", "semantic_mask", "segmentation", "semantic", "annotation", "label_mask", "gt",
    "ground_truth", "label", "labels", "target",
)  # fmt: skip


def mask_column(path: str, columns: list[str], wishes: Wishes) -> str | None:
    """Which of the columns of bytes holds masks, None where none does. Raises UserError for one that is not there."""
    wanted = wishes.mask_column
    if wanted is None:
        return next((name for name in MASK_COLUMNS if name in columns), None)
    if wanted not in columns:
        have = ", ".join(columns) or "none"
        raise UserError(f"{path} has no column {wanted} of masks (columns of bytes: {have}).{nearest(wanted, columns)}")
    return wanted


def open_columns(path: str, columns: list[str], mask: str, classes: ClassList | None, wishes: Wishes) -> Masked:
    """The pictures and masks of parquet, row by row. Which parts are read is said."""
    rest = [name for name in columns if name != mask]
    image = wishes.image_column or next((name for name in IMAGE_COLUMNS if name in rest), next(iter(rest), None))
    if image is None:
        raise UserError(f"{path} has a column of masks, {mask}, and none of pictures: name it with --image-column.")
    pictures, masks = (
        open_source(path, image_column=column, part=wishes.part, class_level=0, role=wishes.role)
        for column in (image, mask)
    )
    notes = Notes()
    for line in pictures.notes:
        notes.say(f"{line}.")
    return Masked(path, pictures, masks, [(i, i) for i in range(len(pictures))], classes, notes, wishes)
