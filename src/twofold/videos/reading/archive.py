"""Videos in a plain tar file, read where they lie."""

from __future__ import annotations

import tarfile

from twofold.catalog.looking import VIDEOS
from twofold.errors import UserError, clause
from twofold.pixels.reading.places import Place
from twofold.videos.reading.source import Item


def members_of(where: Place) -> list[Item]:
    """The videos in a plain tar file, by where their bytes lie. Raises UserError for one that is packed or damaged."""
    found = []
    try:
        with where.open() as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if member.isfile() and member.name.lower().endswith(VIDEOS):
                    found.append(Item(member.name, where, member.offset_data, member.size))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f"{where} is no plain tar file ({clause(error)}): unpack it, and give the folder.") from error
    if not found:
        raise UserError(f"{where} holds no videos; they end in {' '.join(VIDEOS)}.")
    return sorted(found, key=lambda item: item.name)
