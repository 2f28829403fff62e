"""`load` for control: an encoder, or an agent's policy, as a network of one's own."""

from __future__ import annotations

from pathlib import Path

from twofold.control.jobs.agent_file import load_agent
from twofold.control.jobs.evaluate import open_encoder
from twofold.control.jobs.export import Policy
from twofold.control.nets.saved import StatesToFeatures
from twofold.control.options import Load
from twofold.errors import UserError


def run(model: str, options: Load) -> StatesToFeatures | Policy:
    """See `api.load`."""
    if not options.policy:
        return open_encoder(model)[0]
    if not Path(model).is_dir():
        raise UserError(f"{model} is an encoder alone: give the run folder of an agent for its policy.")
    return Policy(load_agent(Path(model)).agent).eval()
