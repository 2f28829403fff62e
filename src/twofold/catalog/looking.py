"""A first look at a path, by names alone: what endings the files have that lie in a folder, a tar or a list."""

from __future__ import annotations

import json
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import islice

from twofold.given import is_given, paths_given

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mpe", ".ts", ".mts", ".m2ts", ".wmv", ".flv"),
    *(".3gp", ".3g2", ".ogv", ".vob", ".asf", ".mxf", ".divx", ".h264", ".264", ".hevc", ".h265", ".y4m"),
    *(".f4v", ".qt", ".rm", ".rmvb", ".m2v", ".m1v", ".m2t", ".trp", ".dv", ".ogm", ".mjpeg"),
    *(".mjpg", ".ivf", ".obu", ".wtv", ".mk3d", ".lrv", ".insv", ".xvid"),
    ".frames",  # prepared ones
)
TARS = (".tar", ".tar.gz", ".tgz")
LISTS = (".csv", ".tsv", ".txt", ".lst", ".list")
DEPTH, MOST, BYTES = 4, 200, 1 << 16
HEADER = 1 << 24  # bytes of the head of a .safetensors file
ENVIRONMENT = re.compile(r"[\w.:-]+(/[\w.:-]+)*-v[0-9]+|(dmc|dm_control)/[\w-]+")
EPISODES = (".npz", ".h5", ".hdf5")
METADATA, IN_ROWS = "metadata.json", re.compile(rb'"data_format": *"(arrow|parquet)"')  # of a data set of Minari
BESIDE = (".json", ".md", ".txt", ".yaml", ".yml", ".toml", ".log")  # what may lie beside data and tell of them
REWARDS = ("rewards", "reward")  # that every log of episodes has
NAME = re.compile(r"\.[a-z0-9]{2,5}(?![a-z0-9])")


def shows(data: str, endings: tuple[str, ...]) -> bool:
    """Whether one of the first names in a folder, tar or list, or the path itself, has one of these endings."""
    return any(name.lower().endswith(endings) for name in islice(_names(data), MOST))


def _names(data: str) -> Iterator[str]:
    try:
        if is_given(data):
            yield from paths_given(data)
        elif os.path.isdir(data):
            names = list(islice(_below(data, DEPTH), MOST))
            yield from names
            for name in names:
                if name.lower().endswith(TARS) and os.path.isfile(os.path.join(data, name)):
                    yield from _members(os.path.join(data, name))
        elif data.lower().endswith(TARS) and os.path.isfile(data):
            yield from _members(data)
        elif data.lower().endswith(LISTS) and os.path.isfile(data):
            with open(data, "rb") as file:
                yield from NAME.findall(file.read(BYTES).decode("utf-8", "replace").lower())
        else:
            yield data
    except (OSError, ValueError, tarfile.TarError, EOFError):
        return


def _members(tar: str) -> Iterator[str]:
    with tarfile.open(tar) as archive:
        yield from (member.name for member in archive if member.isfile())


def _below(folder: str, depth: int) -> Iterator[str]:
    """Files of a folder before those of the folders in it, so that one large folder does not hide the others."""
    with os.scandir(folder) as found:
        entries = list(islice((entry for entry in found if not entry.name.startswith(".")), MOST))
    yield from (entry.name for entry in entries if not entry.is_dir())
    if depth > 1:
        for entry in (entry for entry in entries if entry.is_dir()):
            yield from _below(entry.path, depth - 1)


def tells(file: str, key: str) -> bool:
    """Whether the metadata at the head of a .safetensors file have this key; False where it is no such file."""
    try:
        with open(file, "rb") as handle:
            size = int.from_bytes(handle.read(8), "little")
            found = json.loads(handle.read(size)) if size <= HEADER else {}
        metadata = found.get("__metadata__")
        return isinstance(metadata, dict) and key in metadata
    except (OSError, ValueError, RecursionError, AttributeError):
        return False


def is_environment(data: str) -> bool:
    """Whether this is the id of an environment, such as ALE/Pong-v5, and no path."""
    return ENVIRONMENT.fullmatch(data) is not None and not os.path.exists(data)


def shows_episodes(data: str) -> bool:
    """Whether a path holds logged episodes: an HDF5 file, an .npz file with rewards in it, a folder of such, or data
    sets of Minari."""
    if os.path.isdir(data):
        try:
            names = sorted(islice(_below(data, DEPTH), MOST))
        except OSError:
            return False
        files = [name for name in names if name.lower().endswith(EPISODES)]
        if METADATA in names and next(sets_of_minari(data), ""):
            return True
        told = [name for name in names if not name.lower().endswith(BESIDE)]
        below = files[:1] if len(files) * 2 > len(told) else []
        return any(name.lower().endswith(EPISODES[1:]) or _found_below(data, name) for name in below)
    lower = data.lower()
    return lower.endswith(EPISODES[1:]) or (lower.endswith(".npz") and _has_rewards(data))


def sets_of_minari(folder: str) -> Iterator[str]:
    """The metadata.json of each data set of Minari below a folder whose episodes lie in Arrow or parquet files, in
    order of their names."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.isdigit())  # those of digits are episodes
        if METADATA in names and any(name.isdigit() for name in os.listdir(place)):
            file = os.path.join(place, METADATA)
            try:
                with open(file, "rb") as handle:
                    if IN_ROWS.search(handle.read(HEADER)):
                        yield file
            except OSError:
                continue


def _found_below(folder: str, name: str) -> bool:
    """Whether the file of this name, wherever it lies in a folder, has rewards."""
    found = (os.path.join(place, name) for place, _, files in os.walk(folder) if name in files)
    return any(_has_rewards(file) for file in islice(found, 1))


def _has_rewards(file: str) -> bool:
    try:
        with zipfile.ZipFile(file) as members:
            return any(name.removesuffix(".npy") in REWARDS for name in members.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
