"""Mixtures of images pixel by pixel; Beta draws against their distribution function."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.methods.mixing import beta, blend, own_share, paste, region


def images(count=3, height=5, width=7, seed=0):
    return torch.rand(count, 2, height, width, generator=torch.Generator().manual_seed(seed))


def test_blend():
    a, b, ratio = images(), images(seed=1), torch.tensor([0.0, 0.25, 1.0])
    mixed = blend(a, b, ratio)
    for i, r in enumerate(ratio.tolist()):
        assert_close(mixed[i], r * a[i] + (1 - r) * b[i])
    assert_close(blend(a, b, torch.tensor([0.3], dtype=torch.float64)), 0.3 * a + 0.7 * b)


def test_boxes_are_clipped_and_their_share_is_what_is_left():
    ratio, centre = torch.tensor([0.5, 0.0, 1.0]).double(), torch.tensor([[0, 6], [2, 3], [2, 2]])
    boxes = region((5, 7), ratio, centre)
    # int(5 sqrt(.5)) = 3, int(7 sqrt(.5)) = 4: halves of 1 and 2 around (0, 6).
    assert boxes.tolist() == [[0, 4, 1, 7], [0, 0, 4, 6], [2, 2, 2, 2]]
    assert own_share(boxes, (5, 7)).tolist() == pytest.approx([1 - 3 / 35, 1 - 24 / 35, 1.0])


def test_paste_takes_the_box_of_each_image_and_nothing_else():
    a, b = images(), images(seed=1)
    boxes = torch.tensor([[0, 4, 1, 7], [0, 0, 4, 6], [2, 2, 2, 2]])
    mixed = paste(a, b, boxes)
    for i, (top, left, bottom, right) in enumerate(boxes.tolist()):
        for y in range(5):
            for x in range(7):
                inside = top <= y < bottom and left <= x < right
                assert torch.equal(mixed[i, :, y, x], (b if inside else a)[i, :, y, x])
    assert torch.equal(paste(a, b, boxes[:1])[1, :, 0, 4:], b[1, :, 0, 4:])


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.0, 8.0])
def test_beta_draws_have_the_distribution(alpha):
    uniform = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    drawn = beta(uniform, alpha)
    grid = [(k + 0.5) / 200_000 for k in range(200_000)]
    scale = math.gamma(2 * alpha) / math.gamma(alpha) ** 2 / 200_000
    for u, x in zip(uniform[::7].tolist(), drawn[::7].tolist(), strict=True):
        below = scale * sum((g * (1 - g)) ** (alpha - 1) for g in grid[: round(x * 200_000)])
        assert below == pytest.approx(u, abs=0.01 if alpha < 1 else 1e-3)
    assert_close(drawn, 1 - drawn.flip(0), rtol=0, atol=1e-3)
