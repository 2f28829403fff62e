"""Shrunk copies of large images as parquet shards, which `open_source` reads like any other data."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from twofold.errors import UserError
from twofold.files import write_bytes, write_text
from twofold.folders import full_disk
from twofold.images.reading.decode import decode, image_size, open_header, orientation
from twofold.images.reading.deep import has_fourth, is_deep
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.opening import open_source
from twofold.images.reading.outfolder import claimed, is_done, write_manifest
from twofold.images.reading.parquet import METADATA
from twofold.images.reading.pixels import PLAIN, UNIT, WHOLE, PixelRule
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.unreadable import Unreadable, as_lines
from twofold.pixels.reading.words import digest
from twofold.printable import storable
from twofold.resources import usable_cores
from twofold.runs.screen import OnProgress

SHARD = 1024  # images in a shard: what a kill can cost
GROUP = 32  # images in a row group: what reading one image costs
UNREADABLE = "unreadable.txt"
VERSION = 1  # of what is written; another makes older results unfit to go on with


def prepare(
    path: str,
    out: str,
    *,
    short_side: int,
    workers: int | None = None,
    quality: int = 95,
    max_unreadable: float = 0.05,
    white: float | None = None,
    black: float | None = None,
    fourth_channel: str = "auto",
    channels: str | int = "auto",
    on_progress: OnProgress | None = None,
    say: Callable[[str], None] = lambda line: None,
    **wanted: Any,
) -> str:
    """Write the images of `path` into the folder `out`, shrunk to `short_side` pixels, with names and labels; returns
    `out`.

    Shrunk images are JPEG of the given quality (1 to 95) with full colour resolution. JPEG, PNG and WebP images that
    need no change keep their bytes; others that need no shrinking become PNG. All are 8-bit grey or RGB: white, black,
    fourth_channel, channels as for `looking.settle_pixels`, whose lines go to `say`. Unreadable images are left out and
    listed in unreadable.txt. A killed or interrupted call goes on where it stopped when made again; a finished one
    returns at once. on_progress(done, total) is called now and then, on_notes with what was guessed about the data.
    wanted: see `open_source`. Raises UserError where `out` holds anything else, also what was made from other data or
    settings, where more than max_unreadable (share) cannot be read, where another process is preparing there, where
    the disk is full, and where channels are kept as they are.
    """
    path, out = str(path), str(out)
    _check(out, short_side, quality)
    source = open_source(path, **wanted)
    pixel_notes = settle_pixels(source, white, fourth_channel, channels=channels, black=black, refuse=True)
    if source.pixels.channels:
        raise UserError(
            f"{path}: prepared images are RGB, and these have {source.pixels.describe()}: train on them as they are."
        )
    for line in (*source.notes, *(f"{path}: {note}" for note in pixel_notes)):
        say(line)
    manifest = {
        "key": digest([VERSION, SHARD, source.fingerprint(), short_side, quality, *_rule(source.pixels)]),
        # The key of version 0.1.0.
        "timed_key": digest([VERSION, SHARD, source.stamp(), short_side, quality, *_rule(source.pixels)]),
        "source": path,
        "white": source.pixels.white,
        "fourth_channel": source.pixels.fourth,
        "short_side": short_side,
        "quality": quality,
        "images": len(source),
        "done": False,
    }
    folder = Path(out)
    if is_done(folder, manifest):
        return out
    with full_disk(out), claimed(folder, manifest):
        unreadable = _write_shards(source, folder, manifest, workers or usable_cores(), max_unreadable, on_progress)
        write_text(folder / UNREADABLE, as_lines(unreadable))
        write_manifest(folder, manifest | {"done": True, "unreadable": len(unreadable)})
    return out


def _check(out: str, short_side: int, quality: int) -> None:
    if not 1 <= quality <= 95:
        raise UserError(f"The quality is {quality}: choose 1 to 95.")
    if short_side < 1:
        raise UserError(f"The short side is {short_side} pixels: choose at least 1.")
    if "://" in out:
        raise UserError(f"{out} is a URL: name a local folder for the prepared images.")


def _rule(rule: PixelRule) -> list[object]:
    """What of the rule makes other images than earlier versions did, which knew but one."""
    black = [rule.black] if rule.black else []
    other = bool(black) or rule.white not in (None, WHOLE, UNIT) or rule.fourth == "drop"
    return [rule.white, rule.fourth, *black] if other else []


def shrunk_bytes(data: Any, short_side: int, quality: int, rule: PixelRule = PLAIN) -> bytes:
    """One image shrunk and encoded: see `prepare`. Raises DecodeError."""
    pixels = decode(data, short_side, rule)
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    out = io.BytesIO()
    if isinstance(data, bytes):
        header = open_header(io.BytesIO(data))
        shrunk = header.size not in (image.size, image.size[::-1])
        plain = header.format in ("JPEG", "PNG", "WEBP") and not (is_deep(header) or has_fourth(header))
        if not shrunk and plain and orientation(header) == 1:
            return data
    else:
        shrunk = image_size(data) != (image.height, image.width)
    if shrunk:
        image.save(out, "JPEG", quality=quality, subsampling=0)
    else:
        image.save(out, "PNG")
    return out.getvalue()


def _write_shards(
    source: Source,
    folder: Path,
    manifest: dict[str, Any],
    workers: int,
    max_unreadable: float,
    on_progress: OnProgress | None,
) -> dict[str, str]:
    """Write the missing shards, the images of the next one being encoded meanwhile; returns all that are unreadable."""
    unreadable = Unreadable(source.path, source.names, max_unreadable)
    missing = _missing(folder, len(source), manifest["key"], unreadable)
    done = len(source) - sum(len(rows) for _, rows in missing)
    with ThreadPoolExecutor(workers) as pool:

        def start(rows: range) -> list[Future[bytes | DecodeError]]:
            return [pool.submit(_encoded, source, i, manifest["short_side"], manifest["quality"]) for i in rows]

        try:
            under_way = [start(rows) for _, rows in missing[:1]]
            for k, (number, rows) in enumerate(missing):
                under_way += [start(following) for _, following in missing[k + 1 : k + 2]]
                images: dict[int, bytes] = {}
                broken: list[tuple[int, str]] = []
                for i, future in zip(rows, under_way.pop(0), strict=True):
                    result = future.result()
                    if isinstance(result, DecodeError):
                        broken.append((i, result.reason))
                        unreadable.record(i, result.reason)
                    else:
                        images[i] = result
                    done += 1
                    if on_progress:
                        on_progress(done, len(source))
                notes = {"classes": source.classes, "key": manifest["key"], "unreadable": broken}
                write_bytes(folder / _shard_name(number), _shard(source, images, notes))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return unreadable.named()


def _missing(folder: Path, count: int, key: str, unreadable: Unreadable) -> list[tuple[int, range]]:
    """Number and rows of each shard that is not there yet; what those that are there lack is recorded."""
    missing = []
    for number, start in enumerate(range(0, count, SHARD)):
        notes = _finished(folder / _shard_name(number), key)
        if notes is None:
            missing.append((number, range(start, min(start + SHARD, count))))
        else:
            for i, reason in notes["unreadable"]:
                unreadable.record(i, reason)
    return missing


def _encoded(source: Source, i: int, short_side: int, quality: int) -> bytes | DecodeError:
    try:
        return shrunk_bytes(source.fetch(i), short_side, quality, source.pixels)
    except DecodeError as error:
        return error


def _shard(source: Source, images: dict[int, bytes], notes: dict[str, Any]) -> bytes:
    """A parquet file with the columns image, name and, where there are labels, label."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "image": pa.array(images.values(), pa.binary()),
        "name": pa.array([storable(source.names[i]) for i in images], pa.string()),
    }
    if source.labels is not None:
        columns["label"] = pa.array([int(source.labels[i]) for i in images], pa.int64())
    table = pa.table(columns).replace_schema_metadata({METADATA: json.dumps(notes)})
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=GROUP, compression="none", use_dictionary=False, write_statistics=False)
    return out.getvalue()


def _finished(shard: Path, key: str) -> dict[str, Any] | None:
    """What a shard says of itself if it is there, whole and of this key."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        notes = json.loads((pq.read_schema(shard).metadata or {}).get(METADATA, b"{}"))
    except (OSError, ValueError, pa.ArrowException):
        return None
    return notes if notes.get("key") == key else None


def _shard_name(number: int) -> str:
    return f"images-{number:05d}.parquet"
