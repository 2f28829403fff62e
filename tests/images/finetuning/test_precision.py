"""VOC's average precision against its definition written out in loops, and in every odd case."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.images.finetuning.truths import detections, instances
from twofold.images.finetuning.precision import IOUS, VocScore


def score(pairs, classes=1):
    voc = VocScore(classes)
    for truth, found in pairs:
        voc.add(truth, found)
    return voc.result()


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def by_the_book(pairs, c, iou):
    """VOC 2007's code as it is described: one detection after another, by certainty."""
    found = [
        (float(s), k, b) for k, (_, f) in enumerate(pairs)
        for b, s, d in zip(f.boxes.double().tolist(), f.scores.double(), f.classes.tolist(), strict=True) if d == c
    ]  # fmt: skip
    truth = [
        [(b, bool(h)) for b, h, d in zip(t.boxes.double().tolist(), t.difficult, t.classes.tolist(), strict=True)
         if d == c]
        for t, _ in pairs
    ]  # fmt: skip
    positives = sum(not hard for objects in truth for _, hard in objects)
    taken, right, wrong, points = set(), 0, 0, []
    for _, k, box in sorted(found, key=lambda row: -row[0]):
        overlaps = [overlap(box, other) for other, _ in truth[k]]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] > iou:
            if truth[k][best][1]:
                continue
            right, wrong = (right + 1, wrong) if (k, best) not in taken else (right, wrong + 1)
            taken.add((k, best))
        else:
            wrong += 1
        points.append((right / positives, right / (right + wrong)))
    total = 0.0
    for level in np.arange(0.0, 1.1, 0.1):
        total += max([precision for recall, precision in points if recall >= level], default=0.0) / 11
    return total


def crowded(seed, pictures=6, classes=3):
    """Random truths and answers near to them; no two scores alike."""
    draws = np.random.default_rng(seed)
    pairs, scores = [], iter(draws.permutation(1000) / 1000)
    for _ in range(pictures):
        count = int(draws.integers(0, 6))
        corner, side = draws.uniform(0, 60, (count, 2)), draws.uniform(8, 40, (count, 2))
        boxes, kinds = np.concatenate([corner, corner + side], 1), draws.integers(0, classes, count)
        difficult = np.flatnonzero(draws.random(count) < 0.2).tolist()
        answers = np.concatenate([boxes + draws.normal(0, 3, (count, 4)), boxes[: count // 2], boxes[::-1] + 25])
        numbers = np.concatenate([kinds, kinds[: count // 2], kinds])
        truth = instances(boxes.tolist(), kinds.tolist(), difficult=difficult)
        pairs.append((truth, detections(answers.tolist(), numbers.tolist(), [next(scores) for _ in answers])))
    return pairs


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_the_definition_in_loops(seed):
    pairs = crowded(seed)
    found = score(pairs, classes=3).by_class
    for c in range(3):
        if not np.isnan(found[c]).any():
            for t, iou in enumerate(IOUS):
                assert found[c, t] == pytest.approx(by_the_book(pairs, c, iou), abs=1e-12)
    assert not np.isnan(found).all()


def test_it_is_the_same_in_any_order_even_where_scores_are_alike():
    pairs = [(truth, detections(f.boxes.tolist(), f.classes.tolist(), f.scores.round(decimals=1).tolist()))
             for truth, f in crowded(7, pictures=12)]  # fmt: skip
    found = score(pairs, classes=3).by_class
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(pairs))
        assert np.array_equal(score([pairs[i] for i in order], classes=3).by_class, found, equal_nan=True)


def test_the_two_coarse_values_of_one_half_found_right():
    # Two objects, one found: recall 0.5 reaches 6 of the 11 levels.
    found = score([(instances([[0, 0, 10, 10], [20, 20, 30, 30]]), detections([[0, 0, 10, 10]]))])
    assert found.mean(0.5) == pytest.approx(6 / 11)


def test_a_difficult_object_is_neither_missed_nor_false_when_found():
    truth = instances([[0, 0, 10, 10], [20, 20, 30, 30]], difficult=[1])
    assert score([(truth, detections([[0, 0, 10, 10]]))]).mean() == 1.0
    both = detections([[20, 20, 30, 30], [0, 0, 10, 10]])
    assert score([(truth, both)]).mean() == 1.0
    # Were the second one plain, half would be missed.
    plain = instances([[0, 0, 10, 10], [20, 20, 30, 30]])
    assert score([(plain, detections([[0, 0, 10, 10]]))]).mean() == pytest.approx(6 / 11)


def test_a_false_alarm_on_an_empty_picture_lowers_it():
    box = [[0, 0, 10, 10]]
    right = (instances(box), detections(box, scores=[0.5]))
    empty = (instances([]), detections(box, scores=[0.9]))
    assert score([right, (instances([]), detections([]))]).mean() == 1.0
    assert score([right, empty]).mean() == pytest.approx(0.5)


def test_no_detection_is_zero_and_no_truth_is_in_no_mean():
    box = [[0, 0, 10, 10]]
    assert score([(instances(box), detections([]))]).mean() == 0.0
    found = score([(instances(box), detections(box))], classes=2)
    assert found.mean() == 1.0
    assert np.isnan(found.by_class[1]).all()
    assert math.isnan(score([(instances([]), detections(box))]).mean())


def test_a_second_detection_of_an_object_is_false():
    box = [[0, 0, 10, 10]]
    twice = detections([*box, *box, [20, 20, 30, 30]], scores=[0.9, 0.8, 0.7])
    truth = instances([*box, [20, 20, 30, 30]])
    # Recall 1 comes at precision 2/3; up to 0.5 it is 1.
    assert score([(truth, twice)]).mean() == pytest.approx((6 + 5 * 2 / 3) / 11)


def test_the_three_numbers_have_names():
    box = instances([[0, 0, 10, 10]])
    found = score([(box, detections([[0, 0, 10, 6]]))]).named("voc07-11pt")
    # IoU 0.6: right at 0.5 and 0.55, not at 0.6, which is not above it.
    assert found == {"voc07-11pt-AP": pytest.approx(0.2), "voc07-11pt-AP50": 1.0, "voc07-11pt-AP75": 0.0}


def test_float_boxes_are_not_rounded():
    truth = instances([[45.7, 3.2, 60.1, 20.9]])
    assert score([(truth, detections(truth.boxes.tolist()))]).mean() == 1.0
    assert torch.equal(truth.boxes, torch.tensor([[45.7, 3.2, 60.1, 20.9]]))
