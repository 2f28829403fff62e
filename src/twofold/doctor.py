"""`twofold doctor`: what works on this machine, tried out kind by kind, and what to do about the rest."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from twofold import __version__, wings
from twofold.catalog.trials import Trial, version_of
from twofold.catalog.wing import load
from twofold.printable import say
from twofold.resources import bytes_in_words, free_memory, usable_cores


def doctor(kind: str | None = None) -> None:
    """Try out on this machine what runs need: decoders, environments, exports; a line each, with what to do.

    Examples:
        twofold doctor
        twofold doctor control

    Args:
        kind: A kind of data, images, videos, interactions or control; all where not given.
    """
    asked = [wings.of_kind(kind)] if kind else list(wings.WINGS)
    say(f"twofold {__version__}, Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    bad = 0
    for trial in (*_shared(), *(trial for wing in asked if wing.trials for trial in load(wing.trials)())):
        say(f"{trial.state:<8} {trial.what}: {trial.said}")
        bad += trial.state == "fails"
    say("Nothing fails." if not bad else f"{bad} of these {'fails' if bad == 1 else 'fail'}: what to do stands there.")


def _shared() -> Iterator[Trial]:
    """What every run needs."""
    yield Trial("cores and memory", "works", f"{usable_cores()} cores, {bytes_in_words(free_memory())} free")
    import torch

    torch.ones(2, 2) @ torch.ones(2, 2)
    yield Trial("torch", "works", f"torch {torch.__version__}, torchvision {version_of('torchvision')}")
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(i)
            torch.ones(2, 2, device=f"cuda:{i}") @ torch.ones(2, 2, device=f"cuda:{i}")
            yield Trial(f"GPU {i}", "works", f"{about.name}, {bytes_in_words(about.total_memory)}")
    else:
        yield Trial("GPU", "missing", "none that torch can use; runs take the CPU")
