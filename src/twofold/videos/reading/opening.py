"""From a path to the videos it means: a video, a folder, a tar file or a list."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from twofold.catalog.looking import LISTS, TARS, VIDEOS
from twofold.errors import UserError
from twofold.given import is_given, paths_given
from twofold.pixels.reading.labels import Labels, labels_from_names, labels_of_parts
from twofold.pixels.reading.parts import Selected, select
from twofold.pixels.reading.places import Place, missing, place
from twofold.pixels.reading.walking import files_below
from twofold.pixels.reading.wanted import Wanted
from twofold.pixels.reading.words import count_list, extension
from twofold.videos.reading.archive import members_of, members_of_all
from twofold.videos.reading.hmdb import SPLIT, read_splits
from twofold.videos.reading.lists import read_list
from twofold.videos.reading.packed import ENDING
from twofold.videos.reading.source import Item, VideoSource

GIF = ".gif"  # an image, but where a folder of nothing else is said to hold videos
MANIFEST, LIST = "prepared-videos.json", "videos.csv"  # of a folder of prepared videos
VERSION = 1  # of what is prepared
MOST_MANIFEST = 1 << 16
GROUPS = (  # names of clips that were cut from one video
    re.compile(r"(.+)_c\d+"),  # UCF101's v_Run_g01_c02, and the like
    re.compile(r"(v_[^_]+_\d+)_\d+"),  # UCF11's v_biking_01_02
    re.compile(r"([\w-]{11})_\d{6}_\d{6}"),  # Kinetics' ID_000010_000020
)


@dataclass(frozen=True)
class ListOptions:
    """What is asked of a list. videos: where the files lie. classes: a file of class names. fold: of data in folds, the
    one to test on."""

    videos: str | None = None
    classes: str | None = None
    fold: int | None = None


def open_source(
    path: str,
    *,
    part: str | None = None,
    class_level: int | None = None,
    role: str = "train",
    options: ListOptions | None = None,
) -> VideoSource:
    """The videos that a path means, with their labels, groups and folds. Raises UserError where there are none.

    part, class_level, role: see `pixels.reading.wanted.Wanted`.
    """
    if is_given(path):
        return grouped(of_paths(path, paths_given(path)))
    wanted, options, where = (
        Wanted(part=part, class_level=class_level, role=role),
        options or ListOptions(),
        place(path),
    )
    if where.is_dir():
        source = _folder(path, where, wanted, options)
    elif not where.is_file():
        raise missing(where)
    elif path.lower().endswith(TARS):
        passed: Counter[str] = Counter()
        source = _named(path, members_of(where, passed), passed, wanted)
    elif SPLIT.fullmatch(where.name):
        source = read_splits(path, where, options.videos, wanted)
    elif path.lower().endswith(LISTS):
        source = read_list(path, where, options.videos, options.classes, wanted)
    else:
        source = VideoSource(path, (Item(where.name, where),))
    return _fold(grouped(source), options.fold, role)


def of_paths(name: str, paths: Sequence[str]) -> VideoSource:
    """The videos of these paths, in this order. name: as messages call them. UserError where there is none."""
    if not paths:
        raise UserError(f"{name} holds no videos: give a list of their paths.")
    return VideoSource(name, tuple(Item(path, place(path)) for path in paths))


def grouped(source: VideoSource) -> VideoSource:
    """The same with the groups that names tell: clips that were cut from one video."""
    items = []
    for item in source.items:
        stem = item.name.rpartition("/")[2].rpartition(".")[0]
        found = next((match for form in GROUPS if (match := form.fullmatch(stem))), None)
        items.append(replace(item, group=found[1]) if found and not item.group else item)
    return replace(source, items=tuple(items))


def _folder(path: str, root: Place, wanted: Wanted, options: ListOptions) -> VideoSource:
    if not root.join(MANIFEST).is_file():
        return open_folder(path, wanted, options)
    manifest = _manifest(path, root.join(MANIFEST))
    if manifest["list"]:
        return read_list(path, root.join(LIST), options.videos, options.classes, wanted)
    source = open_folder(path, wanted)
    there = sum(name.lower().endswith(VIDEOS) for name in files_below(root, Counter(), lambda name: True))
    gone = manifest["videos"] - manifest["unreadable"] - there
    return replace(source, skipped={"prepared but not there": gone} if gone > 0 else {})


def open_folder(path: str, wanted: Wanted, options: ListOptions | None = None) -> VideoSource:
    """The videos of a folder, prepared or not, by the names in it. Raises UserError where there are none."""
    options, root = options or ListOptions(), place(path)
    skipped: Counter[str] = Counter()
    found = sorted(files_below(root, skipped, lambda name: name.lower().endswith((*VIDEOS, *TARS, *LISTS))))
    own = tuple(name.removesuffix(MANIFEST) for name in found if name.endswith(f"/{MANIFEST}"))
    skipped["in folders of prepared videos"] = sum(name.startswith(own) for name in found)
    found = [name for name in found if not name.startswith(own)]
    videos = [name for name in found if name.lower().endswith(VIDEOS)]
    tars = [name for name in found if name.lower().endswith(TARS)]
    if not videos and not tars:
        videos = [name for name in found if name.lower().endswith(GIF)]
    if not videos and tars:
        beside = [name for name in found if name.lower().endswith(".csv") and "/" not in name]
        if len(beside) == 1:
            source = read_list(path, root.join(beside[0]), options.videos, options.classes, wanted)
            return replace(source, notes=(f"{path}: videos and labels are those of {beside[0]}.", *source.notes))
        skipped.update(extension(name) or "no extension" for name in found if name not in tars)
        return _named(path, members_of_all(root, tars, skipped), skipped, wanted)
    skipped.update(extension(name) or "no extension" for name in found if name not in set(videos))
    if (splits := [name for name in found if SPLIT.fullmatch(name)]) and not videos:
        raise UserError(f"{path} holds HMDB51's split files: name one, such as {splits[0]}, for that split.")
    if not videos:
        holds = f"holds no videos but only {count_list(dict(+skipped))}" if +skipped else "is empty"
        raise UserError(f"{path} {holds}; videos end in {' '.join(VIDEOS[:12])} and the like.")
    prepared = [name for name in videos if name.endswith(ENDING)]
    if 0 < len(prepared) < len(videos):
        other = next(name for name in videos if not name.endswith(ENDING))
        raise UserError(f"{path} holds prepared videos ({prepared[0]}) and others ({other}): name one folder.")
    return _named(path, [Item(name, root.join(name)) for name in videos], skipped, wanted)


def _manifest(path: str, manifest: Place) -> dict[str, int]:
    """What a folder of prepared videos says of itself. Raises UserError where it is not finished, or of a later
    version."""
    try:
        found = json.loads(manifest.read(MOST_MANIFEST))
        about = {name: int(found.get(name, 0)) for name in ("version", "done", "list", "videos", "unreadable")}
    except (ValueError, TypeError, AttributeError, OverflowError):
        about = {"version": VERSION, "done": 0}
    if about["version"] > VERSION:
        raise UserError(f"{path} was prepared by a later version of twofold: update it, or prepare the videos again.")
    if not about["done"]:
        raise UserError(f"{path} is a folder of prepared videos that is not finished: give the same prepare again.")
    return about


def _named(path: str, items: Sequence[Item], skipped: Counter[str], wanted: Wanted) -> VideoSource:
    """Videos whose folders tell parts and classes."""
    selected = select(path, [item.name for item in items], wanted, "videos")
    kept = [replace(items[i], part=part) for i, part in zip(selected.rows, selected.parts, strict=True)]
    labels, classes = _labels(path, [item.name for item in kept], selected, wanted)
    if labels is not None:
        kept = [replace(item, label=int(label)) for item, label in zip(kept, labels, strict=True)]
    return VideoSource(path, tuple(kept), classes, dict(+skipped), selected.notes)


def _labels(path: str, names: Sequence[str], selected: Selected, wanted: Wanted) -> Labels:
    if wanted.class_level is not None:
        return labels_from_names(path, names, wanted.class_level)
    return labels_of_parts(selected.folders, selected.parts)


def _fold(source: VideoSource, fold: int | None, role: str) -> VideoSource:
    """What is learned from or tested on of data in folds."""
    if fold is None or role == "all":
        return source
    folds = {item.fold for item in source.items}
    if fold not in folds:
        known = ", ".join(str(f) for f in sorted(f for f in folds if f is not None)) or "none"
        raise UserError(f"{source.path} has no fold {fold}; it has {known}.")
    rows = [i for i, item in enumerate(source.items) if (item.fold == fold) == (role != "train")]
    return source.take(rows)
