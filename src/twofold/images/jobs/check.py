"""`check`: the data, and what a run would do with them, before it is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.images.jobs.pretrain import make_plan
from twofold.images.jobs.settle import settle
from twofold.images.reading import open_source
from twofold.images.reading.examining import examine
from twofold.images.reading.resources import bytes_in_words
from twofold.training.distribution import choose_precision


def run(composition: Composition, pretraining: Mapping[str, Any]) -> dict[str, Any]:
    """Print what was found and what would happen, and return the numbers; see `api.check`.

    pretraining: what `pretrain` would be given.
    """
    columns = {name: pretraining[name] for name in ("image_column", "label_column")}
    findings = examine(pretraining["data"], **columns)
    print("\n".join(findings.lines()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = open_source(pretraining["data"], **columns)
    settled = settle(pretraining, composition, source, device.type == "cuda")
    settled["precision"] = choose_precision(pretraining["precision"], device)
    size = settled["image_size"]
    print(f"\nA run would train {settled['backbone']} by {composition.name} at {size} px on {device.type}:")
    print("\n".join(make_plan(settled).describe(len(source))))
    print(f"Decoded images would take {bytes_in_words(findings.decoded_bytes(2 * size))}.")
    small = findings.smaller_than(-(-size // 3))
    if small:
        print(f"{small:,} images are smaller than a third of the {size} px views and would be enlarged a lot.")
    broken, allowed = len(findings.broken) / max(findings.examined, 1), pretraining["max_unreadable"]
    if broken > allowed:
        raise UserError(
            f"{broken:.0%} of the images cannot be read, and a run would end at {allowed:.0%}: mend or remove them, or "
            f"give pretrain --max-unreadable."
        )
    numbers = {key: getattr(findings, key) for key in ("total", "usable", "broken", "formats", "odd", "duplicates")}
    return {**numbers, "settings": settled}
