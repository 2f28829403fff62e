"""`pretrain`: data, views, backbone and method put together, trained, and what is written at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from twofold.catalog.composition import Composition
from twofold.images.backbones import Backbone, build_backbone
from twofold.images.backbones.names import is_own
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.overlap import overlap
from twofold.images.evaluation.transform import facts
from twofold.images.jobs import channels
from twofold.images.jobs.consistency import TemporalConsistency
from twofold.images.jobs.model import images_of, open_data, read_alike
from twofold.images.jobs.online import SHOWN, OnlineKNN, knn_settings
from twofold.images.jobs.online_correspondence import OnlineCorrespondence
from twofold.images.jobs.samples import gallery, view_samples
from twofold.images.jobs.settle import sampled_sides, settle
from twofold.images.jobs.views import RunViews, describe, find_views, make_views
from twofold.images.options import Pretrain
from twofold.images.reading import Images, Source
from twofold.images.report.sections import SECTIONS
from twofold.launcher import by_the_first
from twofold.methods.build import build
from twofold.pixels.backbones.export import save_backbone
from twofold.pixels.backbones.loading import BACKBONE_FILE
from twofold.pixels.backbones.weights import weights_file
from twofold.pixels.reading.identity import file_digest
from twofold.pixels.reading.words import by_reason
from twofold.pixels.views import Augmentation
from twofold.pixels.views.own import identity
from twofold.randomness import derive
from twofold.resources import require, usable_cores
from twofold.runs.folder import RunFolder
from twofold.seam import Monitor, Situation
from twofold.training.distribution import choose_precision, make_fabric, together
from twofold.training.plan import Plan
from twofold.training.session import Session
from twofold.training.settling import plan_of
from twofold.training.warm_start import start_from

if TYPE_CHECKING:
    from lightning_fabric import Fabric

EVALUATIONS = 20
PLACES = {"val": "val_fingerprint", "weights": "weights_fingerprint"}
FEW_IMAGES = 1000
METRICS = {"top1": "", "balanced": "mean over the classes, which are unequal: "}
BUSY = 0.5  # load a core from which bf16 kernels, whose threads wait for each other, crawl


def run(composition: Composition, data: str, options: Pretrain, *, alone: bool = True) -> Path:
    """Train to the end of the plan and write the results; see `api.pretrain`. Returns the run folder.

    alone: the run is not part of a comparison, so say what to do with it.
    """
    source = open_data(data, options)
    settings = settle(options, composition, source, data, torch.cuda.is_available())
    fabric = make_fabric(options.devices or "auto", num_nodes=options.nodes, strategy=options.strategy)
    settings = replace(settings, precision=choose_precision(options.precision, fabric.device))
    plan = plan_of(settings, unit="images")
    plan.length(len(source))
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    fabric.launch()
    with together(fabric):
        work = _put_together(composition, data, settings, source, plan, fabric)
        path = _train(work, alone)
        return by_the_first(f"the end of {path}", lambda: path)  # others wait for what is written last


@dataclass(frozen=True)
class Work:
    """Everything that a run needs."""

    composition: Composition
    data: str
    settings: Pretrain
    images: Images
    val: Images | None
    backbone: Backbone
    method: Any
    views: RunViews
    inputs: InputSettings
    plan: Plan
    situation: Situation
    online: OnlineKNN | None
    found_again: OnlineCorrespondence | None
    fabric: Fabric


def _put_together(
    composition: Composition, data: str, settings: Pretrain, source: Source, plan: Plan, fabric: Fabric
) -> Work:
    size, seed = cast(int, settings.image_size), settings.seed
    images = _images(source, settings, fabric.device)
    alike = read_alike(settings, source.pixels)
    val = _images(open_data(settings.val, alike, "valid"), settings, fabric.device) if settings.val else None
    torch.manual_seed(derive(seed, "weights"))
    backbone = build_backbone(
        settings.backbone,
        image_size=size,
        stem=settings.stem,
        weights=settings.weights,
        zero_init_residual=composition.zero_init_residual and settings.weights == "random",
        channels=source.pixels.count,
    )
    length = plan.length(len(source))
    cut_here = isinstance(find_views(settings.views), Augmentation)
    situation = Situation(len(source), plan.batch_size, fabric.world_size, length.steps, cut_here)
    recipe = composition.recipes[settings.recipe]
    method, chosen = build(composition, backbone, situation, recipe, settings.method_options or {})
    backbone.notes += start_from(method, settings.weights)
    views = make_views(settings, recipe, images, method.view_count)
    part = plan.batch_size // fabric.world_size
    pixels = 4 * part * sum(backbone.channels * side**2 for side in views.sides)
    what = f"{views.count} views of {part:,} images at a time, of {size:,} px,"
    require(pixels, what, "give a smaller --image-size or --batch-size", fabric.device)
    for side in set(views.sides) - {size}:
        backbone.try_on(side)
    inputs = InputSettings(size, views.mean, views.std, fabric.device, settings.precision)
    online = None
    usual = -(-length.epochs // EVALUATIONS)
    if source.class_count() > 1 and settings.knn_every != 0:
        online = OnlineKNN(images, val, inputs, every_epochs=settings.knn_every or usual, seed=seed)
    found_again = None
    if backbone.map_width is not None and settings.correspondence_every != 0:
        every = settings.correspondence_every or usual
        found_again = OnlineCorrespondence(images, backbone, inputs, every_epochs=every, seed=seed)
    settings = replace(settings, method_options=chosen)
    return Work(
        composition,
        data,
        settings,
        images,
        val,
        backbone,
        method,
        views,
        inputs,
        plan,
        situation,
        online,
        found_again,
        fabric,
    )


def _train(work: Work, alone: bool) -> Path:
    source, settings, images = work.images.source, work.settings, work.images
    about = {"images": len(source), "data": source.describe(), **_identity(work)}
    changed = "The data, or what makes its views," if "views" in about else "The data"
    session = Session.open(
        work.composition, work.data, settings, about, fabric=work.fabric, changed=changed, places=PLACES
    )
    folder, path = session.folder, session.path
    session.announce(_header(work))
    if session.first and work.online and work.online.queries:
        shared = overlap(work.online.bank, work.online.queries)
        if shared.count:
            folder.warn(shared.describe())
    if session.first and not (path / "views.npz").exists():
        folder.save_arrays("views", **view_samples(images, work.views, settings.seed))

    epochs = work.plan.length(len(source)).epochs
    consistency = TemporalConsistency(images, work.inputs, path, epochs=epochs, seed=settings.seed)
    monitors: list[Monitor] = [consistency, *(own for own in (work.online, work.found_again) if own)]
    outcome = session.train(work.method, images, work.views, work.plan, monitors, SHOWN)
    folder.list_unreadable(images.unreadable)
    if images.unreadable:
        folder.warn(_unreadable(images, folder))
    if session.first and not (outcome.finished_before and (path / BACKBONE_FILE).exists()):
        folder.save_arrays("gallery", **gallery(work.backbone, images, work.inputs, settings.seed))
        if work.online:
            _measure(folder, work.online, work, outcome.metrics.get("knn"))
        if work.found_again:
            work.found_again.keep(folder, work.composition.name, work.backbone, epochs)
        mean, std = work.views.mean, work.views.std
        about = facts(work.inputs, source.pixels)
        save_backbone(
            work.backbone, path / BACKBONE_FILE, mean=mean, std=std, method=work.composition.name, facts=about
        )
        trust = " --trust" if is_own(work.backbone.blueprint()["name"]) else ""
        advice = f"backbone: {path / BACKBONE_FILE}; use it with: twofold embed {path} DATA{trust}"
        session.finish(SECTIONS, advice if alone else "")
    elif session.first:
        session.finish_again(SECTIONS)
    if session.first:
        consistency.clear()
    folder.close()
    return path


def _identity(work: Work) -> dict[str, str]:
    """What the data, the images of the online kNN and the first weights are, wherever they lie."""
    source, weights = work.images.source, work.settings.weights
    views = work.settings.views
    found = {**identity(views, find_views(views), source.fingerprint()), "stamp": source.stamp()}
    if work.val is not None:
        found |= {"val_fingerprint": work.val.source.fingerprint(), "val_stamp": work.val.source.stamp()}
    if weights not in ("random", "torchvision", "timm"):
        found["weights_fingerprint"] = file_digest(weights_file(weights))
    return found


def _header(work: Work) -> Iterator[str]:
    images, settings, device = work.images, work.settings, work.fabric.device
    yield f"data: {images.source.describe()}; {images.describe()}"
    yield from (*images.source.notes, *images.source.pixel_notes)
    if work.online:
        yield from work.online.notes
        if work.online.queries:
            yield from (f"{settings.val}: {note}" for note in work.online.queries.images.source.pixel_notes)
    yield f"backbone: {work.backbone.describe()}"
    yield from describe(settings, work.views)
    yield from channels.lines(images.source.pixels, (work.views.mean, work.views.std), work.views.left_out)
    yield f"engine: {work.fabric.world_size} x {device.type}, {settings.precision}"
    yield from work.plan.describe(len(images))
    yield from work.method.notes(work.situation)
    if len(images) < FEW_IMAGES:
        yield f"{len(images):,} images are few: expect less than from several thousand."
    sides = sampled_sides(images.source)
    small = sum(side < cast(int, settings.image_size) / 3 for side in sides)
    if small:
        yield f"{small} of {len(sides)} images looked at are smaller than a third of the views: enlarged a lot."
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if device.type == "cpu" and torch.get_num_threads() > 1 and load > BUSY * usable_cores():
        yield f"other programs keep this machine busy (load {load:.1f}): if it crawls, set OMP_NUM_THREADS=1."
    classes = images.source.class_count()
    if classes < 2:
        found = "one class only" if classes else "no labels found"
        yield f"{found}: no kNN during the run."
    if work.backbone.map_width is None:
        yield f"{work.backbone.name} has no map of cells: no correspondence during the run."


def _images(source: Source, settings: Pretrain, device: torch.device) -> Images:
    memory = settings.memory_gb
    return images_of(
        source,
        settings,
        cast(int, settings.image_size),
        device,
        memory_bytes=None if memory is None else int(memory * 1e9),
        max_unreadable=settings.max_unreadable,
        seed=settings.seed,
    )


def _unreadable(images: Images, folder: RunFolder) -> str:
    broken = images.unreadable
    return (
        f"{len(broken):,} of {len(images):,} images could not be read and others stood in for them: "
        f"{by_reason(broken)}; "
        f"all are in {folder.path / 'unreadable.txt'}."
    )


def _measure(folder: RunFolder, online: OnlineKNN, work: Work, last: float | None) -> None:
    """kNN of the finished backbone (`last`, where the run has just measured it) beside its floors, printed and kept."""
    asked = online.queries or online.bank
    how = "" if online.queries else ", class-balanced folds each asked of the others"
    fresh = last is not None and online.latest.get("top1") == last
    reached = online.latest if fresh else online.accuracy(*online.features(work.backbone))
    numbers = {work.composition.name: reached, **(online.floors(work.backbone) if work.settings.floors else {})}
    settings, data = knn_settings(online.k), asked.images.source.path
    entry = {"protocol": "knn", "settings": settings, "seed": work.settings.seed, "data": data, **_circumstances(work)}
    folder.add_evaluation(
        {**entry, "metric": metric, "name": name, "value": value, "floor": i > 0}
        for i, (name, found) in enumerate(numbers.items())
        for metric, value in found.items()
    )
    shown = "; ".join(f"{METRICS[metric]}{_percents(numbers, metric)}" for metric in reached)
    folder.say(f"kNN ({settings}) on {len(asked):,} images of {data}{how}: {shown}")


def _circumstances(work: Work) -> dict[str, Any]:
    """What beside the settings of the kNN makes its number another one; see `runs.results.Entry`."""
    inputs, learned = work.inputs, work.images.source
    asked = learned if work.val is None else work.val.source
    conditions = {
        "learned from": learned.path,
        "size": f"{inputs.size} px",
        "precision": inputs.precision,
        "epochs trained": work.plan.length(len(learned)).epochs,
        "measured": "at the end of the run",
    }
    prints = {"data": asked.fingerprint(), "learned from": learned.fingerprint()}
    return {"conditions": conditions, "fingerprints": prints}


def _percents(numbers: Mapping[str, Mapping[str, float]], metric: str) -> str:
    return ", ".join(f"{name} {found[metric]:.1%}" for name, found in numbers.items())
