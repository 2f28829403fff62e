"""RCRL: its fixed point, its reach, its numbers, and both forms of its loss."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from twofold.control.lesson import lesson_of
from twofold.control.methods.curl import CURL
from twofold.control.methods.rainbow import Rainbow
from twofold.control.methods.rcrl import RCRL, RCRLHead
from twofold.control.objectives import told_apart
from twofold.control.world import World
from twofold.errors import UserError
from twofold.seam import Progress, Situation

from ..small import GRID, Life, run_agent

SMALL = {"hidden": 16, "atoms": 11, "n_step": 3}
NOW = Progress(0, 10)


def make(*additions) -> Rainbow:
    torch.manual_seed(0)
    return Rainbow(GRID, additions=additions, **SMALL)


def test_the_fixed_point_of_z_learning():
    """T5: four pairs with known probabilities of their bins. Trained on every combination as often as it comes, the
    discriminator is 1 - sum over k of p_k q_k."""
    quarters = torch.tensor([[4, 0, 0], [2, 2, 0], [1, 1, 2], [0, 1, 3]])
    bins = [[k for k in range(3) for _ in range(row[k])] for row in quarters.tolist()]
    rows = [
        (i, j, float(one != other))
        for i, j in itertools.product(range(4), repeat=2)
        for one, other in itertools.product(bins[i], bins[j])
    ]
    first, second, different = (torch.tensor(column) for column in zip(*rows, strict=True))
    torch.manual_seed(0)
    head = RCRLHead(4, World((4,), False, 2, True), projects=False)
    optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)

    def scores(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        z = head(torch.eye(4), torch.zeros(4, dtype=torch.long))
        return head.score(z[one], z[other])

    for _ in range(400):
        optimizer.zero_grad()
        told_apart(scores(first, second), different).backward()
        optimizer.step()
    p = quarters.double() / 4
    grid = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    found = scores(grid[:, 0], grid[:, 1]).sigmoid().view(4, 4).detach()
    assert_close(found.double(), 1 - p @ p.T, rtol=0, atol=0.03)


def test_scores_are_the_same_in_either_order():
    torch.manual_seed(0)
    head = RCRLHead(8, GRID)
    one, other = torch.randn(5, head.dim), torch.randn(5, head.dim)
    assert_close(head.score(one, other), head.score(other, one))
    assert not torch.allclose(head.score(one, other), head.score(one, one))


def test_embeddings_know_the_action_unless_they_are_not_to():
    torch.manual_seed(0)
    features, actions = torch.randn(1, 8).expand(3, 8), torch.arange(3)
    for projects in (True, False):
        z = RCRLHead(8, GRID, projects=projects)(features, actions)
        assert z.shape == (3, 128 if projects else 50)
        assert not torch.allclose(z[0], z[1])
    z = RCRLHead(8, GRID, use_action=False)(features, actions)
    assert torch.equal(z[0], z[1])


@pytest.mark.parametrize("form", ["binary", "bce", "infonce"])
def test_the_gradient_reaches_the_encoder_and_nothing_of_the_agent(form):
    """T8: the convolutions and the additions' own heads; neither the heads of Q, nor twins, nor the target."""
    agent = make(RCRL(form=form), CURL())
    batch = Life(agent).experience()
    terms, _ = agent.terms(batch.states, lesson_of(batch.views()), NOW)
    (terms["rcrl"].value + terms["curl"].value).backward()
    reached = {name for name, p in agent.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {"backbone.layers.0.weight", "backbone.layers.2.weight"} <= {
        name.replace("network.encoder", "backbone") for name in reached
    }
    assert any("auxiliaries.0.head.embed" in name for name in reached)
    assert any("auxiliaries.1.head" in name for name in reached)
    assert not [name for name in reached if "network.head" in name or "twin" in name or name.startswith("target")]


@pytest.mark.parametrize("form", ["binary", "infonce"])
def test_the_gap_of_cosines_grows(form):
    """T6: anchors come nearer to their positives than to their negatives, on pairs that were never learned from."""
    agent = make(RCRL(form=form, count=64, weight=1.0))
    life = Life(agent, before=0)
    for _ in range(390):
        life.live(lambda *_: np.asarray((life.game.t // 3) % 3))  # the action that pays, so that time tells the return
    optimizer = torch.optim.Adam([p for p in agent.parameters() if p.requires_grad], lr=1e-3)

    def gap(number: int) -> float:
        life.batches = number
        batch = life.experience()
        _, numbers = agent.terms(batch.states, lesson_of(batch.views()), Progress(number, 100))
        assert numbers["rcrl_pairs"] > 32
        return (numbers["rcrl_near"] - numbers["rcrl_far"]).item()

    before = gap(1000)
    for number in range(60):
        life.batches = number
        batch = life.experience()
        terms, _ = agent.terms(batch.states, lesson_of(batch.views()), Progress(number, 100))
        optimizer.zero_grad()
        terms["rcrl"].value.backward()
        optimizer.step()
        agent.move_twins()
    assert gap(1000) > before + 0.1


def test_the_binary_loss_by_hand():
    agent = make(addition := RCRL())
    batch = Life(agent).experience()
    pairs = batch.pairs["rcrl"]
    terms, numbers = agent.terms(batch.states, lesson_of(batch.views()), NOW)
    with torch.no_grad():
        sides = [(pairs.anchor, pairs.anchor_action), (pairs.positive, pairs.positive_action),
                 (pairs.negative, pairs.negative_action)]  # fmt: skip
        anchor, positive, negative = (addition.head(agent.encoder(s), a) for s, a in sides)
        same, other = (addition.head.score(anchor, z).sigmoid() for z in (positive, negative))
    wanted = torch.cat([same.square(), (other - 1).square()]).mean()
    assert_close(terms["rcrl"].value.detach(), wanted, rtol=1e-4, atol=1e-6)
    assert_close(numbers["rcrl_near"], F.cosine_similarity(anchor, positive).mean(), rtol=1e-4, atol=1e-5)
    assert_close(numbers["rcrl_far"], F.cosine_similarity(anchor, negative).mean(), rtol=1e-4, atol=1e-5)


def test_infonce_never_parts_what_may_have_one_return():
    """Pitfall 2: the loss does not change with keys that are not certainly different, and does with those that are."""
    agent = make(RCRL(form="infonce"))
    batch = Life(agent).experience()
    pairs = batch.pairs["rcrl"]
    fewer = pairs.different.clone()
    fewer[: len(fewer) // 2] = False

    def loss(different: torch.Tensor) -> float:
        lesson = replace(lesson_of(batch.views()), pairs={"rcrl": replace(pairs, different=different)})
        return agent.terms(batch.states, lesson, NOW)[0]["rcrl"].value.item()

    assert loss(fewer) < loss(pairs.different)
    assert loss(torch.zeros_like(fewer)) == 0


def test_twins_follow():
    agent = make(RCRL(form="infonce"), CURL())
    agent.momentum = 0.9
    modules = [(agent.twin_encoder, agent.encoder)] + [(a.twin_head, a.head) for a in agent.additions]
    with torch.no_grad():
        for _, own in modules:
            for parameter in own.parameters():
                parameter.add_(1.0)
    before = [[p.clone() for p in twin.parameters()] for twin, _ in modules]
    agent.after_step(NOW)
    for old, (twin, own) in zip(before, modules, strict=True):
        for was, now, learned in zip(old, twin.parameters(), own.parameters(), strict=True):
            assert_close(now, 0.9 * was + 0.1 * learned)
            assert not now.requires_grad


@pytest.mark.parametrize("rewards", ["sparse", "dense"])
def test_without_pairs_the_loss_is_left_out(rewards, tmp_path):
    """T3: a threshold of 0, or nothing earned; the run goes on, without a term, and nothing is NaN."""
    agent = make(RCRL(rewards=rewards, threshold=0.0))
    life = Life(agent, before=300 if rewards == "dense" else 30)
    batch = life.experience()
    assert not batch.pairs
    agent.before_step(NOW)
    losses = agent(batch.views(), NOW)
    assert set(losses.terms) == {"td"} and losses.scalars["rcrl_pairs"] == 0
    outcome = run_agent(tmp_path / "run", agent, 4, life)
    assert outcome.metrics["loss"] == pytest.approx(outcome.metrics["loss"])


def test_its_draws_leave_the_agents_alone():
    """T7: what comes after it draws as if it had not been there."""
    agent = make(CURL())
    batch = Life(agent).experience()
    torch.manual_seed(3)
    agent.terms(batch.states, lesson_of(batch.views()), NOW)
    first = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(first, torch.rand(4))


def test_settings():
    situation = Situation(count=10, batch_size=4)
    settings = {"weight": None, "form": "infonce"}
    assert RCRL.fit_to(situation, settings) == {"weight": 0.1} == {"weight": RCRL(form="infonce").weight}
    assert RCRL.fit_to(situation, settings | {"weight": 2.0}) == {} and RCRL().weight == 1
    with pytest.raises(UserError, match="at least 2 anchors"):
        RCRL(count=1)
    index = RCRL(gamma=0.9, bins=3, threshold=2.0).index(100, dense=True)
    assert (index.rewards, index.gamma, index.bins, index.threshold, index.capacity) == ("dense", 0.9, 3, 2.0, 100)
    assert RCRL().index(100, dense=False).rewards == RCRL(rewards="sparse").index(100, dense=True).rewards == "sparse"
