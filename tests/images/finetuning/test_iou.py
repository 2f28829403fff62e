"""One confusion matrix over the whole test set."""

from __future__ import annotations

import pytest
import torch

from twofold.images.finetuning.iou import Confusion


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
