"""SCRL against the official code: boxes by replaying its draws, RoIAlign, heads and loss, momentum, crops."""

import itertools

import numpy as np
import pytest
import torch
from small import fill, tensors
from torch.testing import assert_close

from twofold.methods.byol import teacher_momentum
from twofold.methods.regions import Rules, iou, region_pairs
from twofold.methods.scrl import pool
from twofold.nets.features import Grid
from twofold.nets.heads import mlp
from twofold.objectives.regression import normalised_squared_error
from twofold.pixels.views.apply import render
from twofold.pixels.views.augmentations import Crop, Flip, Normalise
from twofold.pixels.views.draw import Drawn
from twofold.seam import Geometry


def geometry(rows):
    """Crops (n, 5), y, x, height, width, flipped, as a Geometry."""
    top, left, height, width, flipped = torch.as_tensor(rows).double().unbind(1)
    return Geometry(torch.stack([left, top, left + width, top + height], 1), flipped > 0, torch.zeros(len(rows), 2))


@pytest.mark.parametrize("mode", ["default", "random", "noreject", "jitter"])
def test_boxes_by_replayed_draws(golden, mode):
    file = golden("dense_scrl")
    ratio = float(file["jitter_ratio"]) if f"box_{mode}_jitterfactors" in file else 0.0
    grid, overlap = bool(file[f"box_{mode}_grid"]), float(file[f"box_{mode}_iou"])
    rules = Rules(int(file["boxes_per_image"]), int(file["min_size"]), grid, overlap, ratio)
    stored = iter(file[f"box_{mode}_draws"])
    factors = iter(file[f"box_{mode}_jitterfactors"]) if ratio else itertools.repeat(np.ones(4))

    def draw(low, high):
        expected_low, expected_high, value = next(stored)
        assert low.tolist() == [expected_low] and high.tolist() == [expected_high]
        return torch.tensor([int(value)])

    def draws(images, box, attempt):
        return draw, lambda: (torch.as_tensor(next(factors))[None] - 1) / (2 * ratio) + 0.5

    first, second = geometry(file["transf1"]), geometry(file["transf2"])
    count = len(file["transf1"])
    found = [
        region_pairs(first.rows(slice(i, i + 1)), second.rows(slice(i, i + 1)), int(file["input_size"]), rules, draws)
        for i in range(count)
    ]
    assert next(stored, None) is None
    image = torch.cat([regions.image + i for i, regions in enumerate(found)]).double()[:, None]
    boxes = [torch.cat([getattr(regions, view) for regions in found]) for view in ("first", "second")]
    wanted = [torch.as_tensor(file[f"box_{mode}_v{view}"]).double() for view in (1, 2)]
    assert_close(torch.cat([image, boxes[0]], 1), wanted[0], rtol=0, atol=2e-5)
    assert_close(torch.cat([image + count, boxes[1]], 1), wanted[1], rtol=0, atol=2e-5)


def test_intersection_over_union(golden):
    file = golden("dense_scrl")
    first, second = (torch.as_tensor(file[f"iou_{x}"]) for x in "ab")
    assert_close(iou(first, second), torch.as_tensor(file["iou"]))


def rois(file):
    return [torch.as_tensor(file[f"box_default_v{view}"]) for view in (1, 2)]


def test_roi_align_and_its_gradient(golden):
    file = golden("dense_scrl")
    map = torch.tensor(file["roi_feat"], requires_grad=True)
    assert int(file["roi_output_size"]) == 1 and int(file["roi_sampling_ratio"]) == -1
    stride, aligned = 1 / float(file["roi_spatial_scale"]), bool(file["roi_aligned"])
    grid = Grid(*map.shape[2:], stride, (stride - 1) / 2 if aligned else 0.0)
    made = torch.cat([pool(map, boxes[:, 0].long(), boxes[:, 1:].double(), grid) for boxes in rois(file)])
    assert_close(made.detach(), torch.as_tensor(file["roi_out"]), rtol=1e-5, atol=1e-5)
    made.square().sum().backward()
    assert_close(map.grad, torch.as_tensor(file["roi_grad_feat"]), rtol=1e-4, atol=1e-4)


def test_heads_and_loss(golden):
    file = golden("dense_scrl")
    settings = {"eps": float(file["bn_eps"]), "momentum": float(file["bn_momentum"])}

    def head(prefix):
        state = {k[len("net.") :]: v.double() if v.is_floating_point() else v for k, v in tensors(file, prefix).items()}
        first, last = state["0.weight"], state["3.weight"]
        return fill(mlp([first.shape[1], len(first), len(last)], last_bias=False), state, **settings)

    projector, target, predictor = (head(prefix) for prefix in ("proj.", "projT.", "pred."))
    rows = torch.tensor(file["head_h_online"]).double().requires_grad_()
    predictions = predictor(projector(rows))
    with torch.no_grad():
        targets = target(torch.as_tensor(file["head_h_target"]).double())
    assert_close(predictions.detach().float(), torch.as_tensor(file["head_p_online"]), rtol=1e-4, atol=1e-5)
    assert_close(targets.float(), torch.as_tensor(file["head_z_target"]), rtol=1e-4, atol=1e-5)
    (p1, p2), (z1, z2) = predictions.chunk(2), targets.chunk(2)
    one, other = normalised_squared_error(p1, z2), normalised_squared_error(p2, z1)
    assert_close(one.detach().float(), torch.as_tensor(file["loss_per_pair"]), rtol=1e-4, atol=1e-5)
    loss = one.mean() + other.mean()
    assert_close(loss.detach().float(), torch.as_tensor(file["loss"]), rtol=1e-5, atol=1e-6)
    loss.backward()
    assert_close(rows.grad.float(), torch.as_tensor(file["grad_h_online"]), rtol=1e-3, atol=1e-6)
    assert_close(
        predictor[0].weight.grad.float(), torch.as_tensor(file["grad_pred.net.0.weight"]), rtol=1e-3, atol=1e-6
    )
    for name, made in (("proj", projector), ("projT", target), ("pred", predictor)):
        after = torch.as_tensor(file[f"after_{name}.net.1.running_mean"])
        assert_close(made[1].running_mean.float(), after, rtol=1e-4, atol=1e-6)


def test_the_momentum_of_the_teacher(golden):
    for start, total, step, wanted in golden("dense_scrl")["ema_schedule"]:
        assert teacher_momentum(start, step / total) == pytest.approx(wanted, abs=1e-9)


def test_crops(golden):
    """Pillow rounds to bytes between its two passes: half a level or so of 255."""
    file = golden("dense_scrl")
    cases = [key[: -len("_transf")] for key in file if key.startswith("aug") and key.endswith("_transf")]
    assert cases
    picture = torch.as_tensor(file["aug_img"]).permute(2, 0, 1)[None]
    statistics = tuple(file["aug_mean"]), tuple(file["aug_std"])
    for case in cases:
        top, left, height, width, flipped = (float(v) for v in file[f"{case}_transf"])
        applied = torch.tensor([True])
        steps = (
            Drawn(Crop(interpolation="bicubic"), applied, torch.tensor([[left, top, width, height]])),
            Drawn(Flip(), torch.tensor([flipped > 0]), torch.zeros(1, 0)),
            Drawn(Normalise(), applied, torch.zeros(1, 0)),
        )
        size = torch.tensor([picture.shape[2:]])
        (view,) = render(picture, size, steps, int(file["aug_input_size"]), statistics, False)
        off = (
            (view - torch.as_tensor(file[f"{case}_view"]))
            * torch.as_tensor(file["aug_std"]).float()[:, None, None]
            * 255
        )
        assert off.abs().mean() < 0.5 and off.abs().max() < 2.5, (case, off.abs().mean(), off.abs().max())
