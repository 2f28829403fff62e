"""The segmenters: heads, output stride, borders, the size at which answers are given."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.images.finetuning.situations import GIVEN, tiny_segmentation
from tests.images.finetuning.starts import start
from twofold.images.backbones import build_backbone
from twofold.images.evaluation.iou import Confusion
from twofold.images.finetuning.bodies import start_of
from twofold.images.finetuning.presets import SEGMENTATION
from twofold.images.finetuning.segmenters import ReferenceHead, _places, answer, build_segmenter


def made(protocol="fcn", preset=None, name="resnet10"):
    torch.manual_seed(0)
    return build_segmenter(protocol, start(name), preset or tiny_segmentation(), 3, GIVEN)


@pytest.mark.parametrize("name", ["resnet10", "convnet"])
@pytest.mark.parametrize("preset", ["quick", "densecl-voc-20k", "cityscapes"])
@pytest.mark.parametrize("protocol", ["fcn", "deeplabv3"])
def test_every_head_learns_and_reaches_every_weight(protocol, preset, name):
    settings = {"window": None} if preset == "cityscapes" else {}
    model = made(protocol, tiny_segmentation(preset, **settings), name)
    assert model(torch.rand(2, 3, 40, 56)).shape == (2, 3, 40, 56)
    loss = model.loss(torch.rand(2, 3, 40, 56), torch.randint(-1, 3, (2, 40, 56)))
    loss.backward()
    assert not {n for n, p in model.named_parameters() if p.grad is None}
    assert (model.auxiliary is not None) == (preset != "quick" and name == "resnet10")


def test_the_heads_are_as_described():
    model = made("fcn", SEGMENTATION["densecl-voc-20k"], "resnet50")
    head, auxiliary = model.head, model.auxiliary
    shapes = {name: tuple(p.shape) for name, p in head.named_parameters() if p.ndim == 4}
    assert list(shapes.values()) == [(512, 2048, 3, 3), (512, 512, 3, 3), (512, 2560, 3, 3), (3, 512, 1, 1)]
    assert [tuple(p.shape) for p in auxiliary.parameters() if p.ndim == 4] == [(256, 1024, 3, 3), (3, 256, 1, 1)]
    assert head.dropout.p == auxiliary.dropout.p == 0.1
    assert list(model.body.strides.values()) == [4, 8, 8, 8]
    plain = made("fcn", replace(SEGMENTATION["quick"], stride=8), "resnet50")
    assert [tuple(p.shape) for p in plain.head.parameters() if p.ndim == 4] == [(512, 2048, 3, 3), (3, 512, 1, 1)]
    assert plain.auxiliary is None


@pytest.mark.parametrize(("stride", "rates"), [(8, (12, 24, 36)), (16, (6, 12, 18))])
def test_deeplabs_rates_follow_the_stride(stride, rates):
    model = made("deeplabv3", tiny_segmentation(stride=stride))
    found = [m.dilation[0] for m in model.head.modules() if isinstance(m, nn.Conv2d) and m.dilation != (1, 1)]
    assert tuple(found) == rates


def test_the_auxiliary_loss_has_its_weight():
    model = made("fcn", tiny_segmentation("densecl-voc-20k")).eval()
    x, truth = torch.rand(2, 3, 32, 32), torch.zeros(2, 32, 32, dtype=torch.int64)
    with torch.no_grad():
        both = float(model.loss(x, truth))
        model.preset = replace(model.preset, auxiliary=0.0)
        main = float(model.loss(x, truth))
        model.head, model.auxiliary, model.preset = model.head, None, replace(model.preset, auxiliary=0.4)
        assert float(model.loss(x, truth)) == pytest.approx(main)
    assert both > main


def test_ignored_pixels_do_not_count_and_all_ignored_is_zero():
    model = made().eval()
    x, truth = torch.rand(1, 3, 32, 32), torch.zeros(1, 32, 32, dtype=torch.int64)
    truth[:, :16] = -1
    with torch.no_grad():
        half = float(model.loss(x, truth))
        truth[:, 16:] = -1
        assert float(model.loss(x, truth)) == 0.0
    assert half > 0


class Oracle(nn.Module):
    """Logits that know the truth, at the size of the picture that is shown; counts what it is shown."""

    def __init__(self, preset):
        super().__init__()
        self.preset, self.sizes = preset, []

    def forward(self, x):
        self.sizes.append(tuple(x.shape[2:]))
        return torch.cat([1 - x[:, :1], x[:, :1]], 1)


@pytest.mark.parametrize("size", [(50, 70), (64, 64)])
@pytest.mark.parametrize("window", [None, (32, 20)])
def test_perfect_logits_are_perfect_at_the_masks_own_size_to_one_pixel_lines(size, window):
    truth = torch.zeros(size, dtype=torch.int16)
    truth[10], truth[:, 21], truth[-1], truth[:, -1] = 1, 1, 1, 1
    found, model = Confusion("ab"), Oracle(tiny_segmentation(window=window))
    found.add(truth, answer(model, truth[None, None].float().expand(1, 3, *size), size))
    assert found.scores().miou == 1.0
    if window:
        assert set(model.sizes) == {(32, 32)}
        assert len(model.sizes) > 4


def test_windows_cover_all_with_the_last_at_the_end():
    assert list(_places(100, 32, 20)) == [0, 20, 40, 60, 68]
    assert list(_places(32, 32, 20)) == [0]
    assert list(_places(20, 32, 20)) == [0]
    assert list(_places(1024, 769, 513)) == [0, 255]


def test_answers_come_at_the_size_of_the_mask_not_of_the_picture_shown():
    assert answer(made().eval(), torch.rand(1, 3, 64, 64), (50, 70)).shape == (50, 70)


def test_a_vits_border_is_answered_from_its_own_cells():
    # 50 x 70 at patches of 16: the map is 4 x 5 over 64 x 80, and its last row and column must be used.
    vit = start_of(build_backbone("timm:vit_tiny_patch16_224", image_size=64), "vit")
    model = build_segmenter("fcn", vit, tiny_segmentation(), 3, GIVEN).eval()
    marked = torch.zeros(1, 3, 4, 5)
    marked[:, 1, 3], marked[:, 2, :, 4] = 9, 9
    model.head = nn.Module()
    model.head.forward = lambda x: marked  # logits of the map, by hand
    with torch.no_grad():
        found = model(torch.rand(1, 3, 50, 70))
    assert found.shape == (1, 3, 50, 70)
    assert (found[0, 1, -1, :40] > 0).all()  # row 49 lies in the fourth row of cells, 48..63
    assert (found[0, 2, :40, -1] > 0).all()
    assert float(found[0, 1, 30, 10]) == 0


def test_the_reference_head_joins_its_input():
    head = ReferenceHead(6, 2, width=4).eval()
    x = torch.rand(1, 6, 5, 5)
    with torch.no_grad():
        for part in head.convolutions.parameters():
            part.zero_()
        assert not torch.allclose(head(x), head(torch.zeros_like(x)))
