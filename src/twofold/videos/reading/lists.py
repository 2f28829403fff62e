"""Lists of videos: tables with a header, and lines of a path and a label."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from twofold.catalog.looking import VIDEOS
from twofold.errors import UserError, clause
from twofold.parts import named
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.labels import labels_from_names
from twofold.pixels.reading.parts import pick, said
from twofold.pixels.reading.places import Place, place
from twofold.pixels.reading.wanted import Wanted
from twofold.videos.reading.locating import located
from twofold.videos.reading.naming import Named, labelled
from twofold.videos.reading.source import Item, VideoSource

MOST_BYTES = 1 << 28
COLUMNS = {  # what a table tells, and the names of its columns
    "file": (
        *("file", "path", "video", "video_path", "filename", "file_name", "name", "clip", "filepath", "file_path"),
        *("video_id", "videoid", "video_name", "clip_name", "id", "vid"),
    ),
    "label": (
        *("label", "class", "class_name", "label_name", "action", "category", "target", "label_id", "class_id"),
        "labels",
    ),
    "group": ("source", "group", "source_video"),
    "youtube": ("youtube_id",),
    "begin": ("time_start", "start"),
    "end": ("time_end", "end"),
    "fold": ("fold", "split_id"),
    "part": ("split", "subset", "part", "partition", "set"),
}
SEPARATORS = "\t;,"
NUMBER = re.compile(r"-?[0-9]{1,18}")
FRAMES = re.compile(r"(.+?)\s+\d+\s+(-?\d+)")  # a path without ending, its number of frames and its label

Row = tuple[Item, str | None]  # a video, its file not yet found, and the word of its label


def read_list(path: str, where: Place, videos: str | None, classes: str | None, wanted: Wanted) -> VideoSource:
    """The videos of a list. videos: the folder or tar file that they lie in; beside the list where None. classes: a
    file of class names. Raises UserError where it names no video that is there."""
    try:
        rows, notes = _rows(path, where)
    except (csv.Error, DecodeError) as error:
        raise UserError(f"{path} is no list of videos ({clause(error)}): put one video on each line.") from error
    rows, note = _of_part(path, rows, wanted)
    root = place(videos) if videos else where.parent()
    found, skipped = located([item for item, _ in rows], root)
    if not found:
        first = rows[0][0].name if rows else "nothing"
        raise UserError(f"{path} names no video that lies in {root} (first {first}): say by --videos where they are.")
    once, repeated = _once([(item, rows[i][1]) for i, item in found], skipped)
    named_ = _labelled(path, where, once, classes, wanted)
    items = [replace(item, label=label) for (item, _), label in zip(once, named_.labels, strict=True)]
    notes = [*notes, *note, *(f"{path}: {text}" for text in repeated), *(f"{path}: {text}" for text in named_.notes)]
    return VideoSource(path, tuple(items), named_.classes, dict(+skipped), tuple(notes))


def _rows(path: str, where: Place) -> tuple[list[Row], list[str]]:
    try:
        text = where.read(MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8 (byte {error.start}); save it so.") from error
    lines = [line.rstrip() for line in re.split("\r\n|\r|\n", text) if line.strip()]
    if not lines:
        raise UserError(f"{path} is an empty list; put one video on each line.")
    between = next((mark for mark in SEPARATORS if mark in lines[0]), " ")
    header = [name.lower() for name in _split(lines[0], between)]
    if not _is_header(header):
        return [_of_line(line) for line in lines], []
    return _of_table(path, header, [_cells(line, between, len(header)) for line in lines[1:]])


def _split(line: str, between: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader(io.StringIO(line), delimiter=between, skipinitialspace=True), [])]


def _cells(line: str, between: str, columns: int) -> list[str]:
    """The cells of a row; where commas in a path make more of them, the path's are joined again."""
    cells = _split(line, between)
    return cells if len(cells) <= columns else _fields(line)


def _is_header(cells: Sequence[str]) -> bool:
    known = {name for kind in ("file", "label", "group", "youtube") for name in COLUMNS[kind]}
    return any(cell in known for cell in cells) and not any(cell.endswith(VIDEOS) for cell in cells)


def _of_table(path: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[Row], list[str]]:
    at = {kind: next((header.index(name) for name in names if name in header), None) for kind, names in COLUMNS.items()}
    if at["file"] is None and at["youtube"] is None:
        raise UserError(f"A list with the columns {', '.join(header)} names no files: call that column file.")
    cells = [{kind: row[k] if k is not None and k < len(row) else "" for kind, k in at.items()} for row in rows]
    found = [(_item(one), one["label"] or None) for one in cells if one["file"] or one["youtube"]]
    whole = at["youtube"] is None and at["begin"] is not None
    return found, [f"{path}: its times are passed over, and whole files are read."] if whole else []


def _item(cells: Mapping[str, str]) -> Item:
    """A video by the cells of its row."""
    name = cells["file"] or f"{cells['youtube']}_{_six(cells['begin'])}_{_six(cells['end'])}"
    fold, part = cells["fold"], named(cells["part"])
    return Item(
        _slashed(name),
        Place(""),
        group=cells["group"] or cells["youtube"],
        fold=int(fold) if fold.isascii() and fold.isdigit() else None,
        part=part.part if part else "",
    )


def _six(seconds: str) -> str:
    """Seconds as Kinetics' file names have them: 000010."""
    whole = seconds.partition(".")[0]
    return whole.zfill(6) if whole.isdigit() else whole


def _of_line(line: str) -> Row:
    """A path, and the last field as the label; -1 is none."""
    name, *others = _fields(line)
    word = others[-1] if others else ""
    return Item(_slashed(name), Place("")), word if word not in ("", "-1") else None


def _fields(line: str) -> list[str]:
    """The fields of a line: between tabs, else a path up to its ending and what comes after it."""
    if "\t" in line:
        return [field.strip() for field in line.split("\t")]
    endings = "|".join(map(re.escape, VIDEOS))
    ends = [found.end() for found in re.finditer(rf"(?:{endings})(?=[\s,;]|$)", line, re.IGNORECASE)]
    if ends and '"' not in line[: ends[-1]]:
        return [line[: ends[-1]].strip(), *_behind(line[ends[-1] :].strip(" ,;"))]
    if between := next((mark for mark in SEPARATORS if mark in line), None):
        return _split(line, between)
    frames = FRAMES.fullmatch(line)
    return [frames[1], frames[2]] if frames else line.rsplit(maxsplit=1)


def _behind(text: str) -> list[str]:
    """The fields behind a path: between commas, else numbers, else a label of one word or several."""
    if between := next((mark for mark in SEPARATORS if mark in text), None):
        return _split(text, between)
    words = text.split()
    return words if words and NUMBER.fullmatch(words[-1]) else [" ".join(words)]


def _slashed(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _of_part(path: str, rows: list[Row], wanted: Wanted) -> tuple[list[Row], list[str]]:
    """The rows of the part that is wanted, where a column tells parts, and a sentence about it."""
    counts = Counter(item.part for item, _ in rows)
    if not rows or wanted.part == "none" or (set(counts) == {""} and not wanted.names_part()):
        return rows, []
    parts = pick(path, counts, wanted, "videos")
    note = said(path, counts, parts, wanted, "videos")
    return [row for row in rows if row[0].part in parts], [note] if note else []


def _once(rows: Sequence[Row], skipped: Counter[str]) -> tuple[list[Row], list[str]]:
    """Each file once, as its first row tells it; the others are counted, and said where they tell something else."""
    first: dict[tuple[str, int], Row] = {}
    unlike = []
    for item, word in rows:
        known = first.setdefault((item.place.path, item.offset), (item, word))
        if known[0] is item:
            continue
        skipped["listed again"] += 1
        if (known[1], known[0].part, known[0].fold) != (word, item.part, item.fold):
            unlike.append(item.name)
    if not unlike:
        return list(first.values()), []
    such = f"{len(unlike):,} (such as {unlike[0]})"
    return list(first.values()), [f"rows that name a file again, with another label or part: {such}; the first counts."]


def _labelled(path: str, where: Place, rows: Sequence[Row], classes: str | None, wanted: Wanted) -> Named:
    names = [item.name for item, _ in rows]
    if wanted.class_level is None:
        return labelled(names, [word for _, word in rows], place(classes) if classes else None, where)
    labels, known = labels_from_names(path, names, wanted.class_level)
    return Named([-1] * len(names) if labels is None else labels.tolist(), known, ())
