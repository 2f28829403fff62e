"""Scores of a segmentation: against loops over pixels in plain Python."""

from __future__ import annotations

import pytest
import torch

from tests.images.dense.tiny import labelled
from twofold.images.evaluation.iou import Confusion, majority_scores, pair_counts
from twofold.images.labels.records import IGNORE

CLASSES = ("sky", "road", "tree", "never")


def masks(seed, shape):
    draws = torch.Generator().manual_seed(seed)
    truth = torch.randint(-1, 3, shape, generator=draws).to(torch.int16)
    return truth, torch.randint(0, 4, shape, generator=draws)


def test_one_matrix_over_pictures_of_any_size_against_loops():
    matrix, pairs = Confusion(CLASSES), []
    for seed, shape in ((0, (5, 7)), (1, (11, 3)), (2, (1, 1))):
        truth, predicted = masks(seed, shape)
        matrix.add(truth, predicted)
        pairs += list(zip(truth.flatten().tolist(), predicted.flatten().tolist(), strict=True))
    pairs = [(t, p) for t, p in pairs if t != IGNORE]
    ious = []
    for c in range(4):
        both = sum(t == c and p == c for t, p in pairs)
        either = sum(t == c or p == c for t, p in pairs)
        ious.append(both / either if any(t == c for t, _ in pairs) else None)
    scores = matrix.scores()
    known = [iou for iou in ious if iou is not None]
    assert scores.miou == pytest.approx(sum(known) / len(known), abs=1e-12)
    assert list(scores.per_class.values()) == [None if iou is None else pytest.approx(iou, abs=1e-12) for iou in ious]
    assert scores.pixel_accuracy == pytest.approx(sum(t == p for t, p in pairs) / len(pairs))
    assert scores.absent == ("never",) and scores.predicted_absent == sum(p == 3 for _, p in pairs) > 0
    assert scores.pixels == len(pairs)


def test_it_is_not_the_mean_over_pictures():
    matrix = Confusion(("a", "b"))
    matrix.add(torch.zeros(10, 10, dtype=torch.int16), torch.zeros(10, 10))
    matrix.add(torch.tensor([[0, 1]], dtype=torch.int16), torch.tensor([[1, 0]]))
    assert matrix.scores().per_class == {"a": pytest.approx(100 / 102), "b": 0}


def test_a_set_without_a_true_pixel_scores_nothing():
    matrix = Confusion(("a",))
    matrix.add(torch.full((2, 2), IGNORE), torch.zeros(2, 2))
    scores = matrix.scores()
    assert (scores.miou, scores.pixels, scores.absent) == (0, 0, ("a",))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        Confusion(("a",)).add(torch.zeros(2, 3), torch.zeros(3, 2))


def test_clusters_may_be_more_than_classes():
    counts = pair_counts(torch.tensor([0, 0, 1, IGNORE]), torch.tensor([4, 4, 2, 1]), 2, 5)
    assert counts.tolist() == [[0, 0, 0, 0, 2], [0, 0, 1, 0, 0]]


def test_the_largest_training_class_as_the_answer_everywhere():
    train = [torch.tensor([[0, 0, 1, IGNORE]])]
    test = [torch.tensor([[0, 1, 1, IGNORE]])]
    picture = torch.zeros(3, 1, 4, dtype=torch.uint8)
    scores = majority_scores(labelled([picture], train, classes="ab"), labelled([picture], test, classes="ab"))
    assert scores.per_class == {"a": pytest.approx(1 / 3), "b": 0} and scores.miou == pytest.approx(1 / 6)


def test_it_is_counted_over_the_set_and_not_image_by_image():
    found = Confusion("ab")
    found.add(torch.zeros(10, 10, dtype=torch.int16), torch.zeros(10, 10, dtype=torch.int64))
    truth = torch.zeros(1, 4, dtype=torch.int16)
    truth[0, :2] = 1
    found.add(truth, torch.tensor([[0, 1, 1, 0]]))
    # Class b: one right of three in the union; class a: 101 of 103. Image by image the mean would be another.
    scores = found.scores()
    assert scores.per_class == {"a": pytest.approx(101 / 103), "b": pytest.approx(1 / 3)}
    assert scores.miou == pytest.approx((101 / 103 + 1 / 3) / 2)
    assert scores.pixel_accuracy == pytest.approx(102 / 104)


def test_ignored_pixels_do_not_count_and_absent_classes_are_named_with_what_was_answered():
    found = Confusion("abcd")
    truth = torch.tensor([[0, 0, 1, -1]], dtype=torch.int16)
    found.add(truth, torch.tensor([[0, 3, 1, 2]]))
    scores = found.scores()
    assert (scores.absent, scores.predicted_absent) == (("c", "d"), 1)
    assert scores.per_class == {"a": 0.5, "b": 1.0, "c": None, "d": None}
    assert scores.miou == 0.75


def test_a_set_where_nothing_counts_scores_0():
    found = Confusion("ab")
    found.add(torch.full((2, 2), -1), torch.zeros(2, 2, dtype=torch.int64))
    assert found.scores().miou == found.scores().pixel_accuracy == 0.0
