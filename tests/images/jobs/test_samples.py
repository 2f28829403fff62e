"""Views of small crops are shown in a frame."""

from __future__ import annotations

import torch

from twofold.images.jobs.samples import _framed


def test_a_small_view_stands_in_the_middle_of_a_white_square():
    small, large = torch.zeros(2, 3, 4, 4), torch.rand(2, 3, 7, 7)
    framed = _framed(small, 7)
    assert framed.shape == large.shape and torch.equal(_framed(large, 7), large)
    assert framed[:, :, 1:5, 1:5].sum() == 0 and framed.sum() == 2 * 3 * (49 - 16)
