"""The dense protocols of `evaluate`: what each needs, and its numbers beside its floors as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from torch import Tensor

from twofold.images.dense.cluster_segmentation import OVER, cluster_segmentation
from twofold.images.dense.correspondence import correspondence, pair_maker
from twofold.images.dense.discovery import discovery, is_hit
from twofold.images.dense.keypoints import ALPHA, keypoints
from twofold.images.dense.linear_segmentation import EPOCHS, linear_segmentation
from twofold.images.dense.maps import Mapped, Mapper, MapSet
from twofold.images.dense.pairs import PointPair
from twofold.images.dense.pictures import some_pictures
from twofold.images.dense.retrieval_segmentation import (
    NEIGHBOURS,
    TEMPERATURE,
    Memory,
    like_open_hummingbird,
    retrieval_segmentation,
)
from twofold.images.dense.roi_linear import roi_linear
from twofold.images.evaluation.iou import SegmentationScores, majority_scores
from twofold.images.jobs.dense_samples import PICTURES, Samples
from twofold.images.labels.records import Labelled
from twofold.images.options import Evaluate
from twofold.images.reading import Images
from twofold.runs.screen import OnProgress

OWN_SIZE = "scored at the masks' own size"
Needs = Literal["pictures", "masks", "boxes", "pairs"]


@dataclass(frozen=True)
class Asked:
    """What the dense protocols of one command are put to. masks, boxes: pictures to learn from and to test on with such
    labels, where a protocol needs them. pictures: where labels are not needed. pairs: of marked pictures. side: of the
    views of `correspondence`, px. copies: test pictures that have a near copy among the training pictures."""

    options: Evaluate
    masks: tuple[Labelled, Labelled] | None
    boxes: tuple[Labelled, Labelled] | None
    pictures: Images | Labelled | None
    pairs: Sequence[PointPair]
    side: int
    copies: int | None

    @cached_property
    def majority(self) -> dict[str, float]:
        """What the most frequent class of the training pixels scores as the answer everywhere."""
        assert self.masks
        return _segmentation(majority_scores(*self.masks))


class Side:
    """One of those that are compared, by the maps it makes; made once for all protocols. shown: on the page."""

    def __init__(self, mapper: Mapper, asked: Asked, shown: bool = False) -> None:
        self.mapper, self.asked, self.shown = mapper, asked, shown

    def samples(self, count: int, classes: Sequence[str] = ()) -> Samples:
        """Where the answers for a few of so many pictures go; none are kept where nothing is shown."""
        return Samples(count if self.shown else 0, self.asked.options.seed, classes)

    @cached_property
    def _maps(self) -> list[MapSet]:
        known = self.asked.masks or self.asked.boxes
        assert known
        workers = self.asked.options.workers
        return [MapSet(self.mapper, part, workers=workers) for part in known]

    @cached_property
    def masks(self) -> list[MapSet]:
        """The maps of the pictures with masks, to learn from and to test on."""
        assert self.asked.masks
        return [maps.labelled(part) for maps, part in zip(self._maps, self.asked.masks, strict=True)]

    @cached_property
    def boxes(self) -> list[MapSet]:
        """The maps of the pictures with boxes."""
        assert self.asked.boxes
        return [maps.labelled(part) for maps, part in zip(self._maps, self.asked.boxes, strict=True)]


@dataclass(frozen=True)
class Measured:
    """numbers: by metric. floors: of answers without any map, by name and metric. settings: in words. more: further
    facts for evaluation.json. note: a sentence about the data that the numbers need. samples: what the page shows."""

    numbers: Mapping[str, float]
    settings: str = ""
    floors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class DenseProtocol:
    """needs: which labels. measure: one side's numbers. learns: whether from the training pictures."""

    needs: Needs
    measure: Callable[[Side, OnProgress], Measured]
    learns: bool = False


def _correspondence(side: Side, on_progress: OnProgress, colour: bool = False) -> Measured:
    asked, mapper = side.asked, side.mapper
    assert asked.pictures is not None
    seed = asked.options.seed
    views = pair_maker(mapper, asked.side, seed=seed, colour=colour)
    skip = asked.pictures.replaced if isinstance(asked.pictures, Images) else ()
    batches = some_pictures(asked.pictures, 2 * asked.side, seed, on_progress=on_progress)
    kept = side.samples(PICTURES)
    show = partial(kept.pair, mapper) if side.shown else None
    found = correspondence(mapper, batches, views, skip=skip, on_pair=show)
    return Measured(
        {"acc@1cell": found.accuracy, "median error px": found.median_error},
        f"crops of {asked.side} px, cells of {mapper.stride} px, {found.pairs} pairs",
        {"chance": {"acc@1cell": found.chance}},
        {"cells": found.cells},
        samples=kept.finished(_about(side)),
    )


def _with_colour(side: Side, on_progress: OnProgress) -> Measured:
    return _correspondence(side, on_progress, colour=True)


def _linear(side: Side, on_progress: OnProgress) -> Measured:
    options = side.asked.options
    epochs = options.epochs or EPOCHS
    train, test = side.masks
    kept = side.samples(len(test), train.data.classes)
    found = linear_segmentation(
        train,
        test,
        seed=options.seed,
        epochs=epochs,
        on_progress=on_progress,
        on_mask=partial(kept.mask, test.data),
    )
    return Measured(
        _segmentation(found.scores),
        f"{_cells(side)}, {OWN_SIZE}, {epochs} epochs, rate chosen on held-out training pictures",
        {"majority class": side.asked.majority},
        {**_facts(found.scores), "rate": found.rate},
        _absent(found.scores),
        kept.finished(_about(side)),
    )


def _retrieval(side: Side, on_progress: OnProgress) -> Measured:
    options = side.asked.options
    parity = options.compat == "open-hummingbird"
    train, test = side.masks
    if parity:
        other = side.mapper.with_inputs(like_open_hummingbird(side.mapper.inputs))
        train, test = MapSet(other, train.data), MapSet(other, test.data)
    kept = side.samples(len(test), train.data.classes)

    def show(made: Mapped, answer: Tensor, memory: Memory) -> None:
        kept.mask(test.data, made.number, answer)
        kept.looked_up(side.mapper, train.data, test.data, made, memory)

    found = retrieval_segmentation(
        train,
        test,
        seed=options.seed,
        budget=options.memory_cells,
        ignored_as_first=parity,
        on_progress=on_progress,
        on_answer=show,
    )
    how = f"{_cells(side)}, {OWN_SIZE}, {found.cells:,} cells, k {NEIGHBOURS}, T {TEMPERATURE:g}"
    return Measured(
        _segmentation(found.scores),
        f"{how}, as open-hummingbird-eval" if parity else how,
        {"majority class": side.asked.majority},
        {**_facts(found.scores), "left_out": found.left_out},
        _absent(found.scores),
        kept.finished(_about(side)),
    )


def _clusters(side: Side, on_progress: OnProgress) -> Measured:
    train, test = side.masks
    kept = side.samples(len(test), train.data.classes)
    show = partial(kept.mask, test.data)
    found = cluster_segmentation(train, test, seed=side.asked.options.seed, on_progress=on_progress, on_mask=show)
    majority = side.asked.majority["mIoU"]
    return Measured(
        {"mIoU matched": found.matched.miou, "mIoU voted": found.voted.miou},
        f"{_cells(side)}, {OWN_SIZE}, one cluster a class matched on the test masks, "
        f"{OVER} a class voted on the training masks",
        {"majority class": {"mIoU matched": majority, "mIoU voted": majority}},
        _facts(found.matched),
        _absent(found.matched),
        kept.finished(_about(side)),
    )


def _discovery(side: Side, on_progress: OnProgress) -> Measured:
    data = side.boxes[1].data
    kept = side.samples(len(data))

    def show(number: int, boxes: Tensor, true: Tensor) -> None:
        kept.boxes(data, number, boxes, true, is_hit(boxes, true))

    found = discovery(side.boxes[1], on_progress=on_progress, on_boxes=show)
    without = f", {found.without} without a box left out" if found.without else ""
    return Measured(
        {"CorLoc LOST": found.lost, "CorLoc TokenCut": found.token_cut},
        f"{_cells(side)}, {found.pictures} pictures{without}",
        {"whole picture": {"CorLoc LOST": found.whole, "CorLoc TokenCut": found.whole}},
        samples=kept.finished(_about(side)),
    )


def _keypoints(side: Side, on_progress: OnProgress) -> Measured:
    found = keypoints(side.mapper, side.asked.pairs, on_progress=on_progress)
    name = f"PCK@{ALPHA:g}"
    return Measured(
        {name: found.by_point, f"{name} by pair": found.by_pair},
        f"{_cells(side)}, {found.points:,} points of {found.pairs:,} pairs",
        {"chance": {name: found.chance}},
    )


def _regions(side: Side, on_progress: OnProgress) -> Measured:
    found = roi_linear(*side.boxes, seed=side.asked.options.seed, on_progress=on_progress)
    learned, tested = found.boxes
    return Measured(
        found.scores,
        f"{_cells(side)}, {learned:,} boxes to learn from, {tested:,} to test on",
        {"majority class": {metric: found.majority[metric] for metric in found.scores if metric in found.majority}},
    )


PROTOCOLS: dict[str, DenseProtocol] = {
    "correspondence": DenseProtocol("pictures", _correspondence),
    "correspondence-colour": DenseProtocol("pictures", _with_colour),
    "linear-segmentation": DenseProtocol("masks", _linear, learns=True),
    "retrieval-segmentation": DenseProtocol("masks", _retrieval, learns=True),
    "cluster-segmentation": DenseProtocol("masks", _clusters, learns=True),
    "discovery": DenseProtocol("boxes", _discovery),
    "keypoints": DenseProtocol("pairs", _keypoints),
    "roi-linear": DenseProtocol("boxes", _regions, learns=True),
}


def _cells(side: Side) -> str:
    return f"short side {side.mapper.inputs.size} px, cells of {side.mapper.stride} px"


def _about(side: Side) -> str:
    """On what and by which seed the answers that are shown were given."""
    asked = side.asked
    known = asked.masks or asked.boxes
    data = known[1].name if known else ""
    if not known and asked.pictures is not None:
        data = asked.pictures.source.path if isinstance(asked.pictures, Images) else asked.pictures.name
    return f"{data}, seed {asked.options.seed}, {_cells(side)}"


def _absent(scores: SegmentationScores) -> str:
    """Which classes the mean leaves out, and how many pixels were taken for one of them."""
    if not scores.absent:
        return ""
    return (
        f"mIoU leaves out what has no pixel in the test masks: {', '.join(scores.absent)}; "
        f"{scores.predicted_absent:,} of {scores.pixels:,} pixels were taken for such a class"
    )


def _segmentation(scores: SegmentationScores) -> dict[str, float]:
    return {"mIoU": scores.miou, "pixel accuracy": scores.pixel_accuracy}


def _facts(scores: SegmentationScores) -> dict[str, Any]:
    return {
        "iou": dict(scores.per_class),
        "absent": list(scores.absent),
        "predicted_absent": scores.predicted_absent,
        "pixels": scores.pixels,
    }
