"""Encoders of states, the networks of soft actor-critic, and crops."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.control.nets.actor_critic import Actor, Critic, StateEncoder
from twofold.control.nets.crops import centre_crop, random_crop
from twofold.control.nets.encoders import Encoder, choose
from twofold.control.world import World
from twofold.errors import UserError


@pytest.mark.parametrize(
    ("network", "state", "width"),
    [
        ("data-efficient", (4, 84, 84), 576),
        ("canonical", (4, 84, 84), 3136),
        ("sac", (9, 84, 84), 35 * 35 * 32),
        ("grid", (4, 10, 10), 1600),
        ("mlp", (3, 4), 256),
    ],
)
def test_features_are_as_many_as_published(network, state, width):
    encoder = Encoder(state, network)
    assert encoder.width == width
    pixels = torch.zeros(2, *state, dtype=torch.uint8 if len(state) == 3 else torch.float32)
    assert encoder(pixels).shape == (2, width)


def test_pictures_count_from_0_to_1_in_any_layout():
    torch.manual_seed(0)
    encoder = Encoder((4, 84, 84), "data-efficient")
    states = torch.randint(0, 256, (3, 4, 84, 84), dtype=torch.uint8)
    plain = encoder.layers(states.float() / 255).flatten(1)
    for given in (states, states.float(), states.contiguous(memory_format=torch.channels_last)):
        assert_close(encoder(given), plain, rtol=1e-5, atol=1e-6)


def test_what_a_network_cannot_take_is_refused():
    with pytest.raises(UserError, match=r"needs larger pictures than 8 x 8: .* larger --size\.$"):
        Encoder((4, 8, 8), "data-efficient")
    pictures, vectors = World((1, 84, 84), True, 3, True), World((4,), False, 3, True)
    assert [choose("auto", w) for w in (pictures, vectors, World((1, 20, 20), True, 3, True))] == [
        "data-efficient", "mlp", "grid",
    ]  # fmt: skip
    with pytest.raises(UserError, match="does not take pictures"):
        choose("mlp", pictures)
    with pytest.raises(UserError, match="does not take vectors"):
        choose("grid", vectors)


def test_networks_of_actor_and_critic_begin_as_published():
    """Linear ones orthogonal, convolutions delta-orthogonal with ReLU's gain, biases 0, deviations of e^-10 to e^2."""
    torch.manual_seed(0)
    encoder = StateEncoder((3, 17, 17), "sac", 10)
    actor, critic = Actor(encoder.layers, 2, 10, 16), Critic(10, 2, 16)
    linear = critic.one[2].weight
    assert_close(linear @ linear.T, torch.eye(16), rtol=0, atol=1e-5)
    convolution = encoder.layers.layers[2].weight
    middle = convolution[:, :, 1, 1]
    assert_close(middle @ middle.T, 2 * torch.eye(32), rtol=0, atol=1e-5)
    assert (convolution != 0).sum() == (middle != 0).sum()  # nothing but the middle
    states = torch.randint(0, 256, (5, 3, 17, 17), dtype=torch.uint8)
    mean, log_std = actor(states)
    assert mean.shape == log_std.shape == (5, 2) and ((log_std >= -10) & (log_std <= 2)).all()
    assert all(value.shape == (5,) for value in critic(encoder(states), mean))
    assert encoder(states).mean(1).abs().max() < 1e-5  # a layer norm


def test_the_actor_has_the_critics_convolutions_and_does_not_own_them():
    """T13: the very same tensors, in the state once, and not among what the actor changes."""
    encoder = StateEncoder((3, 17, 17), "sac", 10)
    actor = Actor(encoder.layers, 2, 10, 16)
    assert actor.tied is encoder.layers
    shared = {id(p) for p in encoder.layers.parameters()}
    assert not shared & {id(p) for p in actor.parameters()}
    assert not [name for name in actor.state_dict() if "tied" in name]


def test_crops_keep_all_frames_of_a_state_together():
    """One offset a state, every one of them possible, the last included."""
    torch.manual_seed(0)
    places = torch.arange(6 * 7).reshape(1, 1, 6, 7).expand(500, 3, 6, 7) + 100 * torch.arange(3)[None, :, None, None]
    crops = random_crop(places, 4, 5)
    assert crops.shape == (500, 3, 4, 5)
    assert (crops - crops[:, :1] == 100 * torch.arange(3)[None, :, None, None]).all()
    tops, lefts = crops[:, 0, 0, 0] // 7, crops[:, 0, 0, 0] % 7
    assert set(zip(tops.tolist(), lefts.tolist(), strict=True)) == {(t, w) for t in range(3) for w in range(3)}
    assert (crops[:, 0, 3, 4] - crops[:, 0, 0, 0] == 3 * 7 + 4).all()
    assert_close(centre_crop(places, 4, 5), places[:, :, 1:5, 1:6])
    assert math.prod(random_crop(places, 6, 7).shape) == math.prod(places.shape)
