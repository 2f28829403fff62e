"""What any wing does with a backbone's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twofold.errors import UserError, clause


def shown(name: str) -> str:
    """A name out of a file as it may reach a terminal."""
    return (name if name.isprintable() else ascii(name))[:100]


@contextmanager
def downloading(name: str) -> Iterator[None]:
    """In this block pretrained weights are fetched: a UserError where that fails."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) or "hash" in str(error) or "client" in str(error):
            raise UserError(f"The pretrained weights of {name} could not be downloaded ({clause(error)}).") from error
        raise
