"""Cells: which of them match, where they lie in the picture, and what is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.methods.cells import at, distances, matches
from twofold.methods.densecl import DenseCL
from twofold.methods.dsc import DSC
from twofold.methods.moco import MoCo
from twofold.nets.features import Grid
from twofold.seam import Geometry, Views

from .small import NOW, Tiny, made


def test_matches_are_the_nearest_cells_of_the_same_image():
    torch.manual_seed(0)
    queries, keys = (F.normalize(torch.randn(3, cells, 5), dim=2) for cells in (4, 6))
    found = matches(queries, keys)
    for b in range(3):
        for i in range(4):
            similar = [float(queries[b, i] @ keys[b, j]) for j in range(6)]
            assert found[b, i] == similar.index(max(similar))
            assert torch.equal(at(keys, found)[b, i], keys[b, found[b, i]])


def test_how_far_cells_lie_apart_in_the_picture():
    # A view of the whole picture of 40 x 40 px, and one of its upper left quarter, mirrored; 8 x 8 px, 4 x 4 cells.
    whole, quarter = torch.tensor([[0.0, 0, 40, 40]]), torch.tensor([[0.0, 0, 20, 20]])
    source = torch.tensor([[40.0, 40]])
    geometry = [Geometry(box, torch.tensor([turned]), source) for box, turned in ((whole, False), (quarter, True))]
    views = Views([torch.zeros(1, 3, 8, 8)] * 2, geometry, torch.arange(1))
    patches = Grid(4, 4, 2.0, 0.5)
    far = distances(views, 0, 1, patches)[0]
    # Whole: cell centres at 5, 15, 25, 35. Quarter, mirrored: 17.5, 12.5, 7.5, 2.5. Ten pixels are a coarser cell.
    across = [[abs(a - b) / 10 for b in (17.5, 12.5, 7.5, 2.5)] for a in (5, 15, 25, 35)]
    down = [[abs(a - b) / 10 for b in (2.5, 7.5, 12.5, 17.5)] for a in (5, 15, 25, 35)]
    for i in range(16):
        for j in range(16):
            expected = max(across[i % 4][j % 4], down[i // 4][j // 4])
            assert far[i, j] == pytest.approx(expected, abs=1e-5)
    assert distances(views, 0, 1, patches, pooled=2).shape == (1, 4, 4)


@pytest.mark.parametrize("name", ["densecl", "dsc"])
def test_what_cannot_be_compared_is_refused(name):
    class Single(Tiny):
        grid = Grid(1, 1, 32.0, 0.0)

    class Flat(Tiny):
        map_width, grid = None, None

    from ..tiny import make

    with pytest.raises(UserError, match="single cell: give a larger --image-size, or a --stem that shrinks less"):
        make(f"moco+{name}", Single())
    with pytest.raises(UserError, match=rf"or with a ResNet --method\.{name}\.feature_stage 3"):
        make(f"moco+{name}", Single())
    with pytest.raises(UserError, match="This backbone has no stages as ResNets have: leave feature_stage at 0"):
        made("moco", [DenseCL(feature_stage=3) if name == "densecl" else DSC(feature_stage=3)])
    with pytest.raises(UserError, match="different stages of one map"):
        made("moco", [DenseCL(feature_stage=3), DSC()])
    with pytest.raises(UserError, match="this backbone gives none; use a ResNet or a ViT"):
        make(f"moco+{name}", Flat())
    with pytest.raises(UserError, match=f"BYOL has none; use moco\\+{name}"):
        made(f"byol+{name}")
    with pytest.raises(UserError, match="a single cell"):
        made("moco", [DenseCL(grid=1)])


SMALL = {"queue": 16, "dim": 8, "key_bn": "split", "groups": 2}


def resnet(side=32):
    torch.manual_seed(0)
    return build_backbone("resnet10", image_size=side, stem="imagenet")


def views_of_pictures(side=32, batch=4):
    drawn = torch.Generator().manual_seed(2)
    return Views([torch.randn(batch, 3, side, side, generator=drawn) for _ in range(2)], [], torch.arange(batch))


@pytest.mark.parametrize("addition", [DenseCL, DSC])
def test_cells_of_an_earlier_stage_where_the_last_map_has_one(addition):
    with pytest.raises(UserError, match="a single cell"):
        MoCo(resnet(), additions=[addition()], **SMALL)
    method = MoCo(resnet(), additions=[addition(feature_stage=3)], **SMALL)
    seen = {}
    for branch in (method.student, method.teacher):
        branch.backbone.network.layer3.register_forward_hook(lambda layer, _, out: seen.update({layer: out}))
    record = method.observe(views_of_pictures(), NOW)
    plain = MoCo(resnet(), **SMALL).observe(views_of_pictures(), NOW)
    for looks, others, branch in (
        (record.student, plain.student, method.student),
        (record.teacher, plain.teacher, method.teacher),
    ):
        (look,), (other,) = looks.values(), others.values()
        assert look.map.shape == (4, 256, 2, 2) and other.map.shape == (4, 512, 1, 1)
        assert torch.equal(look.feature, other.feature)
        rows = {tuple(row.tolist()) for row in seen[branch.backbone.network.layer3].flatten(1).detach()}
        assert {tuple(row.tolist()) for row in look.map.flatten(1).detach()} == rows
    method.judge(record).total.backward()
    dense = method.additions[0].dense
    assert dense.head.layers[0].in_features == 256 and dense.head.layers[0].weight.grad.abs().max() > 0
    assert method.backbone.network.layer4[0].conv1.weight.grad.abs().max() > 0  # by the whole images' term


def test_on_an_earlier_stage_lambda_0_is_moco_bit_for_bit():
    found = []
    for additions in ([], [DenseCL(weight=0.0, feature_stage=3)]):
        torch.manual_seed(0)
        method = MoCo(resnet(), additions=additions, **SMALL)
        method.before_step(NOW)
        method(views_of_pictures(), NOW).total.backward()
        method.after_step(NOW)
        own = {k: p.grad for k, p in method.named_parameters() if p.grad is not None}
        found.append(
            {
                **{k: v for k, v in method.state_dict().items() if "additions" not in k},
                **{f"d{k}": v for k, v in own.items()},
            }
        )
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
