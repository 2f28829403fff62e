"""Which label belongs to which picture where only folders and names tell: beside it, or in a parallel tree."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from twofold.errors import UserError

IMAGE_FOLDERS = frozenset({
    "images", "image", "imgs", "img", "jpegimages", "leftimg8bit", "pictures", "photos", "rgb", "input", "inputs",
})  # fmt: skip
TEXT_FOLDERS = frozenset({"labels", "label", "labels_txt", "yolo", "yolo_labels", "annotations", "annotation"})
MASK_FOLDERS = frozenset({
    "masks", "mask", "segmentationclass", "segmentationclassraw", "segmentationclassaug", "gtfine", "gtcoarse", "gt",
    "groundtruth", "ground_truth", "labels", "label", "annotations", "annotation", "annot", "annots", "targets",
    "segmentation", "segmentations", "semantic", "semantics", "seg", "trimaps", "stuffthingmaps", "pixelmaps",
    "panoptic",
})  # fmt: skip
IMAGE_ENDS = ("_leftImg8bit", "_image", "_img", "_rgb", "_sat")
MASK_ENDS = (
    "_gtFine_labelTrainIds", "_gtFine_labelIds", "_gtCoarse_labelIds", "_gtFine_color", "_gtFine_instanceIds", "_mask",
    "-mask", ".mask", "_masks", "_seg", "_segmentation", "_label", "_labels", "_labelIds", "_labelTrainIds", "_gt",
    "_L", "_semantic", "_annotation", "_manual1",
)  # fmt: skip
SUFFIXED = re.compile(r"(?:(.+)[_ -]|(train|training|val|valid|validation|test))([a-z]+)")
PREFIXED = re.compile(r"([a-z]+?)[_ -]?((?:train|training|tr|val|valid|validation|test|ts)[0-9]*)")
RANKED = ("_gtFine_labelTrainIds", "_gtFine_labelIds")  # of several masks of one picture the first of these counts
SKIPPED = ("_gtFine_color", "_gtFine_instanceIds", "_gtCoarse_color", "_gtCoarse_instanceIds")


def plain(name: str) -> str:
    """A path as a label file may have it, as plain relative parts: "images\\1/x.jpg" -> "images/1/x.jpg"."""
    parts = re.split(r"[\\/]+", unicodedata.normalize("NFC", name))
    return "/".join(p for p in parts if p not in ("", ".", "..") and not re.fullmatch("[A-Za-z]:", p))


def kind_of(part: str, folders: frozenset[str]) -> str | None:
    """What is left of a folder's name beside its kind: "" of "masks", "train" of "train_masks", "trainannot" and
    "masks_train"; None where it is of no such kind."""
    part = part.lower()
    if part in folders:
        return ""
    if (found := SUFFIXED.fullmatch(part)) and found[3] in folders:
        return found[1] or found[2]
    found = PREFIXED.fullmatch(part)
    return found[2] if found and found[1] in folders else None


def key(name: str, folders: frozenset[str], ends: Sequence[str] = ()) -> str:
    """What a picture and its label have in common: the path without such folders, without ending and suffix."""
    *parts, base = plain(name).split("/")
    stem = posixpath.splitext(base)[0]
    end = max((e for e in ends if stem.endswith(e) and len(stem) > len(e)), key=len, default="")
    stem = stem[: len(stem) - len(end)] if end else stem
    kept = (part if (rest := kind_of(part, folders)) is None else rest for part in parts)
    return "/".join([*(part for part in kept if part), stem]).lower()


def split_masks(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Image files -> (pictures, masks), by their folders (the deepest known one counts), else by the ends of their
    names, else where each picture has a lossless twin of its stem."""
    by_folder = {name: _side(name) for name in names}
    masks = [name for name in names if by_folder[name] == "mask"]
    if not masks:
        masks = [name for name in names if _has_mask_end(name)]
    if not masks:
        masks = _twins([name for name in names if by_folder[name] != "image"])
    rest = set(masks)
    pictures = [name for name in names if name not in rest and by_folder[name] != "other"]
    in_folders = [name for name in pictures if by_folder[name] == "image"]
    masks = [name for name in masks if not _is_skipped(name)]
    return (in_folders if in_folders and masks else pictures), masks


def _side(name: str) -> str:
    return _side_of(posixpath.dirname(name))


@lru_cache(maxsize=1024)
def _side_of(folder: str) -> str:
    for part in reversed(folder.lower().split("/")):
        if kind_of(part, IMAGE_FOLDERS) is not None:
            return "image"
        if kind_of(part, MASK_FOLDERS) is not None:
            return "mask"
        if part == "segmentationobject":
            return "other"
    return ""


def _is_skipped(name: str) -> bool:
    return posixpath.splitext(name)[0].endswith(SKIPPED)


def _has_mask_end(name: str) -> bool:
    return posixpath.splitext(name)[0].endswith(MASK_ENDS)


def _twins(names: Sequence[str]) -> list[str]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_stem[posixpath.splitext(name)[0]].append(name)
    pairs = [both for both in by_stem.values() if len(both) == 2]
    if len(pairs) < len(by_stem):
        return []
    masks = [name for both in pairs for name in both if re.search(r"\.(png|bmp|tiff?)$", name, re.IGNORECASE)]
    return masks if len(masks) == len(pairs) else []


def match(
    pictures: Sequence[str],
    labels: Sequence[str],
    folders: frozenset[str],
    picture_ends: Sequence[str] = (),
    label_ends: Sequence[str] = (),
) -> list[list[int]]:
    """For each picture the positions of its labels: those of the same key, else the only ones of its stem."""
    by_key: dict[str, list[int]] = defaultdict(list)
    by_stem: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(labels):
        own = key(name, folders, label_ends)
        by_key[own].append(i)
        by_stem[posixpath.basename(own)].append(i)
    keys = [key(name, folders, picture_ends) for name in pictures]
    plain_keys = [key(name, folders) for name in pictures]
    stems: dict[str, int] = defaultdict(int)
    for one in keys:
        stems[posixpath.basename(one)] += 1
    out = []
    for one, whole in zip(keys, plain_keys, strict=True):
        stem = posixpath.basename(one)
        found = by_key.get(one) or by_key.get(whole) or []
        if not found and stems[stem] == 1 and len(by_stem[stem]) == 1:
            found = by_stem[stem]
        out.append(list(found))
    return out


def are_masks_likely(pictures: Sequence[str], masks: Sequence[str]) -> bool:
    """Whether most files that may be masks belong to a picture and keep their values: a class of photographs may be
    called "mask", too."""
    found = match(pictures, masks, IMAGE_FOLDERS | MASK_FOLDERS, IMAGE_ENDS, MASK_ENDS)
    used = {k for one in found for k in one}
    exact = sum(not name.lower().endswith((".jpg", ".jpeg")) for name in masks)
    return 2 * len(used) >= len(masks) and 2 * exact >= len(masks)


def masks_among(names: Sequence[str]) -> list[str]:
    """Those image files of a folder that are masks of others, and what else lies beside them to be drawn or compared,
    as far as names tell it; none where that is not likely: where they belong to no picture by name (a mask for each
    object), unless all images lie in folders of images and of masks."""
    pictures, masks = split_masks(names)
    by_folders = all(map(_side, names)) and any(_side(name) == "image" for name in names)
    if not masks or not (are_masks_likely(pictures, masks) or by_folders):
        return []
    known = set(masks)
    return [name for name in names if name in known or _side(name) in ("mask", "other") or _is_skipped(name)]


def refuse_shared(name: str, pictures: Sequence[str], labels: Sequence[str], found: Sequence[Sequence[int]]) -> None:
    """Raise a UserError where two pictures would have one label."""
    owner: dict[int, int] = {}
    for i, one in enumerate(found):
        for k in one:
            if owner.setdefault(k, i) != i:
                raise UserError(
                    f"{name}: {pictures[owner[k]]} and {pictures[i]} would share {labels[k]}: give each picture a name "
                    f"of its own."
                )
