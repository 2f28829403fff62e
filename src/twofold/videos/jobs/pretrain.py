"""`pretrain`: videos, views, backbone and method put together, trained, and what is written at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from twofold.catalog.composition import Composition
from twofold.launcher import by_itself, by_the_first
from twofold.pixels.backbones.export import save_backbone
from twofold.pixels.backbones.loading import BACKBONE_FILE
from twofold.pixels.backbones.weights import weights_file
from twofold.pixels.reading.identity import file_digest
from twofold.pixels.reading.words import by_reason
from twofold.pixels.views.changes import in_words
from twofold.pixels.views.own import identity
from twofold.resources import require, usable_cores
from twofold.runs.folder import RunFolder
from twofold.seam import Monitor, Situation
from twofold.training.distribution import make_fabric, together
from twofold.training.plan import Plan
from twofold.training.session import Session
from twofold.training.settling import plan_of
from twofold.training.warm_start import start_from
from twofold.videos.backbones import Backbone
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.jobs.learner import make_learner, store_for
from twofold.videos.jobs.model import open_videos, precision_for
from twofold.videos.jobs.online import SHOWN, OnlineKNN
from twofold.videos.jobs.samples import gallery, pretext_samples, view_samples
from twofold.videos.jobs.settle import remarks, settle
from twofold.videos.jobs.views import changes_of, find_views
from twofold.videos.options import Pretrain
from twofold.videos.reading.clips import Clips
from twofold.videos.reading.source import VideoSource
from twofold.videos.report.sections import SECTIONS
from twofold.videos.views.views import ClipViews

if TYPE_CHECKING:
    from lightning_fabric import Fabric

EVALUATIONS = 10
PLACES = {"weights": "weights_fingerprint"}


def run(composition: Composition, data: str, options: Pretrain, *, alone: bool = True) -> Path:
    """Train to the end of the plan and write the results; see `api.pretrain`. Returns the run folder.

    alone: the run is not part of a comparison, so say what to do with it.
    """
    source = open_videos(data, options)
    settings = settle(options, composition, source, data, torch.cuda.is_available())
    fabric = make_fabric(options.devices or "auto", num_nodes=options.nodes, strategy=options.strategy)
    settings = replace(settings, precision=precision_for(options.precision, fabric.device))
    plan = plan_of(settings, unit="videos", log_every=5)
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
    clips: Clips
    backbone: Backbone
    method: Any
    views: ClipViews
    inputs: InputSettings
    plan: Plan
    situation: Situation
    online: OnlineKNN | None
    fabric: Fabric


def _put_together(
    composition: Composition, data: str, settings: Pretrain, source: VideoSource, plan: Plan, fabric: Fabric
) -> Work:
    size, frames, seed = cast(int, settings.image_size), cast(int, settings.frames), settings.seed
    learner = make_learner(composition, settings, plan.length(len(source)), len(source), fabric.world_size)
    backbone, method, augmentation, pretext = learner.backbone, learner.method, learner.augmentation, learner.pretext
    backbone.notes += start_from(method, settings.weights)
    views = ClipViews(
        augmentation,
        size,
        seed=seed,
        statistics=settings.statistics,
        count=method.view_count,
        colour=settings.colour,
        pretext=pretext,
    )
    part = plan.batch_size // fabric.world_size
    pixels = part * frames * sum(12 * side**2 for side in views.sides)
    what = f"{views.count} views of {part:,} clips at a time, of {frames} frames of {size:,} px,"
    require(pixels, what, "give a smaller --image-size, --frames or --batch-size", fabric.device)
    store = store_for(source, settings, motion=pretext.motion)
    if pretext.motion:
        store.hold_motion()
    clips = Clips(
        store,
        learner.reads(settings),
        seed=seed,
        max_unreadable=settings.max_unreadable,
        workers=settings.workers,
    )
    inputs = InputSettings(
        size,
        frames,
        augmentation.stride,
        views.mean,
        views.std,
        settings.fps,
        device=fabric.device,
        precision=settings.precision,
    )
    online = None
    if source.class_count() > 1 and settings.knn_every != 0:
        every = settings.knn_every or -(-plan.length(len(source)).epochs // EVALUATIONS)
        asked = OnlineKNN(clips, inputs, every_epochs=every, seed=seed)
        online = asked if len(asked.folds.unique()) > 1 else None
    settings = replace(settings, method_options=learner.settings)
    return Work(
        composition, data, settings, clips, backbone, method, views, inputs, plan, learner.situation, online, fabric
    )


def _train(work: Work, alone: bool) -> Path:
    source, settings, clips = work.clips.source, work.settings, work.clips
    about = {"videos": len(source), "data": source.describe(), **_identity(work)}
    changed = "The data, or what makes its views," if "views" in about else "The data"
    session = Session.open(
        work.composition, work.data, settings, about, fabric=work.fabric, changed=changed, places=PLACES
    )
    folder, path = session.folder, session.path
    session.announce(_header(work))
    if session.first and not (path / "views.npz").exists():
        folder.save_arrays("views", **view_samples(clips, work.views, work.method, settings.seed))
    monitors: list[Monitor] = [work.online] if work.online else []
    outcome = session.train(work.method, clips, work.views, work.plan, monitors, SHOWN)
    folder.list_unreadable(clips.unreadable)
    if clips.unreadable:
        folder.warn(_unreadable(clips, folder))
    for line in clips.lost():
        folder.warn(line)
    if session.first and not (outcome.finished_before and (path / BACKBONE_FILE).exists()):
        folder.save_arrays("gallery", **gallery(work.backbone, clips, work.inputs, settings.seed))
        with by_itself():  # the others have ended, and a task's losses gather from them
            asked = pretext_samples(clips, work.views, work.method, settings.seed, work.fabric.device)
        if asked:
            folder.save_arrays("pretext", **asked)
        if work.online:
            _measure(folder, work.online, work)
        facts: dict[str, Any] = {"stride": work.inputs.stride, "fps": settings.fps, "precision": settings.precision}
        facts |= {"classes": source.classes}
        mean, std, name = work.views.mean, work.views.std, work.composition.name
        save_backbone(work.backbone, path / BACKBONE_FILE, mean=mean, std=std, method=name, facts=facts)
        advice = f"backbone: {path / BACKBONE_FILE}; use it with: twofold evaluate {path} DATA --test TEST"
        session.finish(SECTIONS, advice if alone else "")
    elif session.first:
        session.finish_again(SECTIONS)
    folder.close()
    return path


def _identity(work: Work) -> dict[str, str]:
    """What the data and the first weights are, wherever they lie."""
    source, weights = work.clips.source, work.settings.weights
    views = work.settings.views
    found = {**identity(views, find_views(views), source.fingerprint()), "stamp": source.stamp()}
    if weights not in ("random", "torchvision"):
        found["weights_fingerprint"] = file_digest(weights_file(weights))
    return found


def _header(work: Work) -> Iterator[str]:
    clips, settings, device = work.clips, work.settings, work.fabric.device
    yield f"data: {clips.source.describe()}; {clips.describe()}"
    yield from clips.source.notes
    sampling = work.views.augmentation.sampling
    yield from remarks(clips.store, sampling, work.views.pretext, settings.fps)
    yield f"backbone: {work.backbone.describe()}"
    rate = f" at {settings.fps:g} frames/s" if settings.fps else ""
    shape = f"{sampling.describe()}{rate}, {settings.image_size} px"
    yield f"views: {work.method.view_count} of {shape} by {settings.views}{in_words(changes_of(settings))}"
    yield f"engine: {work.fabric.world_size} x {device.type}, {settings.precision}"
    yield from work.plan.describe(len(clips))
    yield from work.method.notes(work.situation)
    classes = clips.source.class_count()
    if classes < 2:
        yield f"{'one class only' if classes else 'no labels found'}: no kNN during the run."
    elif work.online is None and settings.knn_every != 0:
        yield "one video of each class, or one source only: no kNN during the run."


def _unreadable(clips: Clips, folder: RunFolder) -> str:
    broken = clips.unreadable
    return (
        f"{len(broken):,} of {len(clips):,} videos could not be read and others stood in for them: "
        f"{by_reason(broken)}; all are in {folder.path / 'unreadable.txt'}."
    )


def _measure(folder: RunFolder, online: OnlineKNN, work: Work) -> None:
    """kNN of the finished backbone beside its floors, printed and kept."""
    reached = online.accuracy(online.features(work.backbone))
    numbers = {work.composition.name: reached, **(online.floors(work.backbone) if work.settings.floors else {})}
    settings, source = f"k {online.k}, {online.inputs.describe()}", work.clips.source
    entry = {"protocol": "knn", "settings": settings, "seed": work.settings.seed, "data": source.path}
    entry |= {"conditions": _conditions(work), "fingerprints": {"data": source.fingerprint()}}
    folder.add_evaluation(
        {**entry, "metric": metric, "name": name, "value": value, "floor": i > 0}
        for i, (name, found) in enumerate(numbers.items())
        for metric, value in found.items()
    )
    shown = ", ".join(f"{name} {found['top1']:.1%}" for name, found in numbers.items())
    folder.say(f"kNN ({settings}) on {online.count():,} videos of {source.path}, folds of the others: {shown}")


def _conditions(work: Work) -> Mapping[str, Any]:
    """What beside the settings of the kNN makes its number another one; see `runs.results.Entry`."""
    return {
        "learned from": work.clips.source.path,
        "size": f"{work.inputs.size} px",
        "precision": work.inputs.precision,
        "epochs trained": work.plan.length(len(work.clips)).epochs,
        "measured": "at the end of the run",
    }
