"""Encoders: their sizes, that they see every pixel, crops, and files of them."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from twofold.control.nets.actor_critic import StateEncoder
from twofold.control.nets.crops import centre_crop, random_crop
from twofold.control.nets.encoders import Encoder, choose
from twofold.control.nets.saved import StatesToFeatures, load_encoder, save_encoder, untrained
from twofold.control.world import World
from twofold.errors import UserError


@pytest.mark.parametrize(("network", "state", "width"), [
    ("data-efficient", (4, 84, 84), 576),
    ("canonical", (4, 84, 84), 3136),
    ("sac", (9, 84, 84), 35 * 35 * 32),
    ("grid", (4, 10, 10), 64 * 25),
    ("mlp", (12,), 256),
])  # fmt: skip
def test_features_are_as_many_as_published(network, state, width):
    assert Encoder(state, network).width == width


@pytest.mark.parametrize("side", [4, 7, 10, 16, 17, 40, 48, 63])
def test_grid_sees_every_pixel(side):
    encoder = Encoder((1, side, side), "grid")
    picture = torch.rand(1, 1, side, side, requires_grad=True)
    for layer in encoder.layers:
        if hasattr(layer, "weight"):
            layer.weight.data.abs_()
            layer.bias.data.abs_()
    encoder.layers(picture).sum().backward()
    assert (picture.grad != 0).all()


def test_the_network_follows_the_world():
    assert choose("auto", World((1, 84, 84), True, 4, True, 4)) == "data-efficient"
    assert choose("auto", World((1, 10, 10), True, 4, True, 4)) == "grid"
    assert choose("auto", World((8,), False, 4, True)) == "mlp"
    with pytest.raises(UserError, match="does not take pictures"):
        choose("mlp", World((1, 84, 84), True, 4, True))
    with pytest.raises(UserError, match="larger pictures than 20 x 20"):
        Encoder((4, 20, 20), "canonical")


def test_crops_keep_the_frames_of_a_state_together():
    """One offset for all frames of a state, every offset equally likely."""
    torch.manual_seed(0)
    rows = torch.arange(12).view(1, 1, 12, 1).expand(400, 3, 12, 12)
    found = random_crop(rows, 9, 9)
    tops = found[:, :, 0, 0]
    assert (tops == tops[:, :1]).all()
    assert set(tops[:, 0].tolist()) == {0, 1, 2, 3}
    assert (found[:, :, :, 0] - tops[:, :, None] == torch.arange(9)).all()
    assert centre_crop(rows, 8, 8)[0, 0, 0, 0] == 2


@pytest.mark.parametrize("make", [
    lambda: (World((3, 20, 20), True, 2, False, 3), StateEncoder((9, 17, 17), "grid", 8)),
    lambda: (World((1, 12, 12), True, 3, True, 2), Encoder((2, 12, 12), "grid")),
    lambda: (World((5,), False, 3, True), Encoder((5,), "mlp", 16)),
])  # fmt: skip
def test_a_file_gives_the_same_features(tmp_path, make):
    world, network = make()
    encoder = StatesToFeatures(world, network).eval()
    states = torch.randint(0, 256, (3, *world.state)).to(torch.uint8) if world.pixels else torch.randn(3, *world.state)
    save_encoder(encoder, tmp_path / "encoder.safetensors", {"method": "rainbow"})
    found, about = load_encoder(tmp_path / "encoder.safetensors")
    assert torch.equal(found(states), encoder(states))
    assert found.world == world
    assert about["method"] == "rainbow"
    assert not torch.equal(untrained(found, 1)(states), encoder(states))


@pytest.mark.parametrize("change", [
    {"world": {"frame": [1, 12, 12], "pixels": True, "actions": 3, "discrete": True, "stack": 10**9}},
    {"world": {"frame": "x", "pixels": True, "actions": 3, "discrete": True, "stack": 1}},
    {"encoder": {"network": "os.system", "hidden": 1, "features": None, "state": [2, 12, 12]}},
    {"encoder": {"network": "mlp", "hidden": 4000, "features": None, "state": [4000, 4000]}},
    {"encoder": None},
])  # fmt: skip
def test_what_a_file_says_is_not_believed(tmp_path, change):
    world, network = World((1, 12, 12), True, 3, True, 2), Encoder((2, 12, 12), "grid")
    encoder = StatesToFeatures(world, network)
    about = {"world": {"frame": [1, 12, 12], "pixels": True, "actions": 3, "discrete": True, "stack": 2}}
    about |= {"encoder": encoder.blueprint(), **change}
    file = tmp_path / "encoder.safetensors"
    save_file(network.state_dict(), file, {name: json.dumps(value) for name, value in about.items()})
    with pytest.raises(UserError, match=r"damaged|does not hold"):
        load_encoder(file)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(UserError, match="no encoder that twofold wrote"):
        load_encoder(tmp_path / "x.safetensors")
