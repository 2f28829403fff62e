"""`check`: the videos, and what a run would do with them, before it is started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.printable import say
from twofold.runs.screen import progress_bar
from twofold.training.plan import Plan
from twofold.training.settling import plan_of
from twofold.videos.jobs.learner import make_learner, store_for
from twofold.videos.jobs.model import open_videos, precision_for
from twofold.videos.jobs.settle import settle
from twofold.videos.jobs.views import augmentation_of
from twofold.videos.options import Pretrain
from twofold.videos.reading.costs import Cost, measure
from twofold.videos.reading.facts import examine, walk_some
from twofold.videos.reading.source import VideoSource


def run(composition: Composition, data: str, options: Pretrain) -> dict[str, Any]:
    """Print what was found and what would happen, and return the numbers; see `api.check`."""
    source = open_videos(data, options)
    with progress_bar("opening videos", options.quiet) as on_progress:
        findings = examine(source, on_progress)
    with progress_bar("decoding some", options.quiet) as on_progress:
        findings = walk_some(findings, on_progress)
    say("\n".join(findings.lines()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    settings = settle(options, composition, source, data, device.type == "cuda")
    settings = replace(settings, precision=precision_for(options.precision, device))
    sampling = augmentation_of(settings).sampling
    shape = f"{sampling.describe()}, {settings.image_size} px"
    say(f"\nA run would train {settings.backbone} by {composition.name} on clips of {shape}, on {device.type}:")
    plan = plan_of(settings, unit="videos")
    say("\n".join(plan.describe(len(source))))
    short = sum(facts.frames < sampling.span for facts in findings.facts.values())
    if short:
        say(f"{short:,} videos have fewer than the {sampling.span} frames that a clip spans, and go round.")
    broken, allowed = len(findings.broken) / max(findings.looked_at, 1), options.max_unreadable
    if broken > allowed:
        raise UserError(
            f"{broken:.0%} of the videos cannot be decoded, and a run would end at {allowed:.0%}: mend or remove them, "
            f"or give pretrain --max-unreadable."
        )
    cost = _cost(composition, source, settings, plan)
    if cost:
        say("\n".join(cost.lines()))
    numbers = {"total": len(source), "looked_at": findings.looked_at, "broken": findings.broken}
    numbers |= {"facts": {source.names[i]: facts for i, facts in findings.facts.items()}, "still": findings.still}
    numbers["damaged"] = {source.names[i]: lost for i, lost in findings.walked.lost.items()}
    if cost:
        numbers["cost"] = {"core_seconds": cost.seconds, "once": cost.whole}
    return {**numbers, "settings": {"method": composition.name, "data": data, **settings.values()}}


def _cost(composition: Composition, source: VideoSource, settings: Pretrain, plan: Plan) -> Cost | None:
    """What reading costs such a run, by a few of its clips."""
    length = plan.length(len(source))
    learner = make_learner(composition, settings, length, len(source))
    store = store_for(source, settings, motion=learner.pretext.motion)
    with progress_bar("measuring", settings.quiet) as on_progress:
        return measure(store, learner.reads(settings), length.steps_per_epoch * plan.batch_size, on_progress)
