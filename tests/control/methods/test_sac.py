"""Soft actor-critic: which update changes what and how often, its losses by hand, and its numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from twofold.control.methods.curl import CURL
from twofold.control.methods.rcrl import RCRL
from twofold.control.methods.sac import SAC
from twofold.control.world import World
from twofold.errors import UserError
from twofold.randomness import generator
from twofold.seam import Progress
from twofold.training.distribution import make_fabric
from twofold.training.plan import Plan
from twofold.training.step import Updates

from ..small import GRID, PLANE, Life, run_agent

SMALL = {"hidden": 16, "features": 8}


def make(*additions, **settings) -> SAC:
    torch.manual_seed(0)
    return SAC(PLANE, additions=additions, **(SMALL | settings)).train()


def copy(module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before: dict[str, torch.Tensor], module) -> bool:
    return any(not torch.equal(before[name], value) for name, value in module.state_dict().items())


def updates_of(agent: SAC) -> Updates:
    plan = Plan(batch_size=8, steps=10, lr=1e-3, optimizer="adam", weight_decay=0.0)
    fabric = make_fabric(1, accelerator="cpu")
    fabric.launch()
    return Updates(agent, plan, fabric, say=print)


def test_targets_and_actor_move_every_second_update():
    """Note 11: of 10 updates 5 move the targets and 5 change the actor, counted over the whole run."""
    agent = make()
    updates, life = updates_of(agent), Life(agent)
    moved, learned = 0, 0
    for step in range(10):
        parts = (agent.target_critic, agent.target_encoder, agent.actor)
        before = [copy(part) for part in parts]
        updates(life.experience().views(), Progress(step, 10), 1e-3)
        critic, encoder, actor = (changed(*both) for both in zip(before, parts, strict=True))
        assert critic == encoder == actor == (step % 2 == 0)
        moved, learned = moved + critic, learned + actor
    assert (moved, learned) == (5, 5)


def test_targets_move_by_their_own_shares():
    """Note 11: the encoder's by 0.05, the critics' by 0.01."""
    agent = make()
    before = [copy(part) for part in (agent.target_critic, agent.target_encoder)]
    updates_of(agent)(Life(agent).experience().views(), Progress(0, 10), 1e-3)
    pairs = ((agent.target_critic, agent.critic, 0.01), (agent.target_encoder, agent.encoder, 0.05))
    for old, (target, online, tau) in zip(before, pairs, strict=True):
        for name, value in online.state_dict().items():
            assert_close(target.state_dict()[name], old[name] + tau * (value - old[name]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["critic", "actor", "temperature", "auxiliary"])
def test_each_update_changes_its_own(name):
    """T13 and T8: the actor leaves the encoder and the critics as they are, to the bit; what is laid over the agent
    changes the encoder and its own heads alone; nobody but `follow` moves the targets."""
    agent = make(RCRL(form="infonce", weight=1.0), CURL())
    updates, life = updates_of(agent), Life(agent)
    batch = life.experience()
    assert set(batch.pairs) == {"rcrl"}
    views, now = batch.views(), Progress(0, 10)
    if name != "critic":
        updates.gradients("critic", views, now)
        agent.zero_grad()
    if name == "temperature":
        updates.gradients("actor", views, now)
        agent.zero_grad()
    before = copy(agent)
    if name == "auxiliary":  # where the targets move, too, but not by a gradient
        now = Progress(1, 10)
    updates.gradients(name, views, now)
    updates._apply(updates.optimizers[name])
    moved = {key.split(".")[0] for key, value in agent.state_dict().items() if not torch.equal(before[key], value)}
    assert moved == {
        "critic": {"backbone", "critic"}, "actor": {"actor"}, "temperature": {"log_temperature"},
        "auxiliary": {"backbone", "auxiliaries"},
    }[name]  # fmt: skip
    assert all(torch.equal(before[key], value) for key, value in agent.state_dict().items() if "twin" in key)


def test_the_critics_convolutions_learn_and_are_the_actors():
    """T13: the critics' update changes the convolutions, and what the actor sees are the very same tensors."""
    agent = make()
    before = copy(agent.encoder.layers)
    updates, views = updates_of(agent), Life(agent).experience().views()
    updates.gradients("critic", views, Progress(0, 10))
    updates._apply(updates.optimizers["critic"])
    assert changed(before, agent.encoder.layers)
    for own, seen in zip(agent.encoder.layers.parameters(), agent.actor.tied.parameters(), strict=True):
        assert own is seen


def test_the_critics_loss_by_hand():
    agent = make(crop=1.0)
    batch = Life(agent).experience()
    torch.manual_seed(5)
    losses = agent.update("critic", batch.views(), Progress(0, 10))
    torch.manual_seed(5)
    noise = torch.randn(len(batch), 2)
    with torch.no_grad():
        mean, log_std = (t.double() for t in agent.actor(batch.after))
        before = mean + log_std.exp() * noise
        density = torch.distributions.Normal(mean, log_std.exp()).log_prob(before) - (1 - before.tanh() ** 2).log()
        values = agent.target_critic(agent.target_encoder(batch.after), before.tanh().float())
        future = torch.minimum(*values).double() - 0.1 * density.sum(1)
        target = batch.gain + batch.discount * future
        found = [value.double() for value in agent.critic(agent.encoder(batch.states), batch.action)]
    wanted = sum(((value - target) ** 2).mean() for value in found)
    assert losses.terms["critic"].value.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_the_actors_loss_by_hand():
    agent = make(crop=1.0)
    batch = Life(agent).experience()
    torch.manual_seed(5)
    losses = agent.update("actor", batch.views(), Progress(0, 10))
    torch.manual_seed(5)
    noise = torch.randn(len(batch), 2)
    with torch.no_grad():
        mean, log_std = agent.actor(batch.states)
        before = (mean + log_std.exp() * noise).double()
        normal = torch.distributions.Normal(mean.double(), log_std.double().exp())
        density = (normal.log_prob(before) - (1 - before.tanh() ** 2).log()).sum(1)
        value = torch.minimum(*agent.critic(agent.encoder(batch.states), before.tanh().float()))
    assert losses.terms["actor"].value.item() == pytest.approx((0.1 * density - value).mean().item(), rel=1e-4)
    assert losses.scalars["entropy"].item() == pytest.approx(-density.mean().item(), rel=1e-4)
    assert agent.entropy_gap.item() == pytest.approx(-density.mean().item() + 2, rel=1e-4)  # the target is -|A|


def test_in_half_precision_losses_are_float32_and_nearly_the_same():
    agent = make(crop=1.0)
    batch = Life(agent).experience()
    for name in ("critic", "actor"):
        found = []
        for half in (False, True):
            torch.manual_seed(0)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                found.append(agent.update(name, batch.views(), Progress(0, 10)).terms[name].value)
        assert found[1].dtype == torch.float32 and found[1].item() == pytest.approx(found[0].item(), rel=0.02)


@pytest.mark.parametrize("gap", [5.0, -5.0])
def test_the_temperature_stays_above_0(gap):
    """Note 25: 1000 steps with the same error; down where there is too much entropy, up where too little."""
    agent = make(temperature_lr=1e-2)
    agent.entropy_gap = torch.tensor(gap)
    optimizer = torch.optim.Adam([agent.log_temperature], lr=agent.temperature_lr, betas=(0.5, 0.999))
    for _ in range(1000):
        losses = agent._learn_temperature(None)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    temperature = agent.log_temperature.exp().item()
    assert 0 < temperature < 0.1 if gap > 0 else temperature > 0.1


def test_alarms():
    """Note 25: a temperature out of bounds, and actions that lie at theirs."""
    agent = make()
    assert agent.alarms({"temperature": 0.1, "saturated": 0.5}) == [] == agent.alarms({})
    (hot,) = agent.alarms({"temperature": 20.0})
    assert "temperature is 20" in hot and hot.endswith(".")
    (bound,) = agent.alarms({"saturated": 0.95})
    assert "95% of the actions lie at their bounds" in bound


def test_saturated_actions_are_counted():
    agent = make(crop=1.0)
    batch = Life(agent).experience()
    with torch.no_grad():
        agent.actor.head[-1].bias[:2] = 30.0
    losses = agent.update("actor", batch.views(), Progress(0, 10))
    assert losses.scalars["saturated"] > 0.9 and losses.total.isfinite()


def test_acting_is_a_function_of_state_weights_and_generator():
    agent, other = make(), SAC(PLANE, **SMALL)
    other.load_state_dict(agent.state_dict())
    state = torch.randint(0, 256, PLANE.state, dtype=torch.uint8, generator=generator(0)).numpy()
    for explore in (True, False):
        found = [
            each.act(state, generator(seed), explore=explore) for each, seed in ((agent, 0), (other, 0), (agent, 1))
        ]
        assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2]) != explore
        assert found[0].dtype == np.float32 and found[0].shape == (2,) and (np.abs(found[0]) <= 1).all()
    middle = agent.actor(torch.from_numpy(state)[None, :, 1:18, 1:18])[0].tanh()[0]
    assert agent.act(state, generator(0), explore=False).tolist() == pytest.approx(middle.tolist(), abs=1e-6)


def test_a_weight_of_0_changes_no_bit(tmp_path):
    """T7, over soft actor-critic."""
    found = []
    for number, agent in enumerate((make(), make(RCRL(weight=0.0)), make(CURL(weight=0.0)))):
        run_agent(tmp_path / str(number), agent, 6, Life(agent))
        found.append(copy(agent))
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())


def test_all_together_learn(tmp_path):
    """With both additions: the losses stay finite, each has its column, and the targets follow."""
    agent = make(RCRL(count=8), CURL())
    before = copy(agent.target_encoder)
    outcome = run_agent(tmp_path / "run", agent, 8, Life(agent))
    assert all(math.isfinite(value) for value in outcome.metrics.values())
    assert {"loss/rcrl", "loss/curl", "loss/critic", "loss/actor", "loss/temperature"} <= set(outcome.metrics)
    assert changed(before, agent.target_encoder)


def test_what_it_cannot_learn_is_refused():
    with pytest.raises(UserError, match="give rainbow, which chooses among actions"):
        SAC(GRID)
    agent = SAC(World((5,), False, 2, False), **SMALL)
    assert not agent.crops and agent.encoder.layers.network == "mlp"
