"""From a path to labelled pictures: which form of labels lies there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from twofold.errors import UserError
from twofold.images.labels.coco import open_coco
from twofold.images.labels.folders import layout_of, open_folder, open_list, open_yaml
from twofold.images.labels.leaks import hold_out
from twofold.images.labels.records import Labelled
from twofold.images.labels.survey import Survey, Wishes
from twofold.images.labels.tabular import form_of_tables, is_tabular, open_tables
from twofold.images.labels.yolo_yaml import Table, find_yaml, read_table
from twofold.images.reading.pairing import are_masks_likely
from twofold.pixels.reading.places import missing, place

YAML = (".yaml", ".yml")
FILES = (".json", *YAML)
TESTS = ("test", "val", "valid")  # splits to test on, the best first
KINDS = (
    "a COCO .json file, a folder with VOC's .xml files, YOLO's .txt files or masks, a data.yaml, a text list, or a "
    ".parquet file (or a folder of its parts) with a column of masks or objects or a COCO file beside it"
)


def open_labelled(
    path: str | os.PathLike[str],
    *,
    classes: str | None = None,
    ignore_id: int | Sequence[int] | None = None,
    boxes: str | None = None,
    images: str | None = None,
    snap: bool = False,
    image_column: str | None = None,
    mask_column: str | None = None,
    part: str | None = None,
    want: str | None = None,
) -> Labelled:
    """Labelled pictures, of whatever form; all labels are read and checked, the pictures' headers too.

    path: a COCO file, a folder, a data.yaml (its train), a list of pictures, or parquet: a file, a folder of parts or a
    pattern. classes: a file, or names with commas, which may say values (0=background,255=cell). ignore_id: mask values
    that count nowhere. boxes: the form of the numbers of boxes, xywh, xyxy or cxcywh. images: where the pictures are.
    snap: mask values or colours that no class has become the nearest. image_column, mask_column: of parquet. part: of
    parquet in parts, see `twofold.parts`; train where not given. want: "boxes", "masks" (of classes) or "instances"
    (boxes with masks), where several may lie there.
    Raises UserError, in a sentence, for whatever cannot be used or would have to be guessed.
    """
    wishes = _wishes(classes, ignore_id, boxes, images, snap, image_column, mask_column, want, part)
    survey = _survey(_text(path), wishes, "train")
    return _as_wanted(survey.labelled(survey.agree(None)), want)


def open_pair(
    train: str | os.PathLike[str],
    test: str | os.PathLike[str] | None = None,
    *,
    share: float = 0.2,
    seed: int = 0,
    classes: str | None = None,
    ignore_id: int | Sequence[int] | None = None,
    boxes: str | None = None,
    images: str | None = None,
    test_images: str | None = None,
    snap: bool = False,
    image_column: str | None = None,
    mask_column: str | None = None,
    part: str | None = None,
    want: str | None = None,
) -> tuple[Labelled, Labelled]:
    """Labelled pictures to learn from and to test on, with the same classes by the same numbers.

    What mask values mean is settled by both together. Without `test`, what a data.yaml names, else about a `share` held
    out, near copies on one side (see `leaks.hold_out`). Options: see `open_labelled`; images is for the training
    pictures, and for those of the test where test_images is not given; part is for the training pictures. Raises
    UserError, too, where the test has no pictures of its own.
    """
    wishes = _wishes(classes, ignore_id, boxes, images, snap, image_column, mask_column, want, part)
    name, other = _text(train), None if test is None else _text(test)
    ours = _survey(name, wishes, "train")
    if other is None and (table := _table_of(name, wishes)) is not None:
        other = name if set(table.splits()) & set(TESTS) else None
    if other is None:
        if test_images is not None:
            raise UserError(
                f"--test-images says where pictures to test on are, and {name} is the only data: leave it out, or name "
                f"their labels with --test."
            )
        whole = _as_wanted(ours.labelled(ours.agree(None)), want)
        return hold_out(whole, share, seed)
    asked = replace(wishes, images=_expanded(test_images or images), part=None, asks_images="--test-images")
    theirs = _survey(other, asked, "test")
    if ours.kind != theirs.kind:
        raise UserError(f"{name} has {ours.kind} and {other} has {theirs.kind}: give data of one kind for both.")
    if os.path.realpath(other) != os.path.realpath(name):
        _look_for_shared(ours, theirs, named=test_images is not None)
    agreed = ours.agree(theirs)
    return _as_wanted(ours.labelled(agreed), want), _as_wanted(theirs.labelled(agreed), want)


def _look_for_shared(ours: Survey, theirs: Survey, named: bool) -> None:
    """Note pictures of the test that are the very files learned from; refused where all are and the user did not name
    their place."""
    learned, asked = set(ours.pictures_at()), theirs.pictures_at()
    shared = [one for one in asked if one in learned]
    if shared and len(shared) == len(asked) and not named:
        raise UserError(
            f"{theirs.name} finds all its {len(asked):,} pictures among those of {ours.name} (such as {shared[0]}), so "
            f"they are tested on what they were learned from: say with --test-images where the test's own pictures "
            f"are, or name the same place there if that is meant."
        )
    if shared:
        theirs.notes.say(
            f"{len(shared):,} of {len(asked):,} pictures of {theirs.name} are the very files that {ours.name} learns "
            f"from, such as {shared[0]}."
        )


def form_of(path: str) -> str | None:
    """What labels of dense tasks a path seems to have, by a quick look: coco, voc, yolo, masks; None for none."""
    where = Path(path)
    if where.suffix.lower() in FILES and os.path.isfile(where):
        return "yolo" if where.suffix.lower() in YAML else "coco"
    if os.path.exists(where) and is_tabular(path):
        return form_of_tables(path)
    if not os.path.isdir(where):
        return None
    found = layout_of(where)
    forms, files = found.forms(), {"yolo": found.texts, "voc": found.xml}
    unlikely = {form for form, own in files.items() if 2 * len(own) < len(found.pictures)}
    if "masks" in forms and not are_masks_likely(found.pictures, found.masks):
        unlikely.add("masks")
    return next((form for form in forms if form not in unlikely), None)


def _text(path: str | os.PathLike[str]) -> str:
    return os.path.expanduser(os.fspath(path))


def _wishes(
    classes: str | None, ignore_id: int | Sequence[int] | None, boxes: str | None, images: str | None, snap: bool,
    image_column: str | None, column: str | None, want: str | None, part: str | None,
) -> Wishes:  # fmt: skip
    ignore = () if ignore_id is None else (ignore_id,) if isinstance(ignore_id, int) else tuple(ignore_id)
    return Wishes(classes, ignore, boxes, _expanded(images), snap, image_column, column, want, part)


def _as_wanted(data: Labelled, want: str | None) -> Labelled:
    if want is None:
        return data
    if want == "masks":
        return data.for_segmentation()
    if want in ("boxes", "instances"):
        return data.for_detection(masks=want == "instances")
    raise UserError(f'Labels are wanted as "boxes", "masks" or "instances", not as {want!r}.')


def _survey(path: str, wishes: Wishes, split: str) -> Survey:
    """The labels of a path, read; refused where the user says of boxes what is for masks, or the other way round."""
    survey = _read(path, replace(wishes, role=split))
    for given, option in (
        (wishes.ignore, "--ignore-id"),
        (wishes.snap, "--snap"),
        (wishes.mask_column, "--mask-column"),
    ):
        if given and survey.kind == "boxes":
            raise UserError(f"{path} has boxes, and {option} is about masks: leave it out.")
    if wishes.boxes and survey.kind == "masks":
        raise UserError(f"{path} has masks, and --boxes is about boxes: leave it out.")
    return survey


def _read(path: str, wishes: Wishes) -> Survey:
    where = Path(path)
    name = where.name.lower()
    if is_tabular(path):
        return open_tables(path, wishes)
    if "://" in path:
        raise UserError(f"{path} is remote: labels other than .parquet are read from the local disk; fetch them first.")
    if os.path.isdir(where):
        table = _table_of(path, wishes)
        if table is not None:
            return open_yaml(path, table.file, _part(table, wishes.role), wishes)
        return open_folder(path, where, wishes)
    if not os.path.isfile(where):
        raise missing(place(path))
    if name.endswith(".json"):
        return open_coco(path, where, wishes)
    if name.endswith(YAML):
        return open_yaml(path, where, _part(read_table(where), wishes.role), wishes)
    if name.endswith((".txt", ".lst", ".list")):
        return open_list(path, where, wishes)
    raise UserError(f"{path} is of no known kind; labelled data is {KINDS}.")


def _table_of(path: str, wishes: Wishes) -> Table | None:
    """The data.yaml of a path that is read by one: the file, or a folder that has one with splits (and no masks, where
    those are wanted)."""
    where = Path(path)
    if where.suffix.lower() in YAML and os.path.isfile(where):
        return read_table(where)
    table = find_yaml([where]) if os.path.isdir(where) else None
    if table is None or not table.splits() or (wishes.want == "masks" and layout_of(where).masks):
        return None
    return table


def _part(table: Table, split: str) -> str:
    """The split to read: for a test what comes next where there is none of that name."""
    order = (*TESTS, "train") if split == "test" else ("train", *TESTS)
    return next((one for one in order if one in table.splits()), split)


def _expanded(path: str | None) -> str | None:
    return None if path is None else os.path.expanduser(path)
