"""Agents and what is laid over them: who learns from what, and what changes nothing (T6 to T9, T12, T13)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from twofold.control.methods.curl import CURL
from twofold.control.methods.logged import Logged
from twofold.control.methods.rcrl import RCRL
from twofold.control.world import World
from twofold.errors import UserError
from twofold.randomness import generator
from twofold.seam import Progress
from twofold.training.distribution import make_fabric
from twofold.training.optimizer import build_optimizer
from twofold.training.plan import Plan
from twofold.training.step import Updates

from ..counting import BODY, GAME, batch, filled, rainbow, sac, updated

ADDITIONS = {
    "rcrl": lambda: [RCRL(count=8)],
    "rcrl-bins": lambda: [RCRL(count=8, positives="bin")],
    "rcrl-infonce": lambda: [RCRL(count=8, form="infonce")],
    "curl": lambda: [CURL()],
    "curl+rcrl": lambda: [CURL(), RCRL(count=8, form="bce", positives="mix")],
}


def own(agent):
    """What an agent has without what is laid over it."""
    laid = ("auxiliaries.", "twin_encoder.")
    return {name: value for name, value in agent.state_dict().items() if not name.startswith(laid)}


@pytest.mark.parametrize("make", [rainbow, sac])
@pytest.mark.parametrize("name", ADDITIONS)
def test_every_composition_learns(make, name):
    torch.manual_seed(0)
    agent = make(*ADDITIONS[name]())
    before = copy.deepcopy(agent.state_dict())
    losses = updated(agent, filled(agent, 600))
    assert all(torch.isfinite(found.total) for found in losses)
    assert set(name.replace("-bins", "").replace("-infonce", "").split("+")) <= set(losses[0].terms)
    changed = [key for key, value in agent.state_dict().items() if not torch.equal(value, before[key])]
    assert any(key.startswith("backbone.") for key in changed)
    assert any(key.startswith("auxiliaries.") for key in changed)


@pytest.mark.parametrize("make", [rainbow, sac])
def test_t7_t9_a_weight_of_0_changes_nothing(make):
    """The control "-sa": the head is there, its loss is not. Parameters, priorities and draws are the agent's alone."""
    results = []
    for additions in ((), (RCRL(weight=0.0), CURL(weight=0.0))):
        torch.manual_seed(0)
        agent = make(*additions)
        replay = filled(agent, 300)
        updated(agent, replay)
        results.append((own(agent), replay.priority.copy()))
    (alone, priorities), (beside, others) = results
    assert alone.keys() == beside.keys()
    assert all(torch.equal(alone[name], beside[name]) for name in alone)
    np.testing.assert_array_equal(priorities, others)


def test_t9_priorities_are_of_the_agents_own_loss():
    torch.manual_seed(0)
    plain, laid = rainbow(), rainbow(RCRL(count=8))
    laid.load_state_dict(plain.state_dict(), strict=False)
    for agent in (plain, laid):
        agent.network.head.resample(generator(0, "noise"))
    each = [agent(batch(filled(agent), agent).views(), Progress(0, 10)).each for agent in (plain, laid)]
    assert torch.equal(each[0], each[1])


@pytest.mark.parametrize("form", ["binary", "bce", "infonce"])
def test_t8_the_auxiliary_gradient_reaches_the_encoder_and_nothing_of_the_agent(form):
    torch.manual_seed(0)
    agent = rainbow(RCRL(count=8, form=form), CURL())
    drawn = batch(filled(agent, 600), agent)
    terms, _ = agent.terms(drawn.states, drawn.views().task, Progress(0, 10))
    sum(term.value for term in terms.values()).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in agent.backbone.parameters())
    untouched = [*agent.network.head.parameters(), *agent.target.parameters(), *agent.twin_encoder.parameters()]
    assert all(p.grad is None for p in untouched)
    for addition in agent.additions:
        twin = getattr(addition, "twin_head", torch.nn.Identity())
        assert all(p.grad is None for p in twin.parameters())


def test_t6_the_gap_of_cosines_grows_where_returns_can_be_told():
    """Frames in which the height of a line tells the return: soon moments of the same return are nearer than others."""
    torch.manual_seed(0)
    agent = Logged(GAME, additions=[RCRL(count=16)])
    replay = filled(agent, 600)
    returns = (replay.segments.total - replay.segments.gained)[:600]
    height = ((returns - returns.min()) / np.ptp(returns) * 11).round()
    line = np.arange(12)[:, None] == height[:, None, None, None]
    replay.frames[:600] = np.where(line, 255, 0).repeat(12, axis=3)
    losses = updated(agent, replay, steps=80)
    gaps = [float(found.scalars["rcrl_near"] - found.scalars["rcrl_far"]) for found in losses]
    assert np.mean(gaps[-20:]) > np.mean(gaps[:20]) + 0.3


def test_the_same_moments_in_either_order_are_as_different():
    head = rainbow(RCRL()).additions[0].head
    one, other = torch.randn(4, head.dim), torch.randn(4, head.dim)
    assert_close(head.score(one, other), head.score(other, one))


def test_an_embedding_knows_the_action_unless_asked_not_to():
    agent = rainbow(RCRL())
    features = torch.randn(2, agent.backbone.width)
    head = agent.additions[0].head
    assert not torch.equal(head(features, torch.tensor([0, 1])), head(features, torch.tensor([2, 1])))
    without = rainbow(RCRL(use_action=False)).additions[0].head
    assert torch.equal(without(features, torch.tensor([0, 1])), without(features, torch.tensor([2, 1])))


def test_t13_the_actor_leaves_the_encoder_alone_and_shares_its_convolutions():
    torch.manual_seed(0)
    agent = sac()
    assert agent.actor.tied is agent.encoder.layers
    assert not any(name.startswith("actor.tied") or "actor._tied" in name for name in agent.state_dict())
    drawn = batch(filled(agent), agent)
    views = drawn.views()
    agent.update("critic", views, Progress(0, 10))
    agent.zero_grad(set_to_none=True)
    agent.update("actor", views, Progress(0, 10)).total.backward()
    assert all(p.grad is None for p in agent.encoder.parameters())
    assert any(p.grad is not None for p in agent.actor.parameters())
    agent.zero_grad(set_to_none=True)
    agent.update("critic", drawn.views(), Progress(0, 10)).total.backward()
    assert all(p.grad is not None for p in agent.encoder.parameters())
    assert all(p.grad is None for p in [*agent.target_encoder.parameters(), *agent.target_critic.parameters()])


def test_the_rhythm_of_sac():
    """Field note 11: of 10 updates the targets move at 5 and the actor at 5, encoder by 0.05 and heads by 0.01."""
    torch.manual_seed(0)
    agent = sac()
    replay, moved, acted = filled(agent), 0, 0
    plan = Plan(batch_size=8, steps=10, optimizer="adam", lr=1e-3, weight_decay=0.0, schedule="constant")
    fabric = make_fabric(1)
    updates = Updates(agent, build_optimizer(agent, plan), plan, fabric, print)
    for step in range(10):
        before = copy.deepcopy(agent)
        updates(batch(replay, agent, seed=step).views(), Progress(step, 10), 1e-3)
        agent.after_step(Progress(step, 10))
        target, was = next(agent.target_critic.parameters()), next(before.target_critic.parameters())
        if not torch.equal(target, was):
            moved += 1
            assert_close(target, was.lerp(next(agent.critic.parameters()), 0.01))
            encoder = next(agent.target_encoder.parameters())
            assert_close(encoder, next(before.target_encoder.parameters()).lerp(next(agent.encoder.parameters()), 0.05))
        acted += not torch.equal(next(agent.actor.parameters()), next(before.actor.parameters()))
    assert (moved, acted) == (5, 5)


def test_the_temperature_stays_above_0():
    """Field note 25: 1,000 steps with a constant error."""
    agent = sac(temperature_lr=0.1)
    optimizer = torch.optim.Adam([agent.log_temperature], 0.1)
    agent.entropy_gap = torch.tensor(5.0)
    for _ in range(1000):
        agent._learn_temperature(None).total.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert agent.log_temperature.exp() >= 0
    assert torch.isfinite(agent.log_temperature)
    assert agent.alarms({"temperature": 1e-6})
    assert "bounds" in agent.alarms({"saturated": 0.95})[0]
    assert not agent.alarms({"temperature": 0.1, "saturated": 0.5})


def test_curl_over_sac_compares_two_crops():
    agent = sac(CURL())
    states = batch(filled(agent), agent).states
    torch.manual_seed(0)
    one, other = (agent.additions[0]._views(agent, states) for _ in range(2))
    assert one.shape[-1] == 17
    assert not torch.equal(one, other)


def test_the_target_is_copied_when_it_is_due():
    torch.manual_seed(0)
    agent = rainbow(target_every=3)
    replay = filled(agent)
    updated(agent, replay, steps=2)
    assert not torch.equal(agent.target.encoder.layers[0].weight, agent.network.encoder.layers[0].weight)
    updated(agent, replay, steps=3)
    assert torch.equal(agent.target.encoder.layers[0].weight, agent.network.encoder.layers[0].weight)


def test_the_target_is_that_of_double_learning():
    """The network that learns chooses, its copy values: one row by hand."""
    torch.manual_seed(0)
    agent = rainbow(n_step=1)
    drawn = batch(filled(agent), agent, size=4)
    now = Progress(3, 10)
    found = agent._target(drawn.after, drawn.gain, drawn.discount, now)
    agent.target.head.resample(now.generator("target noise"))
    with torch.no_grad():
        for row in range(4):
            logits = agent.network(drawn.after[row : row + 1])[0]
            best = int((logits.softmax(1) * agent.support).sum(1).argmax())
            p = agent.target(drawn.after[row : row + 1])[0, best].softmax(0)
            atoms = (drawn.gain[row] + drawn.discount[row] * agent.support).clamp(-10, 10)
            value = (p * atoms).sum().item()
            assert (found[row] * agent.support).sum().item() == pytest.approx(value, abs=1e-3)


def test_t12_a_finished_agent_plays_without_noise():
    agent, state = rainbow(), np.random.default_rng(0).integers(0, 256, GAME.state).astype(np.uint8)
    agent.train()
    explored = {int(agent.act(state, generator(seed, "act"), explore=True)) for seed in range(60)}
    agent.eval()
    played = [int(agent.act(state, generator(seed, "act"), explore=False)) for seed in range(20)]
    assert len(set(played)) == 1
    assert explored
    body, seen = sac().eval(), np.random.default_rng(0).integers(0, 256, BODY.state).astype(np.uint8)
    actions = [body.act(seen, generator(seed, "act"), explore=explore) for seed in (0, 1) for explore in (True, False)]
    assert not np.array_equal(actions[0], actions[2])
    np.testing.assert_array_equal(actions[1], actions[3])
    assert np.abs(np.stack(actions)).max() < 1


@pytest.mark.parametrize("make", [rainbow, sac])
def test_an_agent_taken_up_acts_alike(make):
    one, other = make(), make()
    other.load_state_dict(one.state_dict())
    state = np.random.default_rng(0).integers(0, 256, one.world.state).astype(np.uint8)
    for explore in (True, False):
        acted = [agent.act(state, generator(3, "act"), explore=explore) for agent in (one.train(), other.train())]
        np.testing.assert_array_equal(*acted)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(UserError, match="give sac"):
        rainbow(world=BODY)
    with pytest.raises(UserError, match="give rainbow"):
        sac(world=GAME)
    with pytest.raises(UserError, match="leave it out"):
        rainbow(CURL(), world=World((6,), False, 3, True))
    with pytest.raises(UserError, match="low below high"):
        rainbow(low=5.0, high=-5.0)


def test_returns_beyond_the_support_are_told():
    agent = rainbow(low=-1.0, high=1.0)
    drawn = batch(filled(agent), agent)
    drawn.gain[:] = 7.0
    losses = agent(drawn.views(), Progress(0, 10))
    assert losses.scalars["beyond_support"] == 1
    assert "--method.high" in agent.alarms({"beyond_support": 1.0})[0]
