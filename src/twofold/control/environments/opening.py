"""From an id to an environment of gymnasium, and what to say where there is none."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any

import gymnasium

from twofold.control.environments import dmc, games
from twofold.control.environments.answers import closed
from twofold.control.environments.drawing import choose_backend
from twofold.control.environments.seeing import Sight, sight_of
from twofold.control.environments.specification import ATARI, DMC, Specification
from twofold.errors import UserError, clause, nearest


def opened(spec: Specification) -> tuple[Any, Sight]:
    """The environment of an id, or of module:id, and how it is seen.

    Raises UserError where it is unknown, cannot be made, or cannot be seen as asked.
    """
    name = _known(spec)
    env = _made(name)
    sight = sight_of(env.observation_space, spec)
    if not sight.drawn:
        return env, sight
    closed(env)
    if "rgb_array" not in (env.metadata.get("render_modes") or ()):
        raise UserError(
            f"{name} gives no pictures, which have two or three sides and numbers from 0 to 1 or 255 (its observation "
            f"is {env.observation_space!s:.80}), and draws none: give --pixels false for its vectors."
        )
    if "mujoco" in sys.modules:
        choose_backend()
    return _made(name, render_mode="rgb_array"), sight


def _known(spec: Specification) -> str:
    """The id as gymnasium has it registered."""
    games.register()
    module, _, name = spec.id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # it is a stranger's
            raise UserError(f"{spec.id} names the module {module}, which does not load ({clause(error)}).") from error
    known = gymnasium.registry.get(name)
    if known is None:
        raise UserError(
            f"gymnasium knows no environment {name}.{nearest(name, _names())} Install its package, or name its module "
            f"too, as module:Name-v0."
        )
    if str(known.entry_point).startswith("ale_py"):
        raise UserError(
            f"{spec.id} is a game of Atari under a name with rules of its own (frames left out, actions that stick): "
            f"name the game as ALE/Pong-v5, and give such rules as options (--action-repeat, --sticky)."
        )
    return str(known.id)


def _names() -> list[str]:
    """What might have been meant. What is not installed, or does not load, has no names."""
    with contextlib.suppress(ImportError):
        import ale_py  # noqa: F401  # makes the games known
    own = [name for name, known in gymnasium.registry.items() if not str(known.entry_point).startswith("ale_py")]
    atari = [name for name in gymnasium.registry if name.startswith(ATARI)]
    with contextlib.suppress(UserError):
        own += [f"{DMC[0]}{task}-v0" for task in dmc.tasks()]
    return [*own, *atari]


def _made(name: str, **settings: Any) -> Any:
    try:
        return gymnasium.make(name, disable_env_checker=True, **settings)
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise UserError(f"{name} cannot be made ({clause(error)}): install what it asks for.") from error
    except (Exception, SystemExit) as error:  # it is a stranger's
        raise UserError(f"{name} cannot be made ({type(error).__name__}: {clause(error)}).") from error
