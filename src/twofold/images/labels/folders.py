"""Folders of labelled pictures: which files are pictures, which are labels, and what form the labels have."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from twofold import parts
from twofold.errors import UserError
from twofold.images.labels.coco import open_coco
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import ClassList, class_list
from twofold.images.labels.masks import Masked
from twofold.images.labels.per_object import masks_of_objects, open_per_object
from twofold.images.labels.rows import holds_objects, open_metadata
from twofold.images.labels.stored import Stored, in_folder, of_names, opened, pictures_for
from twofold.images.labels.survey import Survey, Wishes
from twofold.images.labels.tree import files_below, read_text
from twofold.images.labels.voc import open_voc
from twofold.images.labels.yolo import label_files, open_yolo
from twofold.images.labels.yolo_yaml import Table, find_yaml, listed_pictures, names_in, read_table, split_pictures
from twofold.images.reading.pairing import (
    IMAGE_ENDS,
    IMAGE_FOLDERS,
    MASK_ENDS,
    MASK_FOLDERS,
    RANKED,
    TEXT_FOLDERS,
    match,
    refuse_shared,
    split_masks,
)
from twofold.images.reading.source import is_image

MOST_JSON = 20  # files; where there are more they are not COCO's
TABLE = "metadata.jsonl"
FORMS = {
    "boxes": ("coco", "voc", "objects", "per-object", "yolo"),
    "masks": ("masks", "per-object", "coco", "objects", "yolo"),
    "instances": ("coco", "per-object", "objects", "yolo"),
}
ANY = ("coco", "voc", "masks", "per-object", "objects", "yolo")
WORDS = {
    "coco": "a COCO file",
    "voc": "VOC's XML files",
    "masks": "masks",
    "per-object": "a mask for each object",
    "objects": TABLE,
    "yolo": "text files",
}
WANTED = {"boxes": "boxes", "masks": "masks", "instances": "objects with masks"}
SEVERAL = {"coco": "COCO files", "objects": f"{TABLE} with objects"}


@dataclass(frozen=True)
class Layout:
    """What lies in a folder. root: the common folder of pictures and labels; names below it are relative to it.

    below: what the user gave, relative to the root; pictures or masks elsewhere do not count.
    """

    root: Path
    pictures: list[str]
    masks: list[str]
    xml: list[str]
    texts: list[str]
    json: list[str]
    tables: list[str]

    def forms(self) -> list[str]:
        """The forms of labels that may be here, in the order in which they are looked for."""
        masks = "masks" if masks_of_objects(self.pictures, self.masks) is None else "per-object"
        found = {"coco": self.json, "voc": self.xml, masks: self.masks, "objects": self.tables, "yolo": self.texts}
        return [form for form in ANY if found.get(form)]


def layout_of(folder: Path) -> Layout:
    """A look at the names of all files; only those of JSON are opened, to see whether they hold objects."""
    root = root_of(folder)
    names = files_below(root)
    images = [name for name in names if is_image(name)]
    pictures, masks = split_masks(images)
    inner = os.path.relpath(folder, root)
    if inner != os.curdir:
        prefix = Path(inner).as_posix() + "/"
        if prefix.split("/", 1)[0].lower() in IMAGE_FOLDERS:
            pictures = [name for name in pictures if name.startswith(prefix)]
        else:
            masks = [name for name in masks if name.startswith(prefix)]
    xml = [name for name in names if name.lower().endswith(".xml")]
    json = [name for name in names if name.lower().endswith(".json")]
    json = [name for name in json if looks_like_coco(root / name)] if len(json) <= MOST_JSON else []
    tables = [name for name in names if Path(name).name == TABLE and holds_objects(root / name)]
    return Layout(root, pictures, masks, xml, label_files(names), json, tables)


def root_of(folder: Path) -> Path:
    """The folder itself, or one or two above it where it is the images (or masks) of a parallel tree."""
    folder = folder.absolute()
    for side, others in ((IMAGE_FOLDERS, TEXT_FOLDERS | MASK_FOLDERS), (MASK_FOLDERS, IMAGE_FOLDERS)):
        if folder.name.lower() in side and _has_sibling(folder, others, ""):
            return folder.parent
        if folder.parent.name.lower() in side and _has_sibling(folder.parent, others, folder.name):
            return folder.parent.parent
    return folder


def _has_sibling(folder: Path, names: frozenset[str], inside: str) -> bool:
    try:
        beside = list(folder.parent.iterdir())
    except OSError:
        return False
    return any(one != folder and one.name.lower() in names and (one / inside).is_dir() for one in beside)


def looks_like_coco(file: Path) -> bool:
    """Whether the words "images" and "annotations" stand in a file, each in its own quotes."""
    wanted = {b'"images"', b'"annotations"'}
    try:
        with file.open("rb") as handle:
            tail = b""
            while wanted and (block := handle.read(1 << 20)):
                wanted -= {word for word in wanted if word in tail + block}
                tail = block[-16:]
    except OSError:
        return False
    return not wanted


def open_folder(name: str, folder: Path, wishes: Wishes) -> Survey:
    """The labels in a folder. Raises UserError where there are none, or several files of which one is meant."""
    if wishes.images and not _has_labels(folder):
        return _masks_alone(name, folder, wishes)
    found = layout_of(folder)
    forms = found.forms()
    wanted = [form for form in FORMS.get(wishes.want or "", ANY) if form in forms]
    if not wanted:
        lacks = WANTED.get(wishes.want or "", "labels")
        have = f"has {listed(WORDS[form] for form in forms)}, but no {lacks}" if forms else "holds no labels"
        raise UserError(
            f"{name} {have}: labels are a COCO .json, VOC's .xml or YOLO's .txt files, a {TABLE} with objects, or "
            f"masks in a folder beside the pictures (one each, or one for each object in a folder of the picture's "
            f"name)."
        )
    form = wanted[0]
    if form in ("coco", "objects"):
        return _of_file(name, found, form, wishes)
    sides = sorted({part for name in found.pictures for part in name.lower().split("/")[:-1]} & parts.WORDS.keys())
    survey = READERS[form](name, found, wishes)
    if others := " and ".join(WORDS[other] for other in wanted if other != form):
        survey.notes.say(f"Labels are read from {WORDS[form]}; {others} lie here, too.")
    if len(sides) > 1:
        survey.notes.say(
            f"Pictures of {' and '.join(sides)} are read together: give one of these folders for one of them."
        )
    return survey


def _of_file(name: str, found: Layout, form: str, wishes: Wishes) -> Survey:
    """The labels of the one file that holds them all."""
    files = found.json if form == "coco" else found.tables
    if len(files) > 1:
        raise UserError(f"{name} holds several {SEVERAL[form]} ({listed(files, 6)}): give one of them.")
    file = found.root / files[0]
    if form == "coco":
        return open_coco(name, file, wishes)
    return open_metadata(name, file, pictures_for(file, wishes), wishes)


def _has_labels(folder: Path) -> bool:
    names = files_below(folder)
    return bool(label_files(names)) or any(name.lower().endswith((".xml", ".json", TABLE)) for name in names)


def _stored(found: Layout, wishes: Wishes) -> Stored:
    if wishes.images:
        return opened(wishes.images, wishes)
    if not found.pictures:
        raise UserError(
            f"{found.root} holds labels and no pictures: give the folder that holds them with {wishes.asks_images}."
        )
    return of_names(found.root, found.pictures, wishes)


def _voc(name: str, found: Layout, wishes: Wishes, stems: frozenset[str] | None = None) -> Survey:
    files = [file for file in found.xml if stems is None or Path(file).stem in stems]
    classes = class_list(wishes.classes, [found.root])
    if classes is not None and classes.colours is not None:  # of a tool that writes masks, too
        keep = tuple(one for one in classes.names if one.lower() != "background")
        classes = ClassList(classes.where, keep)
    return open_voc(name, found.root, files, _stored(found, wishes), classes, wishes)


def _yolo(name: str, found: Layout, wishes: Wishes, table: Table | None = None) -> Survey:
    stored = of_names(found.root, found.pictures, wishes) if table else _stored(found, wishes)
    table = table or find_yaml([found.root, found.root.parent])
    classes = class_list(wishes.classes, []) or (names_in(table) if table else None)
    classes = classes or class_list(None, [found.root, found.root.parent, *_folders(found.root, found.texts)])
    return open_yolo(name, found.root, found.texts, stored, classes, bool(table and table.keypoints), wishes)


def _folders(root: Path, files: Sequence[str]) -> list[Path]:
    return list(dict.fromkeys((root / file).parent for file in files[:1000]))


def _masks(name: str, found: Layout, wishes: Wishes, stems: frozenset[str] | None = None) -> Survey:
    masks = [mask for mask in found.masks if stems is None or Path(mask).stem in stems]
    return _matched(name, _stored(found, wishes), of_names(found.root, masks, wishes), wishes, stems)


def _per_object(name: str, found: Layout, wishes: Wishes) -> Survey:
    return open_per_object(name, _stored(found, wishes), of_names(found.root, found.masks, wishes), wishes)


def _masks_alone(name: str, folder: Path, wishes: Wishes) -> Survey:
    """A folder of masks whose pictures lie elsewhere, as the user says."""
    masks = in_folder(folder, wishes)
    if masks is None:
        raise UserError(f"{name} holds no labels and no masks: give a folder that does.")
    return _matched(name, opened(wishes.images or "", wishes), masks, wishes)


READERS: dict[str, Callable[[str, Layout, Wishes], Survey]] = {
    "voc": _voc,
    "yolo": _yolo,
    "masks": _masks,
    "per-object": _per_object,
}


def _matched(name: str, pictures: Stored, masks: Stored, wishes: Wishes, stems: frozenset[str] | None = None) -> Survey:
    notes = Notes()
    theirs = masks.source.names
    folders = IMAGE_FOLDERS | MASK_FOLDERS
    found = match(pictures.source.names, theirs, folders, IMAGE_ENDS, MASK_ENDS)
    refuse_shared(name, pictures.source.names, theirs, found)
    rows = []
    for row, one in enumerate(found):
        if len(one) > 1:
            ranked = [k for end in RANKED for k in one if Path(theirs[k]).stem.endswith(end)]
            if not ranked:
                both = listed(theirs[k] for k in one)
                raise UserError(f"{name}: {pictures.source.names[row]} has several masks ({both}): leave one for each.")
            one = ranked[:1]
        if one:
            rows.append((row, one[0]))
        elif stems is None:
            notes.add("pictures without a mask, left out", pictures.source.names[row])
    matched = {k for one in found for k in one}
    for k in range(len(theirs)):
        if k not in matched:
            notes.add("masks without a picture, left out", theirs[k])
    if not rows:
        raise UserError(
            f"{name}: none of {len(theirs):,} masks (such as {theirs[0]}) has a picture of its name (such as "
            f"{pictures.source.names[0]}): give the folder of pictures with {wishes.asks_images}."
        )
    root = Path(str(masks.where))
    classes = class_list(wishes.classes, [root, root.parent, *_folders(root, theirs)])
    return Masked(name, pictures.source, masks.source, rows, classes, notes, wishes)


def open_list(name: str, file: Path, wishes: Wishes) -> Survey:
    """The pictures of a text list: of VOC's ImageSets, or of paths with YOLO's text files."""
    if file.absolute().parent.parent.name == "ImageSets":
        return _imageset(name, file.absolute(), wishes)
    found = layout_of(file.absolute().parent)
    pictures = listed_pictures(file, found.pictures)
    return _yolo(name, replace(found, pictures=pictures), wishes)


def _imageset(name: str, file: Path, wishes: Wishes) -> Survey:
    """The pictures that a list of VOC's ImageSets names."""
    found = layout_of(file.parent.parent.parent)
    stems = frozenset(line.split()[0] for line in read_text(file)[0].splitlines() if line.split())
    masks = wishes.want == "masks" or (wishes.want is None and file.parent.name == "Segmentation")
    there = {Path(label).stem for label in (found.masks if masks else found.xml)}
    if not stems & there:
        kind = WORDS["masks" if masks else "voc"]
        raise UserError(f"{name} names {len(stems):,} pictures, and none of them has {kind} below {found.root}.")
    survey = (_masks if masks else _voc)(name, found, wishes, stems)
    for stem in sorted(stems - there):
        survey.notes.add("names of the list without labels, left out", stem)
    return survey


def open_yaml(name: str, file: Path, split: str, wishes: Wishes) -> Survey:
    """One split of a data.yaml."""
    table = read_table(file)
    root = Path(wishes.images) if wishes.images and os.path.isdir(wishes.images) else file.parent
    found = layout_of(root.absolute())
    pictures = split_pictures(table, split, found.root, found.pictures, wishes.asks_images)
    return _yolo(name, replace(found, pictures=pictures), wishes, table)
