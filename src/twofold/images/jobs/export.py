"""`export`: the backbone as a file for other libraries."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from twofold.errors import UserError
from twofold.images.backbones.export import SUFFIXES, export
from twofold.images.evaluation.transform import can_be_checked, channels_made, check_lines, facts, turned_photograph
from twofold.images.jobs.model import Model, open_model
from twofold.images.options import Export
from twofold.images.reading import DecodeError, open_source
from twofold.printable import say
from twofold.runs.config import read_config

TRIED = 8  # images of the run's data


def run(model: str, options: Export) -> Path:
    """Write the file, and print the lines that load it; see `api.export`."""
    opened = open_model(model, precision="fp32", trust=options.trust)
    # A file's own name, so that two files beside one another do not end in one.
    place, name = (opened.run, "backbone") if opened.run else (Path(model).parent, Path(model).stem.replace(":", "-"))
    out = Path(options.out or place / f"{name}-{options.format}{SUFFIXES[options.format]}")
    mean, std = opened.inputs.mean, opened.inputs.std
    about = {**facts(opened.inputs, opened.pixels), "precision": opened.precision}
    checked_on, apart = _check(opened, about["transform"])
    exported = export(
        opened.backbone, out, format=options.format, mean=mean, std=std, method=opened.method, facts=about
    )
    say(f"An image becomes x with (checked on {checked_on}, whose vectors differ by at most {apart:.1e}):\n")
    say("\n".join(about["transform"]))
    apart_by = "" if exported.difference is None else f", by at most {exported.difference:.1e} (relative)"
    say(f"\n{exported.path}: {exported.checked}{apart_by}. It loads with:\n")
    say("\n".join(exported.lines))
    return exported.path


def _check(opened: Model, lines: list[str]) -> tuple[str, float]:
    """(the images on which the lines were run, the largest difference of a vector): one of the run's own where its data
    can be read here, and a made one that has to be turned."""
    backbone, named, worst = copy.deepcopy(opened.backbone).cpu().eval(), [], 0.0
    for name, image in _images(opened):
        worst = max(worst, check_lines(lines, image, backbone, opened.inputs, opened.pixels))
        named.append(name)
    return " and ".join(named), worst


def _images(opened: Model) -> Iterator[tuple[str, bytes | np.ndarray]]:
    if opened.pixels.channels:
        yield "a made array", channels_made(opened.pixels)
        return
    yield "a JPEG turned by EXIF", turned_photograph()
    run = opened.run
    try:
        data = str(read_config(run).get("data", "")) if run else ""
        source = open_source(data) if data and "://" not in data else None
    except UserError:
        return
    for i in range(min(TRIED, len(source)) if source else 0):
        assert source is not None
        try:
            found = source.fetch(i)
        except DecodeError:
            continue
        if isinstance(found, bytes) and can_be_checked(found):
            yield source.names[i], found
            return
