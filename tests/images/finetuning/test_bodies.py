"""The body is the backbone: every weight arrives, a missing one is an error, dilation keeps what strides computed."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from tests.images.finetuning.starts import backbone, start
from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.images.finetuning.bodies import (
    Stages,
    body_of,
    dilate,
    is_residual,
    pad_to_cells,
    random_start,
    start_of,
    supervised_start,
)

X = torch.linspace(-2, 2, 3 * 96 * 128).reshape(1, 3, 96, 128).sin()


def last(body, x=X):
    with torch.no_grad():
        return list(body.eval()(x).values())[-1]


@pytest.mark.parametrize("name", ["resnet10", "convnet", "timm:resnet18"])
def test_its_last_map_is_the_backbones(name):
    body = body_of(start(name))
    with torch.no_grad():
        assert torch.allclose(last(body), backbone(name)(X).map, atol=1e-6)


@pytest.mark.parametrize(
    ("stem", "strides"), [("imagenet", [4, 8, 16, 32]), ("stl", [2, 4, 8, 16]), ("cifar", [1, 2, 4, 8])]
)
def test_strides_are_those_of_the_stem(stem, strides):
    body = body_of(start(stem=stem))
    assert list(body.strides.values()) == strides
    assert list(body.channels.values()) == [64, 128, 256, 512]


@pytest.mark.parametrize("name", ["resnet10", "resnet50", "timm:resnet18"])
@pytest.mark.parametrize(("most", "step"), [(16, 2), (8, 4)])
def test_a_dilated_map_holds_the_strided_one_and_the_cells_between(name, most, step):
    plain, wide = body_of(start(name)), body_of(start(name))
    dilate(wide, most)
    assert list(wide.strides.values())[-1] == most
    found, known = last(wide), last(plain)
    assert found.shape[2] == known.shape[2] * step
    assert torch.allclose(found[:, :, ::step, ::step], known, atol=1e-4)


def test_the_contract_pattern_of_resnet50_is_torchvisions():
    from torchvision.models.segmentation import fcn_resnet50

    theirs = fcn_resnet50(weights=None, weights_backbone=None, num_classes=2, aux_loss=False).backbone
    body = body_of(start("resnet50"))
    dilate(body, 8)
    layers = [
        {n: (m.stride, m.dilation, m.padding) for n, m in net.named_modules() if isinstance(m, torch.nn.Conv2d)}
        for net in (theirs, body.inner)
    ]
    assert layers[0] == layers[1]
    theirs.load_state_dict(body.inner.state_dict())  # the very same names


def test_a_small_stem_is_dilated_only_as_far_as_needed():
    body = body_of(start(stem="cifar"))
    before = last(body)
    dilate(body, 8)
    assert torch.equal(last(body), before)


def test_pooling_in_shortcuts_is_refused_in_words():
    body = body_of(start("timm:resnet26d"))
    with pytest.raises(UserError, match="pools in its shortcuts"):
        dilate(body, 8)


def test_a_missing_key_is_an_error_that_names_it(tmp_path):
    whole = dict(backbone().network.state_dict())
    torch.save(whole, tmp_path / "whole.pt")
    found = supervised_start(backbone(), "supervised", str(tmp_path / "whole.pt"))
    assert torch.equal(last(body_of(found)), last(body_of(start())))
    # mmsegmentation's "V1c" stem: other names, so a plain checkpoint's stem would silently stay random.
    del whole["conv1.weight"]
    torch.save(whole, tmp_path / "no_stem.pt")
    with pytest.raises(UserError, match=r"no_stem.pt lacks 1 of the backbone's weights \(conv1.weight\)"):
        supervised_start(backbone(), "supervised", str(tmp_path / "no_stem.pt"))
    with pytest.raises(UserError, match=r"lacks 1 of the backbone's weights \(conv1.weight\)"):
        body_of(replace(start(), state=whole))
    with pytest.raises(UserError, match=r"lacks 1 of the backbone's weights \(conv1.weight\)"):
        body_of(replace(start(), state={**whole, "conv1.weight": torch.zeros(64, 3, 3, 3)}))


def test_every_weight_of_the_backbone_is_in_the_body():
    own, body = backbone().network.state_dict(), body_of(start()).inner.state_dict()
    assert own.keys() == body.keys()
    assert all(torch.equal(own[name], body[name]) for name in own)


def test_random_weights_are_a_function_of_the_seed_alone():
    first, again, other = (random_start(backbone(), "untrained", seed).state for seed in (0, 0, 1))
    assert torch.equal(first["conv1.weight"], again["conv1.weight"])
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(first["conv1.weight"], backbone().network.conv1.weight)


def test_a_vit_takes_other_sizes_and_its_map_covers_padded_cells():
    vit = build_backbone("timm:vit_tiny_patch16_224", image_size=64).eval()
    body = body_of(start_of(vit, "vit"))
    assert (body.cell, list(body.strides.values())) == (16, [16])
    assert last(body, torch.zeros(1, 3, 50, 70)).shape == (1, 192, 4, 5)
    square = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(last(body, square), vit(square).map, atol=1e-5)


def test_a_backbone_of_one_size_is_refused_in_words():
    fixed = build_backbone("torchvision:vit_b_16", image_size=32)
    with pytest.raises(UserError, match="does not take pictures of any size and shape"):
        body_of(start_of(fixed, "vit"))


def test_a_network_that_only_looks_like_a_resnet_is_run_as_its_owner_does():
    strange = copy.deepcopy(backbone())
    assert is_residual(strange)
    run = strange._features
    strange._features = lambda network, x: run(network, x.flip(3))
    assert not is_residual(strange)
    body = body_of(start_of(strange, "strange"))
    assert list(body.strides) == ["map"]
    with torch.no_grad():
        assert torch.allclose(last(body), strange(X).map, atol=1e-6)


def test_padding_continues_the_picture():
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    padded = pad_to_cells(x, 5)
    assert padded.shape == (1, 1, 5, 5)
    assert torch.equal(padded[:, :, :3, :4], x)
    assert torch.equal(padded[0, 0, 3], torch.tensor([4.0, 5, 6, 7, 6]))
    assert pad_to_cells(x, 1) is x


def test_the_body_in_half_precision_gives_float32():
    body = body_of(start(), precision="bf16")
    assert last(body).dtype == torch.float32
    assert not torch.equal(last(body), last(body_of(start())))
    assert isinstance(body.inner, Stages)
