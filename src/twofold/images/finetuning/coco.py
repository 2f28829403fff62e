"""COCO's average precision by its own tools, from complete dictionaries of ours: own ids, areas counted anew."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from twofold.errors import UserError
from twofold.images.finetuning.precision import Detections, Precision, mean_of
from twofold.images.labels.records import Instances

USUAL_CAP = 100  # detections an image, of COCO, detectron2 and torchvision
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}


@dataclass(frozen=True)
class Tools:
    """One of the two packages that count as COCO does; they give equal numbers."""

    name: str
    COCO: Any
    COCOeval: Any
    mask: Any


_PLACES = {
    "pycocotools": ("pycocotools.coco:COCO", "pycocotools.cocoeval:COCOeval", "pycocotools.mask"),
    "faster_coco_eval": ("faster_coco_eval:COCO", "faster_coco_eval:COCOeval_faster", "faster_coco_eval.core.mask"),
}


def tools(name: str | None = None) -> Tools:
    """The package of this name, or the first that is installed. Raises UserError where there is none."""
    for package in [name] if name else list(_PLACES):
        with contextlib.suppress(ImportError):
            coco, evaluator, mask = _PLACES[package]
            return Tools(package, _named(coco), _named(evaluator), importlib.import_module(mask))
    raise UserError("Average precision as COCO counts it needs an extra: pip install 'twofold[dense]'.")


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def run_lengths(masks: Tensor, package: Tools) -> list[Mapping[str, Any]]:
    """bool (n, H, W) masks as COCO's run lengths, one each."""
    if not len(masks):
        return []
    return list(package.mask.encode(np.asfortranarray(masks.numpy().astype(np.uint8).transpose(1, 2, 0))))


@dataclass(frozen=True)
class CocoResult:
    """precision: by class and IoU. by_size: the same mean for small, medium and large objects; nan where none is in
    the test set."""

    precision: Precision
    by_size: dict[str, float]

    def named(self, prefix: str) -> dict[str, float]:
        """{"prefix-AP", "prefix-AP50", "prefix-AP75", "prefix-AP-small", ...}."""
        sizes = {f"{prefix}-AP-{size}": value for size, value in self.by_size.items()}
        return self.precision.named(prefix) | sizes


class CocoScore:
    """Takes in truth and detections picture by picture; `result` is the same in any order of the pictures.

    kind: "bbox", or "segm" for masks. cap: detections an image that are looked at, at least as many as were kept. An
    object's size is the area of its mask, or of its box where the data has no masks. "difficult" objects count like all
    others; crowds as COCO does.
    """

    def __init__(self, classes: int, kind: str = "bbox", cap: int = USUAL_CAP, package: Tools | None = None) -> None:
        self.classes, self.kind, self.cap, self.tools = classes, kind, cap, package or tools()
        self.sizes: dict[str, tuple[int, int]] = {}
        self.truth: dict[str, list[dict[str, Any]]] = {}
        self.found: dict[str, list[dict[str, Any]]] = {}

    def add(self, name: str, size: tuple[int, int], truth: Instances, found: Detections) -> None:
        """One picture by its unique name; size: (height, width)."""
        wanted = _entries(truth.boxes, truth.classes)
        for entry, area, crowd in zip(wanted, truth.areas.tolist(), truth.crowd.tolist(), strict=True):
            entry.update(area=area, iscrowd=int(crowd))
        answers = _entries(found.boxes, found.classes)
        for entry, score in zip(answers, found.scores.tolist(), strict=True):
            entry.update(area=entry["bbox"][2] * entry["bbox"][3], iscrowd=0, score=score)
        if self.kind == "segm":
            if truth.masks is None or found.masks is None:
                raise UserError(f"{name} has boxes only, no masks: use faster-rcnn, or data with masks.")
            for entry, mask in zip(wanted, run_lengths(truth.masks, self.tools), strict=True):
                entry["segmentation"] = mask
            for entry, mask in zip(answers, found.masks, strict=True):
                entry.update(segmentation=mask, area=float(self.tools.mask.area(mask)))
        self.sizes[name], self.truth[name], self.found[name] = size, wanted, answers

    def result(self) -> CocoResult:
        """The average precisions; 0 where nothing was found."""
        with contextlib.redirect_stdout(io.StringIO()):  # the tools print tables
            counted = self.tools.COCOeval(self._set(self.truth), self._set(self.found), self.kind)
            counted.params.maxDets = [1, min(10, self.cap), self.cap]
            counted.evaluate()
            counted.accumulate()
        precision = np.asarray(counted.eval["precision"], dtype=np.float64)[..., -1]  # IoU, recall, class, size
        precision = np.where(precision < 0, np.nan, precision).mean(1).transpose(2, 1, 0)
        by_size = {size: mean_of(precision[1 + i].mean(1)) for i, size in enumerate(SIZES)}
        return CocoResult(Precision(precision[0]), by_size)

    def _set(self, by_name: Mapping[str, list[dict[str, Any]]]) -> Any:
        """The truth or what was found, with every key that the tools may ask for."""
        images: list[dict[str, Any]] = []
        entries: list[dict[str, Any]] = []
        for i, name in enumerate(sorted(by_name), 1):
            height, width = self.sizes[name]
            images.append({"id": i, "file_name": name, "height": height, "width": width})
            # Ids from 1 on: the tools take 0 for "not matched".
            entries += [{**e, "id": k, "image_id": i} for k, e in enumerate(by_name[name], len(entries) + 1)]
        made = self.tools.COCO()
        made.dataset = {
            "info": {},
            "licenses": [],
            "images": images,
            "annotations": entries,
            "categories": [{"id": c + 1, "name": str(c)} for c in range(self.classes)],
        }
        made.createIndex()
        return made


def _entries(boxes: Tensor, classes: Tensor) -> list[dict[str, Any]]:
    corners: Sequence[Sequence[float]] = boxes.double().tolist()
    return [
        {"bbox": [left, top, right - left, bottom - top], "category_id": c + 1}
        for (left, top, right, bottom), c in zip(corners, classes.tolist(), strict=True)
    ]


def cap_for(counts: Sequence[int]) -> int:
    """Detections an image to keep: COCO's 100, or where the data has images with more objects, as many again as the
    fullest of them has."""
    most = max(counts, default=0)
    return USUAL_CAP if most <= USUAL_CAP else 2 * most
