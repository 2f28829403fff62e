"""`pretrain` for control: an agent in its environment, or an encoder from logged episodes."""

from __future__ import annotations

from pathlib import Path

from twofold.catalog.composition import Composition
from twofold.catalog.looking import is_environment
from twofold.control.jobs.acting import run_agent
from twofold.control.jobs.logs import run_logged
from twofold.control.jobs.settle import learns_from_logs, refuse_foreign
from twofold.control.options import Pretrain
from twofold.errors import UserError


def run(composition: Composition, data: str, options: Pretrain, *, alone: bool = True) -> Path:
    """Train to the end of the plan and write the results; see `api.pretrain`. Returns the run folder.

    alone: the run is not part of a comparison, so say what to do with it.
    """
    acts = acting(composition, data)
    refuse_foreign(options, data, acts=acts)
    return run_agent(composition, data, options, alone) if acts else run_logged(composition, data, options, alone)


def acting(composition: Composition, data: str) -> bool:
    """Whether an agent is to act. Raises UserError where method and data do not go together."""
    from_logs, environment = learns_from_logs(composition), is_environment(data)
    if environment and from_logs:
        raise UserError(
            f"{composition.name} learns from logged episodes, and {data} is an environment: lay it over an agent, "
            f"as in rainbow+{composition.name} or sac+{composition.name}."
        )
    if not environment and not from_logs:
        raise UserError(
            f"{composition.name} acts in an environment, such as ALE/Pong-v5, and {data} is none: "
            f"for logged episodes give rcrl or curl."
        )
    return environment
