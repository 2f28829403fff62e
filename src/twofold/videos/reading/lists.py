"""Lists of videos: tables with a header, and lines of a path and a label."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from twofold.catalog.looking import TARS, VIDEOS
from twofold.errors import UserError
from twofold.pixels.reading.labels import labels_from_values, numbers_in
from twofold.pixels.reading.places import Place, place
from twofold.pixels.reading.walking import files_below
from twofold.videos.reading.archive import members_of
from twofold.videos.reading.source import Item, VideoSource

MOST_BYTES = 1 << 28
FILE = ("file", "path", "video", "video_path", "filename", "file_name", "name", "clip")
LABEL = ("label", "class", "class_name", "label_name", "action", "category", "target")
GROUP = ("source", "group", "source_video")
YOUTUBE, BEGIN, END = ("youtube_id",), ("time_start", "start"), ("time_end", "end")
FOLD = ("fold", "split_id")
INDEX = ("classInd.txt", "classes.txt", "labels.txt")


def read_list(path: str, where: Place, videos: str | None, classes: str | None) -> VideoSource:
    """The videos of a list. videos: the folder or tar file that they lie in; beside the list where None. classes: a
    file of class names. Raises UserError where it names no video that is there."""
    rows = _rows(path, where)
    items, words = _of_table(rows) if _is_header(rows[0]) else _of_lines(rows)
    root = place(videos) if videos else where.parent()
    found, absent = located(items, root)
    if not found:
        first = next(iter(absent), "nothing")
        raise UserError(f"{path} names no video that lies in {root} (first {first}): say by --videos where they are.")
    return _labelled(path, where, [(item, words[i]) for i, item in found], classes, len(absent))


def _rows(path: str, where: Place) -> list[list[str]]:
    try:
        text = where.read(MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8 (byte {error.start}); save it so.") from error
    lines = [line.rstrip() for line in re.split("\r\n|\r|\n", text) if line.strip()]
    if not lines:
        raise UserError(f"{path} is an empty list; put one video on each line.")
    return [_fields(line) for line in lines]


def _fields(line: str) -> list[str]:
    """The fields of a line: between tabs or commas, else a path up to its ending and what comes after it."""
    if "\t" in line:
        return [field.strip() for field in line.split("\t")]
    ends = [m.end() for ending in VIDEOS for m in re.finditer(rf"{re.escape(ending)}(?=[\s,]|$)", line, re.IGNORECASE)]
    if ends and line[: max(ends)].count('"') == 0:
        return [line[: max(ends)].strip(), *re.split(r"[\s,]+", line[max(ends) :].strip(" ,\t"))]
    if "," in line:
        return [field.strip() for field in next(csv.reader(io.StringIO(line)), [])]
    return line.rsplit(maxsplit=1)


def _is_header(row: Sequence[str]) -> bool:
    return row[0].lower() in (*FILE, *LABEL, *GROUP, *YOUTUBE) and not row[0].lower().endswith(VIDEOS)


def _of_table(rows: Sequence[Sequence[str]]) -> tuple[list[Item], list[str | None]]:
    header = [name.lower() for name in rows[0]]

    def column(names: Sequence[str]) -> int | None:
        return next((header.index(name) for name in names if name in header), None)

    file, label, group, fold, youtube, begin, end = map(column, (FILE, LABEL, GROUP, FOLD, YOUTUBE, BEGIN, END))
    if file is None and youtube is None:
        raise UserError(f"A list with the columns {', '.join(rows[0])} names no files: call that column file.")
    items: list[Item] = []
    words: list[str | None] = []
    for row in rows[1:]:

        def cell(at: int | None, row: Sequence[str] = row) -> str:
            return row[at] if at is not None and at < len(row) else ""

        known = cell(youtube)
        name = cell(file) or f"{known}_{_six(cell(begin))}_{_six(cell(end))}"
        if not (cell(file) or known):
            continue
        number = cell(fold)
        items.append(
            Item(_slashed(name), Place(""), group=cell(group) or known, fold=int(number) if number.isdigit() else None)
        )
        words.append(cell(label) or None)
    return items, words


def _six(seconds: str) -> str:
    """Seconds as Kinetics' file names have them: 000010."""
    whole = seconds.partition(".")[0]
    return whole.zfill(6) if whole.isdigit() else whole


def _of_lines(rows: Sequence[Sequence[str]]) -> tuple[list[Item], list[str | None]]:
    """A path and the last field as the label; -1 is none."""
    items = [Item(_slashed(row[0]), Place("")) for row in rows]
    words = [row[-1] if len(row) > 1 and row[-1] not in ("", "-1") else None for row in rows]
    return items, words


def _slashed(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def located(items: Sequence[Item], root: Place) -> tuple[list[tuple[int, Item]], list[str]]:
    """The items whose files are there, with their numbers, and the names of the others."""
    inside = _in_tars(root)
    found, absent = [], []
    by_stem: dict[str, str] | None = None
    for i, item in enumerate(items):
        where = root.join(item.name)
        if item.name in inside:
            member = inside[item.name]
            found.append((i, replace(item, place=member.place, offset=member.offset, size=member.size)))
            continue
        if not where.is_file() and "/" not in item.name and root.is_dir():
            # Lists of YouTube's videos name no files: NAME or ID_BEGIN_END, then ID, in any folder.
            by_stem = _stems(root) if by_stem is None else by_stem
            near = by_stem.get(_stem(item.name)) or by_stem.get(item.group, "")
            where, item = root.join(near or item.name), replace(item, name=near or item.name)
        if where.is_file():
            found.append((i, replace(item, place=where)))
        else:
            absent.append(item.name)
    return found, absent


def _stems(root: Place) -> dict[str, str]:
    """The videos below a folder by their names without folder and ending."""
    names = files_below(root, Counter(), lambda name: name.lower().endswith(VIDEOS))
    return {_stem(name): name for name in sorted(names) if name.lower().endswith(VIDEOS)}


def _stem(name: str) -> str:
    base = name.rpartition("/")[2]
    return base.rpartition(".")[0] if base.lower().endswith(VIDEOS) else base


def _in_tars(root: Place) -> dict[str, Item]:
    if root.is_file() and root.path.lower().endswith(TARS):
        return {item.name: item for item in members_of(root)}
    if not root.is_dir():
        return {}
    tars = [name for name in root.children() if name.lower().endswith(".tar")]
    return {item.name: item for name in tars for item in members_of(root.join(name))}


def _labelled(
    path: str, where: Place, found: Sequence[tuple[Item, str | None]], classes: str | None, absent: int
) -> VideoSource:
    """Labels of words or numbers; classes by the file of names, whose numbers may count from 1."""
    names = _class_names(place(classes) if classes else None, where)
    words = [word for _, word in found]
    if not any(words):  # a test list of UCF101: the folders are the classes
        words = [item.name.split("/")[-2] if "/" in item.name else None for item, _ in found]
        words = words if len({word for word in words if word}) > 1 or names else [None] * len(words)
    notes: tuple[str, ...] = ()
    values = numbers_in(words)
    numbers = [value for value in values if isinstance(value, int)]
    if names and numbers and min(numbers) == 1 and max(numbers) == len(names):
        values = [value - 1 if isinstance(value, int) else value for value in values]
        notes = (f"{path}: labels count from 1, as the class names do.",)
    if names and not numbers:
        number = {name.replace("_", " ").lower(): i for i, name in enumerate(names)}
        spelled: list[object] = [number.get((word or "").replace("_", " ").lower()) for word in words]
        values = spelled if any(value is not None for value in spelled) else values
    labels, known = labels_from_values(values, names)
    items = [replace(item, label=int(labels[i]) if labels is not None else -1) for i, (item, _) in enumerate(found)]
    skipped = {"listed but not there": absent} if absent else {}
    return VideoSource(path, tuple(items), known, skipped, notes)


def _class_names(given: Place | None, where: Place) -> list[str] | None:
    beside = [where.parent().join(name) for name in INDEX]
    file = given or next((candidate for candidate in beside if candidate.is_file()), None)
    if file is None:
        return None
    if not file.is_file():
        raise UserError(f"{file} does not exist: give a file of class names.")
    lines = [line.strip() for line in file.read(MOST_BYTES).decode("utf-8-sig", "replace").splitlines() if line.strip()]
    return [re.sub(r"^\d+[\s,]+", "", line) for line in lines]
