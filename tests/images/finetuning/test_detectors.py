"""The detectors are torchvision's, over every kind of backbone, and see what `embed` sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.images.finetuning.situations import GIVEN, MEAN, STD, tiny_detection
from tests.images.finetuning.starts import start
from tests.images.finetuning.truths import instances
from twofold.errors import UserError
from twofold.images.finetuning.detectors import build_detector
from twofold.images.finetuning.presets import DETECTION
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views.views import evaluation_view


def made(name="resnet10", preset=None, *, masks=False, stem="auto", cap=100, given=GIVEN):
    torch.manual_seed(0)
    return build_detector(start(name, stem=stem), preset or tiny_detection(), 2, masks=masks, cap=cap, given=given)


def seen_by(model, layer, pictures):
    """What reaches a layer when pictures are tested."""
    kept = []
    handle = layer.register_forward_pre_hook(lambda module, given: kept.append(given[0]))
    with torch.no_grad():
        model.eval()(pictures)
    handle.remove()
    return kept[0]


def test_a_picture_of_480_x_360_reaches_the_backbone_at_320_px_normalised_once():
    draws = torch.Generator().manual_seed(0)
    noise = torch.rand(3, 360, 480, generator=draws)
    picture = (noise * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)).clamp(0, 1)
    model = made(preset=replace(DETECTION["quick"], channels=16, hidden=32))
    seen = seen_by(model, model.backbone.body.inner.conv1, [picture])
    assert seen.shape == (1, 3, 320, 448)  # 427 wide, padded to whole cells of 32
    inside = seen[..., :426]
    assert abs(float(inside.mean()) - 0.5) < 0.1  # noise is 0..1; normalised twice it would be about -1.5
    assert abs(float(seen[..., 428:].abs().max())) == 0


def test_the_backbone_sees_exactly_what_embed_sees():
    pixels = torch.randint(0, 256, (3, 64, 96), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    batch = ImageBatch(torch.tensor([0]), pixels[None], torch.tensor([[64, 96]]))
    known = evaluation_view(batch, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    model = made(given=replace(GIVEN, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)))
    seen = seen_by(model, model.backbone.body.inner.conv1, [pixels.float() / 255])
    assert torch.allclose(seen, known, atol=1e-5)


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("name", ["quick", "coco-fpn-1x", "voc-c4-24k"])
def test_every_head_learns_and_reaches_every_weight(name, masks):
    model = made(preset=tiny_detection(name, channels=16, hidden=32), masks=masks)
    objects = instances([[4, 4, 20, 20], [30, 30, 60, 50]], [0, 1])
    shapes = torch.zeros(2, 64, 64, dtype=torch.uint8)
    shapes[0, 4:20, 4:20] = shapes[1, 30:50, 30:60] = 1
    target = {"boxes": objects.boxes, "labels": objects.classes + 1} | ({"masks": shapes} if masks else {})
    losses = model([torch.rand(3, 64, 64)] * 2, [target] * 2)
    assert ("loss_mask" in losses) == masks
    sum(losses.values()).backward()
    silent = {n for n, p in model.named_parameters() if p.grad is None}
    assert not silent
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > 10
    assert all(norm.weight.requires_grad and norm.training for norm in norms)
    with torch.no_grad():
        (found,) = model.eval()([torch.rand(3, 50, 80)])
    assert set(found) == {"boxes", "labels", "scores"} | ({"masks"} if masks else set())
    if masks:
        assert found["masks"].shape[1:] == (1, 50, 80)


def test_c4_is_composed_of_the_backbones_stages_and_one_extra_norm():
    model = made("resnet50", DETECTION["voc-c4-24k"])
    body, head = model.backbone.body.inner, model.roi_heads.box_head.stage
    assert body.stages == ("layer1", "layer2", "layer3")
    assert model.backbone.out_channels == 1024
    own = start("resnet50").state
    assert torch.equal(head.layer4[2].conv3.weight, own["layer4.2.conv3.weight"])
    assert torch.equal(body.layer3[5].conv3.weight, own["layer3.5.conv3.weight"])
    assert head.norm.num_features == 2048
    assert model.roi_heads.box_roi_pool.output_size == (14, 14)
    assert model.rpn.anchor_generator.sizes == ((32, 64, 128, 256, 512),)
    assert model.rpn.head.cls_logits.out_channels == 15


def test_fpn_of_the_1x_preset_has_norms_in_pyramid_and_heads():
    model = made("resnet50", DETECTION["coco-fpn-1x"], masks=True)
    for part, count in ((model.backbone.fpn, 8), (model.roi_heads.box_head, 4), (model.roi_heads.mask_head, 4)):
        assert sum(isinstance(m, nn.BatchNorm2d) for m in part.modules()) == count
    assert (model.transform.min_size, model.transform.max_size) == ((640, 672, 704, 736, 768, 800), 1333)
    assert model.rpn.anchor_generator.sizes == ((32,), (64,), (128,), (256,), (512,))


@pytest.mark.parametrize(
    ("name", "stem", "maps"),
    [("resnet10", "imagenet", 4), ("resnet10", "stl", 3), ("resnet10", "cifar", 2), ("convnet", "auto", 1)],
)
def test_any_backbone_has_five_levels_from_four_pixels_on(name, stem, maps):
    model = made(name, stem=stem)
    with torch.no_grad():
        levels = model.backbone(torch.zeros(1, 3, 64, 96))
    assert tuple(levels["0"].shape[2:]) == ((8, 12) if name == "convnet" else (16, 24))
    assert len(levels) == 5
    assert len(model.backbone.names) == maps


def test_a_vit_of_14_px_patches_is_brought_to_a_power_of_two():
    import timm

    if not timm.is_model("vit_tiny_patch16_224"):
        pytest.skip("no such model")
    from twofold.images.backbones import build_backbone
    from twofold.images.finetuning.bodies import start_of

    vit = start_of(build_backbone("timm:vit_small_patch14_dinov2", image_size=56), "vit")
    model = build_detector(vit, tiny_detection(), 2, masks=False, cap=100, given=GIVEN)
    assert seen_by(model, model.backbone.body, [torch.rand(3, 64, 64)]).shape == (1, 3, 224, 224)
    with torch.no_grad():
        assert model.backbone(torch.zeros(1, 3, 224, 224))["0"].shape[2:] == (14, 14)


def test_c4_refuses_what_has_no_stages_in_words():
    with pytest.raises(UserError, match="needs a ResNet, whose last stage becomes the head"):
        made("convnet", tiny_detection("voc-c4-24k"))


def test_the_cap_is_raised_everywhere_a_detection_could_be_lost():
    model = made(cap=1148)
    assert model.roi_heads.detections_per_img == 1148
    model.eval()
    assert model.rpn.post_nms_top_n() == model.rpn.pre_nms_top_n() == 1148
