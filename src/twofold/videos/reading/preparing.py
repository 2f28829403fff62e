"""Videos prepared once: a folder that later runs read in the place of the data, without decoding a video again."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from twofold.errors import UserError
from twofold.files import write_text
from twofold.folders import claim, full_disk, sweep
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.unreadable import Unreadable, as_lines
from twofold.pixels.reading.wanted import Wanted
from twofold.pixels.reading.words import digest
from twofold.printable import storable
from twofold.resources import usable_cores
from twofold.runs.screen import OnProgress
from twofold.videos.reading.keeping import Interlaced, Keeping
from twofold.videos.reading.opening import LIST, MANIFEST, VERSION, grouped, open_folder
from twofold.videos.reading.packed import ENDING, read_index
from twofold.videos.reading.packing import copy_with_motion, write_packed
from twofold.videos.reading.source import Item, VideoSource
from twofold.videos.reading.store import opened_video, without_motion
from twofold.videos.reading.video import Video

UNREADABLE = "unreadable.txt"


@dataclass(frozen=True)
class Preparing:
    """How videos are prepared.

    short_side: pixels that larger pictures are shrunk to. quality: of the JPEGs. motion: whether motion is kept.
    transcode: whether it is that of a copy in H.264: never, where the video tells none of the pictures that are kept
    (auto), or always. deinterlace: no frames, those that say that they are interlaced (auto), or all. fps: frames a
    second that are kept; all where None. Not with the video's own motion, which is from each of its frames to the next.
    """

    short_side: int = 128
    quality: int = 90
    motion: bool = False
    transcode: Literal["auto", "never", "always"] = "auto"
    deinterlace: Literal["auto", "never", "always"] = "auto"
    fps: float | None = None

    def key(self, source: VideoSource, i: int) -> str:
        """What video `i` is made from and how."""
        size, time = source.stamps[i]
        settings = (self.short_side, self.quality, self.motion, self.transcode, self.deinterlace, self.fps)
        return digest([VERSION, *map(str, settings), source.names[i], str(size), time])

    def keeping(self) -> Keeping:
        """Which frames of a video are kept, and which are made whole."""
        whole: dict[str, Interlaced | None] = {"auto": "flagged", "always": "all", "never": None}
        return Keeping(self.fps, whole[self.deinterlace])


@dataclass(frozen=True)
class Prepared:
    """unreadable: the videos that could not be read, by name, with the reason. deinterlaced: how many were. removed:
    earlier ones of videos that the source does not hold any more, or that cannot be read any more. lost: of
    damaged videos that were made now, by number, the frames that do not come."""

    unreadable: dict[str, str]
    deinterlaced: int
    removed: int = 0
    lost: dict[int, int] = field(default_factory=dict)


def prepare(
    source: VideoSource,
    out: str,
    settings: Preparing,
    *,
    workers: int | None = None,
    max_unreadable: float = 0.05,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """Write every video of a source into the folder `out`.

    A killed or interrupted call goes on where it stopped when made again; videos that have changed since are made anew.
    What is there of videos that the source does not hold any more is removed. Raises UserError where `out` holds
    anything else or is another process's, where the videos are prepared already, where more than
    max_unreadable (share) cannot be read, and where the disk is full.
    """
    folder, names = Path(out), packed_names(source.names)
    _refuse(source, folder, set(names))
    unreadable = Unreadable(source.path, source.names, max_unreadable, "videos")
    deinterlaced, lost = 0, dict[int, int]()
    manifest = {"version": VERSION, "source": storable(source.path), "videos": len(source), "done": False}
    with claim(folder, MANIFEST, holds="prepared videos", doing="preparing videos in", advice="name a new folder"):
        sweep(folder, *(path for path in folder.rglob("*") if path.is_dir()))
        write_text(folder / MANIFEST, json.dumps(manifest))

        def one(i: int) -> bool:
            try:
                return _prepared(source, i, folder / names[i], settings, lost)
            except DecodeError as error:
                unreadable.record(i, error.reason)
                return False

        with full_disk(out), ThreadPoolExecutor(workers or usable_cores()) as threads:
            try:
                for done, whole in enumerate(threads.map(one, range(len(source))), 1):
                    deinterlaced += whole
                    if on_progress:
                        on_progress(done, len(source))
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
        found = unreadable.named()
        kept = {names[i] for i in range(len(source)) if i not in unreadable}
        removed = [name for name in _there(folder) if name not in kept]
        for name in removed:
            (folder / name).unlink()
        write_text(folder / UNREADABLE, as_lines(found))
        listed = _listed(source, folder, names, unreadable)
        write_text(folder / MANIFEST, json.dumps({**manifest, "done": True, "unreadable": len(found), "list": listed}))
    return Prepared(found, deinterlaced, len(removed), lost)


def _refuse(source: VideoSource, folder: Path, names: set[str]) -> None:
    """Refuse what is prepared already, and a folder with videos prepared from elsewhere."""
    if any(name.endswith(ENDING) for name in source.names):
        raise UserError(f"{source.path} is prepared already: give it as the data.")
    others = [name for name in _there(folder) if name not in names]
    if others and (before := _source_of(folder)) != storable(source.path):
        raise UserError(f"{folder} holds videos prepared from {before} (such as {others[0]}): name a new folder.")


def _there(folder: Path) -> list[str]:
    """The prepared videos in a folder."""
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob(f"*{ENDING}"))


def _source_of(folder: Path) -> str:
    """From what the videos in a folder were prepared."""
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return "elsewhere"


def _prepared(source: VideoSource, i: int, path: Path, settings: Preparing, lost: dict[int, int]) -> bool:
    """Write video `i`, where it is not there already; whether its pictures were deinterlaced. `lost` is told of frames
    that do not come."""
    key = settings.key(source, i)
    if path.is_file():
        try:
            with path.open("rb") as file:
                if (index := read_index(file)).key == key:
                    return index.deinterlaced
        except DecodeError:
            pass
    video = opened_video(source, i, vectors=settings.motion)
    if not isinstance(video, Video):
        raise DecodeError("is prepared already")
    with ExitStack() as closing:
        closing.callback(video.close)
        keeping, motion, own = settings.keeping(), None, settings.motion and settings.transcode != "always"
        if own and (why := _not_its_own(video, settings)):
            if settings.transcode == "never":
                raise DecodeError(f"{why}: leave --transcode at auto")
            own = False
        if settings.motion and not own:
            copies = closing.enter_context(tempfile.TemporaryDirectory())
            motion = copy_with_motion(video, Path(copies) / "copy.mp4", keeping)
            closing.callback(motion.close)
        whole = write_packed(
            path,
            video,
            short_side=settings.short_side or None,
            quality=settings.quality,
            key=key,
            motion=video if own else motion,
            keeping=keeping,
        )
        if video.lost:
            lost[i] = video.lost
        return whole


def _not_its_own(video: Video, settings: Preparing) -> str:
    """Why the motion that a video tells is not that of the pictures that are kept, or nothing where it is."""
    if settings.fps is not None:
        return "its motion is from each frame to the next, and --fps leaves some out"
    why = without_motion(video)
    apart = settings.deinterlace == "always" or (settings.deinterlace == "auto" and video.interlaced)
    return "its motion mixes two times, as its frames do" if apart and settings.transcode == "auto" else why


def packed_names(names: Sequence[str]) -> list[str]:
    """Where each video lies in a prepared folder: its own name with another ending; the old one stays where two would
    be alike. Names that lead out of the folder are brought back into it."""
    parts = ([part for part in name.replace(os.sep, "/").split("/") if part not in ("", ".", "..")] for name in names)
    inside = ["/".join(own) or "video" for own in parts]
    stems = [name.rpartition(".")[0] if "." in name.rpartition("/")[2] else name for name in inside]
    seen = Counter(stems)
    unique, taken = [], set[str]()
    for name, stem in zip(inside, stems, strict=True):
        chosen = stem if seen[stem] == 1 else name
        while f"{chosen}{ENDING}" in taken:
            chosen += "_"
        taken.add(f"{chosen}{ENDING}")
        unique.append(f"{chosen}{ENDING}")
    return unique


def _listed(source: VideoSource, folder: Path, names: list[str], unreadable: Unreadable) -> bool:
    """Write a list beside the videos where their folders do not tell what the source does; whether it did."""
    kept = [i for i in range(len(source)) if i not in unreadable]
    if not kept:
        return False
    try:
        plain = grouped(open_folder(str(folder), Wanted(part="all")))
        told = {item.name: _about(plain, item) for item in plain.items}
    except UserError:
        told = {}
    if all(told.get(names[i]) == _about(source, source.items[i]) for i in kept):
        (folder / LIST).unlink(missing_ok=True)
        return False
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("file", "label", "source", "fold", "split"))
    for i in kept:
        table.writerow((names[i], *_about(source, source.items[i])))
    write_text(folder / LIST, text.getvalue())
    return True


def _about(source: VideoSource, item: Item) -> tuple[str, str, str, str]:
    """Class, group, fold and part of a video, as a list has them."""
    label = source.classes[item.label] if item.label >= 0 and source.classes else ""
    return label, item.group, "" if item.fold is None else str(item.fold), item.part
