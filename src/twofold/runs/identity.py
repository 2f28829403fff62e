"""Whether what a run works on is what it began with, by what environment.json records: a fingerprint, and a stamp.

A fingerprint is of the content alone, wherever that lies. A stamp is of names, sizes and times of change, for those who
have it; in version 0.1.0 that was the fingerprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DATA = "fingerprint"
Record = Mapping[str, Any]


def agrees(before: Record, now: Record, key: str = DATA) -> bool | None:
    """Whether two records have the same content under a key ("fingerprint", "NAME_fingerprint"); None where either
    does not say."""
    was, found = before.get(key), now.get(key)
    if was is None or found is None:
        return None
    return was == found or (_stamp(key) not in before and was == now.get(_stamp(key)))


def retimed(before: Record, now: Record, key: str = DATA) -> bool:
    """Whether the same content has other times of change: it was copied, or touched."""
    stamps = before.get(_stamp(key)), now.get(_stamp(key))
    return bool(agrees(before, now, key)) and None not in stamps and stamps[0] != stamps[1]


def _stamp(key: str) -> str:
    return key.replace("fingerprint", "stamp")
