"""Points found in another picture: against loops, perfect on a shifted copy, at chance on noise."""

from __future__ import annotations

import math

import pytest
import torch
from PIL import Image

from tests.images.dense.tiny import PLAIN, Noise
from twofold.images.dense.grid import Axis, Grid
from twofold.images.dense.keypoints import keypoints, near_share, sought
from twofold.images.dense.maps import RawPixels
from twofold.images.dense.pairs import PointPair

SHIFT = 16


def pairs(folder, count, shifted):
    """Pairs of smooth noise: the target a copy shifted by 16 px, or another picture."""
    draws = torch.Generator().manual_seed(0)
    found = []
    for i in range(count):
        coarse = 255 * torch.rand(1, 3, 8, 12, generator=draws)
        source = torch.nn.functional.interpolate(coarse, (64, 96), mode="bilinear")[0]
        other = torch.randint(0, 256, (3, 64, 96), generator=draws)
        target = source.roll(SHIFT, 2) if shifted else other
        paths = []
        for name, picture in (("a", source), ("b", target)):
            path = folder / f"{i}{name}.png"
            Image.fromarray(picture.permute(1, 2, 0).to(torch.uint8).numpy()).save(path)
            paths.append(str(path))
        cells = torch.rand(5, 2, generator=draws, dtype=torch.float64) * torch.tensor([8.0, 6.0])
        points = 8 * (cells.floor() + 1) + 3.5  # the centres of cells of 8 px
        found.append(PointPair(*paths, points, points + torch.tensor([float(SHIFT), 0.0]), 80.0))
    return found


def test_a_shifted_copy_is_found_and_noise_is_at_chance(tmp_path):
    told = []
    mapper = RawPixels(PLAIN, 4, 1.5)
    found = keypoints(mapper, pairs(tmp_path, 4, True), on_progress=lambda *done: told.append(done))
    assert found.by_point > 0.8 and (found.points, found.pairs) == (20, 4) and told[-1] == (4, 4)
    noise = keypoints(Noise(), pairs(tmp_path, 60, False))
    spread = math.sqrt(noise.chance / noise.points)
    assert abs(noise.by_point - noise.chance) < 4 * spread and noise.chance < 0.04


def test_the_pixel_most_alike_against_loops():
    draws = torch.Generator().manual_seed(1)
    grid = Grid(Axis(20, 16, 2, 8, 3.5), Axis(31, 24, 3, 8, 3.5))
    source, target = torch.randn(2, 4, 2, 3, generator=draws)
    points = torch.tensor([[3.0, 5.0], [30.0, 19.0]], dtype=torch.float64)
    found = sought((source, grid), (target, grid), points)
    whole = grid.enlarge(source)
    for (x, y), answer in zip(points.long().tolist(), found.tolist(), strict=True):
        vector = whole[:, y, x]
        cosine = torch.tensor(
            [[torch.cosine_similarity(vector, target[:, i, j], dim=0) for j in range(3)] for i in range(2)]
        )
        best = grid.enlarge(cosine)
        assert best[int(answer[1]), int(answer[0])] == pytest.approx(best.max().item(), abs=1e-5)


def test_the_reach_is_alpha_times_the_longer_side(tmp_path):
    made = pairs(tmp_path, 2, True)
    mapper = RawPixels(PLAIN, 2, 0.5)
    wide = keypoints(mapper, made, alpha=10.0)
    assert wide.by_point == wide.by_pair == wide.chance == 1
    assert keypoints(mapper, made, alpha=1e-6).by_point < 0.2


def test_the_share_of_pixels_near_a_point():
    grid = Grid(Axis(9, 9, 1, 8, 3.5), Axis(7, 7, 1, 8, 3.5))
    point = torch.tensor([2.3, 4.0], dtype=torch.float64)
    near = sum(math.hypot(x - 2.3, y - 4) <= 2.5 for y in range(9) for x in range(7))
    assert near_share(point, 2.5, grid) == near / 63
