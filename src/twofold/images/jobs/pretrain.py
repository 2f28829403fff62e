"""`pretrain`: data, views, backbone, method, plan and run folder put together, and what is written at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from twofold.catalog import reconstructed
from twofold.catalog.composition import Composition, build
from twofold.errors import UserError
from twofold.images.backbones import Backbone, build_backbone
from twofold.images.backbones.export import save_backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.jobs.consistency import TemporalConsistency
from twofold.images.jobs.model import BACKBONE_FILE, open_images
from twofold.images.jobs.online import OnlineKNN
from twofold.images.jobs.samples import gallery, view_samples
from twofold.images.jobs.settle import sampled_sides, settle
from twofold.images.reading import Images, Source, open_source
from twofold.images.reading.resources import usable_cores
from twofold.images.views import ImageViews
from twofold.randomness import derive
from twofold.runs.environment import environment, versions
from twofold.runs.folder import RunFolder
from twofold.seam import Monitor, Situation
from twofold.training.distribution import choose_precision, make_fabric, together
from twofold.training.loop import train
from twofold.training.outcome import TrainingStopped
from twofold.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric

HARMLESS = ("workers", "memory_gb", "log_every", "save_every", "quiet", "report", "compile", "out")
EVALUATIONS = 20
FEW_IMAGES = 1000
BUSY = 0.5  # load a core from which bf16 kernels, whose threads wait for each other, crawl


def run(composition: Composition, given: Mapping[str, Any]) -> Path:
    """Train to the end of the plan and write the results; see `api.pretrain`. Returns the run folder."""
    source = open_source(given["data"], image_column=given["image_column"], label_column=given["label_column"])
    settled = settle(given, composition, source, torch.cuda.is_available())
    fabric = make_fabric(given["devices"] or "auto", num_nodes=given["nodes"])
    settled["precision"] = choose_precision(given["precision"], fabric.device)
    plan = make_plan(settled)
    plan.length(len(source))
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    fabric.launch()
    with together(fabric):
        return _train(composition, given, settled, source, plan, fabric)


def _train(
    composition: Composition,
    given: Mapping[str, Any],
    settled: dict[str, Any],
    source: Source,
    plan: Plan,
    fabric: Fabric,
) -> Path:
    size, seed, folder = settled["image_size"], settled["seed"], Path(settled["out"])
    images = _open(given["data"], settled, fabric.device)
    val = _open(given["val"], settled, fabric.device) if given["val"] else None
    torch.manual_seed(derive(seed, "weights"))
    backbone = build_backbone(
        settled["backbone"],
        image_size=size,
        stem=settled["stem"],
        weights=settled["weights"],
        zero_init_residual=composition.zero_init_residual and settled["weights"] == "random",
    )
    length = plan.length(len(source))
    situation = Situation(len(source), plan.batch_size, fabric.world_size, length.steps)
    recipe = composition.recipes[settled["recipe"]]
    method, settled["method_options"] = build(composition, backbone, situation, recipe, given["method_options"] or {})
    views = ImageViews(
        settled["views"],
        size,
        seed=seed,
        statistics=settled["statistics"],
        count=method.view_count,
        colour=settled["colour"],
    )
    for side in set(views.sides) - {size}:
        backbone.try_on(side)
    inputs = InputSettings(size, views.mean, views.std, fabric.device, settled["precision"])
    consistency = TemporalConsistency(images, inputs, folder, epochs=length.epochs, seed=seed)
    online = None
    if source.labels is not None and settled["knn_every"] != 0:
        every = settled["knn_every"] or -(-length.epochs // EVALUATIONS)
        online = OnlineKNN(images, val, inputs, every_epochs=every, seed=seed)

    _same_data(folder, source)
    about = {**environment(), "images": len(source), "fingerprint": source.fingerprint(), "data": source.describe()}
    out = RunFolder.open(folder, settled, environment=about, writer=fabric.is_global_zero, harmless=HARMLESS)
    if not settled["quiet"]:
        for line in _header(settled, images, backbone, method, plan, situation, fabric):
            out.say(line)
    if fabric.is_global_zero and not (folder / "views.npz").exists():
        out.save_arrays("views", **view_samples(images, views, seed))

    try:
        monitors: list[Monitor] = [consistency, *([online] if online else [])]
        outcome = train(method, images, views, plan, out, fabric, monitors, quiet=settled["quiet"])
    except TrainingStopped as stopped:
        out.note(str(stopped))
        raise
    out.list_unreadable(images.unreadable)
    if images.unreadable:
        out.warn(_unreadable(images, out))
    if fabric.is_global_zero and not (outcome.finished_before and (folder / BACKBONE_FILE).exists()):
        out.save_arrays("gallery", **gallery(backbone, images, inputs, seed))
        if online:
            _measure(out, online, backbone, settled, outcome.metrics.get("knn"))
        save_backbone(backbone, folder / BACKBONE_FILE, mean=views.mean, std=views.std, method=settled["method"])
        _report(out, settled)
        consistency.clear()
    out.close()
    return folder


def _header(
    settled: Mapping[str, Any],
    images: Images,
    backbone: Backbone,
    method: Any,
    plan: Plan,
    situation: Situation,
    fabric: Fabric,
) -> list[str]:
    name = settled["method"]
    lines = [
        f"twofold {versions()['twofold']}: {name}{reconstructed(name)} on {settled['data']} -> {settled['out']}",
        f"data: {images.source.describe()}; {images.describe()}",
        f"backbone: {backbone.describe()}",
        f"views: {method.view_count} of {settled['image_size']} px by {settled['views']}",
        f"engine: {fabric.world_size} x {fabric.device.type}, {settled['precision']}",
        *plan.describe(len(images)),
        *method.notes(situation),
    ]
    if len(images) < FEW_IMAGES:
        lines.append(f"{len(images):,} images are few: expect less than from several thousand.")
    sides = sampled_sides(images.source)
    small = sum(side < settled["image_size"] / 3 for side in sides)
    if small:
        lines.append(f"{small} of {len(sides)} images looked at are smaller than a third of the views: enlarged a lot.")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if fabric.device.type == "cpu" and torch.get_num_threads() > 1 and load > BUSY * usable_cores():
        lines.append(f"other programs keep this machine busy (load {load:.1f}): if it crawls, set OMP_NUM_THREADS=1.")
    if images.source.labels is None:
        lines.append("no labels found: no kNN during the run.")
    return lines


def make_plan(settled: Mapping[str, Any]) -> Plan:
    """The training plan of settled settings."""
    per_log = 10 if settled["log_every"] is None else settled["log_every"]
    return Plan(
        batch_size=settled["batch_size"],
        epochs=settled["epochs"],
        steps=settled["steps"],
        seed=settled["seed"],
        optimizer=settled["optimizer"],
        base_lr=settled["base_lr"],
        lr=settled["lr"],
        scaling=settled["scaling"],
        weight_decay=settled["weight_decay"],
        schedule=settled["schedule"],
        warmup_epochs=settled["warmup_epochs"],
        milestones=tuple(settled["milestones"] or ()),
        drop=settled["drop"] or 0.1,
        accumulate=settled["accumulate"],
        precision=settled["precision"],
        compile=settled["compile"],
        log_every=per_log,
        save_every_seconds=settled["save_every"],
        unit="images",
    )


def _open(path: str, settled: Mapping[str, Any], device: torch.device) -> Images:
    memory = settled["memory_gb"]
    return open_images(
        path,
        settled,
        settled["image_size"],
        device,
        memory_bytes=None if memory is None else int(memory * 1e9),
        max_unreadable=settled["max_unreadable"],
        seed=settled["seed"],
    )


def _same_data(folder: Path, source: Source) -> None:
    """Refuse to go on with a run whose data has changed."""
    try:
        before = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    fingerprint = source.fingerprint()
    if before.get("fingerprint", fingerprint) != fingerprint:
        raise UserError(
            f"The data has changed since the run in {folder} began ({before.get('data', 'then')}): give a new --out."
        )


def _unreadable(images: Images, out: RunFolder) -> str:
    broken = images.unreadable
    first = ", ".join(f"{name} ({reason})" for name, reason in list(broken.items())[:3])
    more = ", ..." if len(broken) > 3 else ""
    return (
        f"{len(broken):,} of {len(images):,} images could not be read and others stood in for them: {first}{more}; "
        f"all are in {out.path / 'unreadable.txt'}."
    )


def _measure(out: RunFolder, online: OnlineKNN, backbone: Any, settled: Mapping[str, Any], last: float | None) -> None:
    """kNN of the finished backbone (`last`, where the run has just measured it) beside its floors, printed and kept."""
    asked = online.queries or online.bank
    how = "" if online.queries else ", each image against the others"
    reached = online.accuracy(*online.features(backbone)) if last is None else last
    numbers = {settled["method"]: reached, **online.floors(backbone)}
    entry = {"protocol": "knn", "metric": "top1", "settings": "k 200, T 0.1", "seed": settled["seed"]}
    entry["data"] = asked.images.source.path
    out.add_evaluation(
        {**entry, "name": name, "value": value, "floor": i > 0} for i, (name, value) in enumerate(numbers.items())
    )
    shown = ", ".join(f"{name} {value:.1%}" for name, value in numbers.items())
    out.say(f"kNN on {len(asked):,} images of {asked.images.source.path}{how}: {shown}")


def _report(out: RunFolder, settled: Mapping[str, Any]) -> None:
    if settled["report"]:
        from twofold.page import build_or_say

        out.say(build_or_say(out.path))
    out.say(f"backbone: {out.path / BACKBONE_FILE}; use it with: twofold embed {out.path} DATA")
