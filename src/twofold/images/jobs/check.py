"""`check`: the data, and what a run would do with them, before it is started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.images.jobs import labels
from twofold.images.jobs.channels import lines
from twofold.images.jobs.model import open_data
from twofold.images.jobs.settle import settle
from twofold.images.jobs.views import find_views
from twofold.images.options import Check
from twofold.images.reading.examining import examine
from twofold.pixels.views import Augmentation
from twofold.pixels.views.channels import left_out, statistics_of
from twofold.printable import say
from twofold.resources import bytes_in_words
from twofold.training.distribution import choose_precision
from twofold.training.settling import plan_of


def run(composition: Composition, data: str, options: Check) -> dict[str, Any]:
    """Print what was found and what would happen, and return the numbers; see `api.check`.

    Of a file of labels alone only those are looked at.
    """
    if labels.is_label_file(data):
        return labels.look(data, options) or {}
    numbers = _look_at_images(composition, data, options)
    return numbers | (labels.look(data, options) or {})


def _look_at_images(composition: Composition, data: str, options: Check) -> dict[str, Any]:
    read_as, wanted = options.read_as(), options.wanted()
    findings = examine(data, fourth_channel=read_as.pop("fourth"), **{**wanted, **read_as})
    say("\n".join(findings.lines()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = open_data(data, options)
    settings = settle(options, composition, source, data, device.type == "cuda")
    settings = replace(settings, precision=choose_precision(options.precision, device))
    assert settings.image_size is not None
    size = settings.image_size
    say(f"\nA run would train {settings.backbone} by {composition.name} at {size} px on {device.type}:")
    say("\n".join(plan_of(settings, unit="images").describe(len(source))))
    views = find_views(settings.views)
    off = left_out(views, source.pixels.count) if isinstance(views, Augmentation) else []
    for line in lines(source.pixels, statistics_of(settings.statistics, source.pixels.count), off):
        say(line)
    say(f"Decoded images would take {bytes_in_words(findings.decoded_bytes(2 * size))}.")
    small = findings.smaller_than(-(-size // 3))
    if small:
        say(f"{small:,} images are smaller than a third of the {size} px views and would be enlarged a lot.")
    broken, allowed = len(findings.broken) / max(findings.examined, 1), options.max_unreadable
    if broken > allowed:
        raise UserError(
            f"{broken:.0%} of the images cannot be read, and a run would end at {allowed:.0%}: mend or remove them, or "
            f"give pretrain --max-unreadable."
        )
    numbers = {
        key: getattr(findings, key) for key in ("total", "usable", "broken", "formats", "channels", "odd", "duplicates")
    }
    return {**numbers, "settings": {"method": composition.name, "data": data, **settings.values()}}
