"""Views of one's own: a recipe as data, or something to call with each picture, handed over or by import path."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twofold.errors import UserError
from twofold.given import given, imported, is_given


@dataclass(frozen=True)
class Called:
    """Callables that make views of pictures. name: as they were given. calls: one for all views, or one for each."""

    name: str
    calls: tuple[Callable[..., Any], ...]


def is_own(name: str) -> bool:
    """Whether a name is that of something handed over, or an import path, which runs code."""
    return is_given(name) or ":" in name or "." in name


def brought(name: str) -> Any:
    """What a name of one's own stands for. Raises UserError where it cannot be had, or is names with values."""
    found = given(name) if is_given(name) else imported("views", name)
    if isinstance(found, Mapping):
        raise UserError(f"{name} holds names with values, and these are no views: give single changes as view_options.")
    return found


def called(name: str, found: Any) -> Called:
    """What is to be called with pictures. Raises UserError where it cannot be."""
    calls = tuple(found) if isinstance(found, list | tuple) else (found,)
    if not calls or not all(callable(call) and not isinstance(call, type) for call in calls):
        raise UserError(
            f"{name} ({type(found).__name__}) makes no views: give an Augmentation, something to call with a picture, "
            "or a list of such, one for each view."
        )
    return Called(name, calls)


def identity(name: str, found: object, fingerprint: str) -> dict[str, str]:
    """What environment.json tells of what a run learns from: the fingerprint of the data; with views of one's own also
    what these are, as far as they tell, which is part of the fingerprint then, so that a run goes on with no others.

    found: what the name of the views stands for.
    """
    if not is_own(name):
        return {"fingerprint": fingerprint}
    parts = found.calls if isinstance(found, Called) else (found,)
    views = "\n".join(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part)) for part in parts)
    both = f"{fingerprint}\n{views}".encode(errors="replace")
    return {"fingerprint": hashlib.blake2b(both, digest_size=16).hexdigest(), "views": views}
