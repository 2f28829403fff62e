"""COCO's numbers: perfect answers are 1 in every odd case, and both packages agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.images.finetuning.test_precision import crowded
from tests.images.finetuning.truths import detections, filled, instances
from twofold.errors import UserError
from twofold.images.finetuning import coco
from twofold.images.finetuning.coco import CocoScore, cap_for, run_lengths, tools
from twofold.images.finetuning.precision import Detections

PACKAGES = ("pycocotools", "faster_coco_eval")


@pytest.fixture(params=PACKAGES)
def package(request):
    pytest.importorskip(request.param)
    return tools(request.param)


def score(pairs, package, *, classes=1, kind="bbox", cap=100, size=(100, 100)):
    found = CocoScore(classes, kind, cap, package)
    for i, (truth, answers) in enumerate(pairs):
        found.add(f"{i:04d}", size, truth, answers)
    return found.result()


def perfect(truth, package=None):
    """The truth, as answers."""
    masks = None if truth.masks is None else run_lengths(truth.masks, package)
    return Detections(truth.boxes, truth.classes, torch.linspace(0.9, 0.5, len(truth)), masks)


BOX = [[10, 10, 60, 60]]


@pytest.mark.parametrize(
    "truths",
    [
        [instances(BOX)],
        [instances(BOX), instances([])],
        [instances(BOX, [2]), instances([[1, 1, 9, 9], [20, 20, 90, 90]], [0, 2])],
        [instances([[0.5, 0.25, 1.75, 99.5]])],
        [instances(BOX * 3)],
        [instances([[3, 3, 4, 4], *BOX], crowd=[1])],
        [instances([[i % 30 * 3, i // 30 * 3, i % 30 * 3 + 2, i // 30 * 3 + 2] for i in range(150)])],
    ],
    ids=["one", "an empty picture", "absent class", "fractions", "one place", "a crowd", "150 objects"],
)
def test_perfect_answers_are_1(truths, package):
    cap = cap_for([len(t) for t in truths])
    found = score([(t, perfect(t.select(~t.crowd))) for t in truths], package, classes=3, cap=cap)
    assert found.precision.mean() == pytest.approx(1.0)


def test_a_cap_below_the_objects_bounds_it(package):
    truth = instances([[i * 3, 0, i * 3 + 2, 2] for i in range(30)])
    assert score([(truth, perfect(truth))], package, cap=10).precision.mean() < 0.4
    assert cap_for([3, 100]) == 100
    assert cap_for([574, 279]) == 1148


def test_nothing_found_is_0_and_nothing_to_be_found_is_in_no_mean(package):
    nothing = score([(instances(BOX), detections([]))], package, classes=2)
    assert nothing.precision.mean() == 0.0
    found = score([(instances(BOX), perfect(instances(BOX)))], package, classes=2)
    assert found.precision.mean() == pytest.approx(1.0)
    assert np.isnan(found.precision.by_class[1]).all()
    assert found.by_size["medium"] == pytest.approx(1.0)
    assert math.isnan(found.by_size["small"])
    empty = score([(instances([]), detections(BOX))], package)
    assert math.isnan(empty.precision.mean())


def test_no_size_without_objects_is_reported_as_a_number(package):
    found = score([(instances(BOX), detections([]))], package)
    assert {name for name, value in found.by_size.items() if math.isnan(value)} == {"small", "large"}
    assert min(v for v in found.named("coco").values() if not math.isnan(v)) >= 0


def test_false_alarms_on_empty_pictures_lower_it_in_any_order(package):
    right = (instances(BOX), detections(BOX, scores=[0.5]))
    alarm = (instances([]), detections(BOX, scores=[0.9]))
    plain = score([right, (instances([]), detections([]))], package).precision.mean()
    assert plain == pytest.approx(1.0)
    assert score([right, alarm], package).precision.mean() == pytest.approx(0.5)
    pairs = [(t, detections(f.boxes.tolist(), f.classes.tolist(), f.scores.round(decimals=1).tolist()))
             for t, f in crowded(3, pictures=8)]  # fmt: skip
    orders = [CocoScore(3, package=package) for _ in range(2)]
    for found, order in zip(orders, (range(8), reversed(range(8))), strict=True):
        for i in order:
            found.add(str(i), (100, 100), *pairs[i])
    assert orders[0].result().named("coco") == pytest.approx(orders[1].result().named("coco"), nan_ok=True, abs=0)


def test_areas_are_those_of_masks_or_of_boxes(package):
    # A box of 50 x 50 is medium; a mask in it of 10 x 50 is small.
    masks = filled([[10, 10, 20, 60]], 100, 100)
    masked = instances(BOX, masks=masks)
    assert set(known(score([(masked, perfect(masked, package))], package))) == {"small"}
    assert set(known(score([(instances(BOX), perfect(instances(BOX)))], package))) == {"medium"}


def known(result):
    return [size for size, value in result.by_size.items() if not math.isnan(value)]


def test_masks_are_scored_as_masks(package):
    boxes = [[0, 0, 40, 40], [50, 50, 90, 90]]
    truth = instances(boxes, masks=filled(boxes, 100, 100))
    assert score([(truth, perfect(truth, package))], package, kind="segm").precision.mean() == pytest.approx(1.0)
    half = run_lengths(filled([[0, 0, 40, 24], [50, 50, 90, 74]], 100, 100), package)
    shrunk = Detections(truth.boxes, truth.classes, torch.tensor([0.9, 0.8]), half)
    # IoU 0.6: right at 0.5, 0.55 and 0.6, though the boxes are perfect.
    assert score([(truth, shrunk)], package, kind="segm").precision.mean() == pytest.approx(0.3)
    none = Detections(truth.boxes[:0], truth.classes[:0], torch.zeros(0), [])
    assert score([(truth, none)], package, kind="segm").precision.mean() == 0.0


def test_masks_are_asked_for_in_words(package):
    with pytest.raises(UserError, match="has boxes only, no masks"):
        score([(instances(BOX), detections(BOX))], package, kind="segm")


def test_difficult_objects_count(package):
    truth = instances([*BOX, [70, 70, 90, 90]], difficult=[1])
    assert score([(truth, detections(BOX))], package).precision.mean() < 0.6


@pytest.mark.parametrize("seed", range(3))
def test_both_packages_give_equal_numbers(seed):
    for name in PACKAGES:
        pytest.importorskip(name)
    pairs = crowded(seed, pictures=10)
    found = [score(pairs, tools(name), classes=3) for name in PACKAGES]
    assert np.allclose(found[0].precision.by_class, found[1].precision.by_class, equal_nan=True)
    assert found[0].named("coco") == pytest.approx(found[1].named("coco"), nan_ok=True)


def test_without_a_package_it_is_said_how_to_get_one(monkeypatch):
    monkeypatch.setattr(coco, "_PLACES", {"nothing": ("no_such_package:COCO", "", "")})
    with pytest.raises(UserError, match=r"twofold\[dense\]"):
        tools()
