"""Accuracies against counts by hand."""

import pytest
import torch

from twofold.evaluation.accuracy import first_answers, majority_class


def test_unequal_classes_get_the_mean_of_their_shares():
    labels = torch.tensor([0] * 6 + [3] * 2)
    found = first_answers(torch.tensor([0] * 6 + [3, 0]), labels)
    assert found == {"top1": pytest.approx(7 / 8), "balanced": pytest.approx(0.75)}


def test_classes_of_nearly_one_size_need_no_second_number():
    assert first_answers(torch.tensor([0, 0, 0, 0, 0]), torch.tensor([0, 0, 0, 1, 1])) == {"top1": pytest.approx(0.6)}


def test_the_majority_is_that_of_what_was_learned_from():
    learned, labels = torch.tensor([2, 2, 1, 0]), torch.tensor([2, 1, 1, 1, 0])
    assert majority_class(learned, labels, 3) == {"top1": pytest.approx(0.2), "balanced": pytest.approx(1 / 3)}


def test_of_equal_classes_the_first_five_answer():
    found = majority_class(torch.arange(10), torch.arange(10), 10)
    assert found == {"top1": pytest.approx(0.1), "top5": pytest.approx(0.5)}
