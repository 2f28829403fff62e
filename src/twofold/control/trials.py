"""What control needs of the machine, for `twofold doctor`. What draws may end its process, so it has one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import packages_distributions

from twofold.catalog.trials import Trial, alone, try_out, version_of

SEE = """
import numpy as np
from twofold.control.environments.factory import build
from twofold.control.environments.specification import Specification
environment = build(Specification({name!r}), seed=0)
environment.reset(seed=0)
frame = environment.step(0 if environment.discrete else np.zeros(environment.actions))[0]
print(" x ".join(map(str, frame.shape)), "pixels")
"""
MUJOCO = 'pip install "dm_control>=1.0.40" "mujoco>=3.17,<4"'
LATER = ("mujoco-core", "mujoco-studio")  # into which mujoco 4 is split


def trials() -> Iterator[Trial]:
    """Environments of each make, a reset and a step, and what is known to break them."""
    yield try_out(
        "control: environments", "gymnasium", 'pip install "twofold[control]"', lambda: _see("twofold/Catch-v0")
    )
    yield try_out(
        "control: Atari", "ale-py", 'pip install "ale-py>=0.12.1" (its licence is the GPL)', lambda: _see("ALE/Pong-v5")
    )
    name = "dm_control/cartpole-swingup-v0"
    yield try_out("control: DMControl, drawn", "dm_control", MUJOCO, lambda: _see(name))
    yield from _mixed()


def _see(name: str) -> str:
    package = {"ALE": "ale-py", "dm_control": "mujoco"}.get(name.partition("/")[0], "gymnasium")
    return f"{alone(SEE.format(name=name))} of {name} by {package} {version_of(package)}"


def _mixed() -> Iterator[Trial]:
    """Packages that write the same files."""
    parts = [name for name in LATER if version_of(name)]
    older = version_of("mujoco")
    if parts and older and int(older.partition(".")[0]) < 4:
        said = (
            f"mujoco {older} lies beside {' and '.join(parts)}: pip uninstall {' '.join(parts)} mujoco, then {MUJOCO}"
        )
        yield Trial("control: mujoco", "fails", said)
    owners = sorted(set(packages_distributions().get("cv2", ())))
    if len(owners) > 1:
        said = f"{' and '.join(owners)} all hold cv2: where it does not load, uninstall all and install one"
        yield Trial("control: OpenCV", "note", f"{said}; twofold needs none")
