"""What a stranger's environment gives, held against what it must be: one number, one flag; and where it failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np

from twofold.errors import UserError, clause


@contextlib.contextmanager
def told(name: str, place: str) -> Iterator[None]:
    """Whatever the environment of this name trips over, as one sentence. place: where it is, in words; "" before its
    first steps are made."""
    try:
        yield
    except UserError:
        raise
    except gymnasium.error.DependencyNotInstalled as error:
        raise UserError(
            f"{name} cannot be drawn ({clause(error)}): install what it asks for, or give --pixels false."
        ) from error
    except (Exception, SystemExit) as error:  # it is a stranger's
        kind = type(error).__name__
        if not place:
            raise UserError(
                f"{name} fails in its first steps ({kind}: {clause(error)}): mend it, or see that its package suits "
                f"gymnasium {gymnasium.__version__}."
            ) from error
        raise UserError(
            f"{name} fails in {place} ({kind}: {clause(error)}): mend it; a run then goes on by the same command."
        ) from error


def closed(env: Any) -> None:
    """Close an environment. Where that fails, nothing is lost by it."""
    with contextlib.suppress(Exception, SystemExit):
        env.close()


def one_reward(found: Any, name: str) -> float:
    """A reward as a number, also of an array of one. Raises UserError for anything else."""
    number = np.asarray(found)
    if number.size != 1 or number.dtype.kind not in "biuf":
        raise UserError(f"{name} gives a reward that is not one number, {found!r:.40}: mend it, or wrap it.")
    return float(number.item())


def one_flag(found: Any, name: str) -> bool:
    """Whether an episode has ended, also of an array of one. Raises UserError for what is neither true nor false."""
    flag = np.asarray(found)
    if flag.size != 1 or flag.dtype.kind not in "biuf":
        raise UserError(
            f"{name} tells the end of an episode by {found!r:.40}, which is not one true or false: mend it, or wrap it."
        )
    return bool(flag.item())


def lives_of(info: Any) -> int:
    """The lives that are left, 0 where none are told."""
    number = np.asarray(info.get("lives", 0) if isinstance(info, Mapping) else 0)
    return int(number.item()) if number.size == 1 and number.dtype.kind in "iuf" else 0
