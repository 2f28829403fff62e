"""Videos in plain tar files, read where they lie."""

from __future__ import annotations

import posixpath
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from twofold.catalog.looking import VIDEOS
from twofold.errors import UserError, clause
from twofold.parts import named_among
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.words import count_list, extension
from twofold.videos.reading.source import Item


def members_of(where: Place, skipped: Counter[str] | None = None) -> list[Item]:
    """The videos in a plain tar file, by where their bytes lie; what is passed over is counted in `skipped`. Raises
    UserError for one that is packed, cut short or damaged, or holds none."""
    skipped, found = Counter() if skipped is None else skipped, dict[str, Item]()
    try:
        with where.open() as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for name, member in _files(archive, skipped):
                skipped["older copies of members"] += name in found
                if member.islnk():
                    target = found[posixpath.normpath(member.linkname)]
                    found[name] = replace(target, name=name)
                else:
                    found[name] = Item(name, where, member.offset_data, member.size)
    except KeyError as error:
        raise UserError(f"{where} holds a link to {clause(error)}, which it does not hold: make it again.") from error
    except (tarfile.TarError, OSError, EOFError) as error:
        if "unexpected end" in str(error) or "truncated" in str(error):
            raise UserError(f"{where} is cut short ({clause(error)}): copy it again.") from error
        raise UserError(f"{where} is no plain tar file ({clause(error)}): unpack it, and give the folder.") from error
    if not found:
        holds = f" but only {count_list(dict(skipped))}" if +skipped else ""
        raise UserError(f"{where} holds no videos{holds}; they end in {' '.join(VIDEOS[:12])} and the like.")
    return [found[name] for name in sorted(found)]


def members_of_all(root: Place, tars: Sequence[str], skipped: Counter[str]) -> list[Item]:
    """The videos in several tar files below a folder, in the folders that these lie in.

    A tar's own name becomes a folder, too: outside where the tars are parts (train.tar, test.tar), inside where videos
    of two tars have one name.
    """
    members = {tar: members_of(root.join(tar), skipped) for tar in tars}
    stems = {tar: _stem(tar) for tar in tars}
    parts = set(stems.values()) == set(named_among(set(stems.values())))
    names = Counter(f"{tar.rpartition('/')[0]}/{item.name}" for tar, items in members.items() for item in items)
    alike = max(names.values()) > 1
    found = []
    for tar, items in members.items():
        for item in items:
            folder, _, own = item.name.rpartition("/")
            inner = (folder, stems[tar]) if alike and not parts else (folder,)
            outer = (tar.rpartition("/")[0], stems[tar] if parts else "")
            found.append(replace(item, name="/".join(part for part in (*outer, *inner, own) if part)))
    return sorted(found, key=lambda item: item.name)


def _files(archive: tarfile.TarFile, skipped: Counter[str]) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """The videos of a tar file and the links between them, with their plain names."""
    for member in archive:
        name = posixpath.normpath(member.name)
        if member.isdir():
            continue
        if any(part.startswith(".") and part != ".." for part in name.split("/")):
            skipped["hidden"] += 1
        elif not name.lower().endswith(VIDEOS):
            skipped[extension(name) or "no extension"] += 1
        elif not (member.isreg() or member.islnk()):
            skipped["links and devices"] += 1
        elif member.issparse():
            skipped["stored with holes"] += 1
        else:
            yield name, member


def _stem(tar: str) -> str:
    return tar.rpartition("/")[2].partition(".tar")[0].removesuffix(".tgz")
