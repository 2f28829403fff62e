"""What draws MuJoCo's scenes, chosen before anything of it is loaded."""

from __future__ import annotations

import ctypes.util
import os
import sys

from twofold.errors import UserError

BACKENDS = ("egl", "osmesa", "glfw")
NOTHING = ("off", "disable", "disabled", "false", "0")  # as MuJoCo spells it
_WINDOW = ("on", "enable", "enabled", "true", "1")  # other words for glfw
REMEDY = (
    "on a Linux without a display apt-get install libegl1 libgles2, or libosmesa6 with MUJOCO_GL=osmesa, and set such "
    "before dm_control is loaded"
)


def choose_backend() -> str:
    """What draws, said before dm_control is imported: the user's MUJOCO_GL, else EGL (or OSMesa, where it is there
    alone) on a Linux without a display, else what MuJoCo takes by itself, "".

    Raises UserError where MUJOCO_GL names nothing that draws.
    """
    own = os.environ.get("MUJOCO_GL", "").strip().lower()
    if own and own not in (*BACKENDS, *NOTHING, *_WINDOW):
        raise UserError(f"MUJOCO_GL is {own}, but what draws is one of {', '.join(BACKENDS)}: set one, or none.")
    if not own and sys.platform == "linux" and not os.environ.get("DISPLAY"):
        own = "osmesa" if ctypes.util.find_library("OSMesa") and not ctypes.util.find_library("EGL") else "egl"
    use(own)
    return own


def use(chosen: str) -> None:
    """Let MuJoCo draw by this from now on, so far as it is not loaded yet; by what it takes itself where it is ""."""
    os.environ.pop("MUJOCO_GL", None)
    if chosen:
        os.environ["MUJOCO_GL"] = chosen


def backend() -> str:
    """What draws, in words: what dm_control was loaded with, else what was chosen."""
    loaded = getattr(sys.modules.get("dm_control._render"), "BACKEND", None)
    return loaded or os.environ.get("MUJOCO_GL") or "the system's own"


def renderer() -> str:
    """Which library draws, as OpenGL names it; "" before anything was drawn."""
    try:
        from OpenGL import GL

        found = GL.glGetString(GL.GL_RENDERER)
        return found.decode() if found else ""
    except Exception:  # no context, or no OpenGL
        return ""
