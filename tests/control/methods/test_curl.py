"""CURL over Rainbow and over soft actor-critic."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from twofold.control.lesson import lesson_of
from twofold.control.methods.curl import CURL, CURLHead
from twofold.control.methods.rainbow import Rainbow
from twofold.control.methods.sac import SAC
from twofold.control.world import World
from twofold.errors import UserError
from twofold.seam import Progress

from ..small import GRID, PLANE, Life

NOW = Progress(0, 10)


def make(kind: str, addition: CURL):
    torch.manual_seed(0)
    if kind == "rainbow":
        return Rainbow(GRID, additions=[addition], hidden=16, atoms=11, n_step=3)
    return SAC(PLANE, additions=[addition], hidden=16, features=8)


@pytest.mark.parametrize("kind", ["rainbow", "sac"])
def test_anchors_and_positives_are_two_crops_of_one_state(kind, monkeypatch):
    """Of the whole state, all its frames by one offset, and not the same crop twice."""
    agent = make(kind, addition := CURL())
    seen = []
    for network in (agent.encoder, agent.momentum_encoder):
        network.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
    batch = Life(agent).experience()
    seen.clear()
    agent.terms(batch.states, lesson_of(batch.views()), NOW)
    anchor, positive = seen
    assert anchor.shape == positive.shape == (8, *(agent.seen if kind == "sac" else GRID.state))
    assert not torch.equal(anchor.float(), positive.float())
    assert addition.weight == 1


def test_crops_over_rainbow_are_cut_padded_and_cut_back():
    """Each view is a window of the state with its border repeated: found again among all of them, for all frames."""
    agent = make("rainbow", addition := CURL(margin=2))
    states = torch.randint(0, 256, (6, 2, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for view, state in zip(addition._views(agent, states), states, strict=True):
        windows = []
        for top in range(3):
            for left in range(3):
                padded = F.pad(state[None, :, top : top + 10, left : left + 10].float(), (2,) * 4, mode="replicate")
                windows += [padded[0, :, y : y + 12, x : x + 12] for y in range(3) for x in range(3)]
        assert any(torch.equal(view, window) for window in windows)


def test_margins_are_4_of_84():
    agent = make("rainbow", CURL())
    shapes = []
    for side in (84, 42):
        states = torch.rand(1, 2, side, side)
        shapes.append(agent.additions[0]._views(agent, states).shape[-1])
    assert shapes == [84, 42]


def test_the_loss_by_hand():
    agent = make("sac", addition := CURL())
    batch = Life(agent).experience()
    crops = []
    agent.encoder.register_forward_pre_hook(lambda module, given: crops.append(given[0]))
    agent.momentum_encoder.register_forward_pre_hook(lambda module, given: crops.append(given[0]))
    terms, numbers = agent.terms(batch.states, lesson_of(batch.views()), NOW)
    anchor, positive = crops
    with torch.no_grad():
        logits = agent.encoder(anchor) @ addition.bilinear @ agent.target_encoder(positive).T
        wanted = F.cross_entropy(logits, torch.arange(8))
    assert_close(terms["curl"].value.detach(), wanted, rtol=1e-4, atol=1e-5)
    assert numbers["curl_accuracy"] == pytest.approx((logits.argmax(1) == torch.arange(8)).float().mean().item())


def test_heads_are_those_of_rainbows_paper_code():
    torch.manual_seed(0)
    head, x = CURLHead(20), torch.randn(3, 20)
    z = head(x)
    assert z.shape == (3, 128) and len(list(head.parameters())) == 4
    assert_close(z.mean(1), torch.zeros(3), rtol=0, atol=1e-5)
    assert_close(z.std(1, unbiased=False), torch.ones(3), rtol=0, atol=1e-3)
    assert make("rainbow", addition := CURL()) and addition.bilinear.shape == (128, 128)
    assert addition.bilinear.min() >= 0 and addition.bilinear.max() < 1


def test_the_agents_own_loss_sees_states_as_they_are():
    found = []
    for weight in (0.0, 1.0):
        agent = make("rainbow", CURL(weight=weight))
        agent.before_step(NOW)
        found.append(agent(Life(agent).experience().views(), NOW).terms["td"].value)
    assert torch.equal(*found)


def test_its_draws_are_a_function_of_seed_and_step():
    agent = make("rainbow", CURL())
    batch = Life(agent).experience()
    losses = [
        agent.terms(batch.states, lesson_of(batch.views()), Progress(step, 10, seed=seed))[0]["curl"].value.item()
        for step, seed in ((0, 0), (0, 0), (1, 0), (0, 1))
    ]
    assert losses[0] == losses[1] and len(set(losses)) == 3


def test_vectors_are_refused():
    with pytest.raises(UserError, match=r"crops pictures, and this environment gives vectors: leave it out\.$"):
        Rainbow(World((4,), False, 2, True), additions=[CURL()])
