"""Rainbow: its loss by hand, its noise, its copies, how it acts, and that what is laid over it leaves it alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from twofold.control.methods.curl import CURL
from twofold.control.methods.rainbow import Rainbow
from twofold.control.methods.rcrl import RCRL
from twofold.control.world import World
from twofold.errors import UserError
from twofold.randomness import generator
from twofold.seam import Progress

from ..small import GRID, PLANE, Life, run_agent

SMALL = {"hidden": 16, "atoms": 11, "n_step": 3, "target_every": 5}


def make(*additions, **settings) -> Rainbow:
    torch.manual_seed(0)
    return Rainbow(GRID, additions=additions, **(SMALL | settings))


def own(agent: Rainbow) -> dict[str, torch.Tensor]:
    return {name: value for name, value in agent.state_dict().items() if name.split(".")[0] in ("network", "target")}


def test_the_loss_by_hand():
    """Double, distributional, over n steps, weighted: each number from the two networks by loops, in float64."""
    agent = make(clip_rewards=False)
    agent.target.head.value.bias.add_(1.0)  # so that the copy is no copy
    batch, now = Life(agent).experience(), Progress(3, 10, seed=1)
    batch.weights = torch.linspace(0.2, 1, len(batch))
    agent.before_step(now)
    losses = agent(batch.views(), now)
    with torch.no_grad():
        chosen = agent.network(batch.states).double().log_softmax(2)
        next_own = agent.network(batch.after).double().softmax(2)
        next_other = agent.target(batch.after).double().softmax(2)  # with the noise of this step
    support, each = agent.support.double(), []
    for row in range(len(batch)):
        best = max(range(3), key=lambda a: float((next_own[row, a] * support).sum()))
        target = [0.0] * 11
        for probability, value in zip(next_other[row, best].tolist(), support.tolist(), strict=True):
            place = min(max(float(batch.gain[row]) + float(batch.discount[row]) * value, -10), 10) / 2 + 5
            below = min(int(place), 9)
            target[below] += probability * (1 - (place - below))
            target[below + 1] += probability * (place - below)
        each.append(-(torch.tensor(target) * chosen[row, int(batch.action[row])]).sum().item())
    assert losses.each.tolist() == pytest.approx(each, rel=1e-4)
    weighted = (batch.weights.double() * torch.tensor(each)).mean().item()
    assert losses.terms["td"].value.item() == pytest.approx(weighted, rel=1e-4)


def test_noise_of_an_update_is_drawn_for_it():
    """Whether and how often the agent has acted since does not matter: it is a function of seed and step."""
    agent, batch = make(), Life(make()).experience()
    found = []
    for step, seed, acts in ((0, 0, 0), (0, 0, 3), (1, 0, 0), (0, 1, 0)):
        for n in range(acts):
            agent.act(batch.states[0].numpy(), generator(n), explore=True)
        now = Progress(step, 10, seed=seed)
        agent.before_step(now)
        agent(batch.views(), now)
        found.append((agent.network.head.value.output_noise.clone(), agent.target.head.value.output_noise.clone()))
    for online, target in zip(*found[:2], strict=True):
        assert torch.equal(online, target)
    for other in found[2:]:
        assert not any(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
    assert not torch.equal(*found[0])


def test_acting_is_a_function_of_state_weights_and_generator():
    """Exploring by noise, whatever the mode; otherwise without any, and without touching it (pitfall 10, T12)."""
    agent = make(sigma=3.0)
    states = [torch.randint(0, 256, GRID.state, dtype=torch.uint8, generator=generator(n)).numpy() for n in range(20)]
    noisy = [[int(agent.act(s, generator(seed, n), explore=True)) for n, s in enumerate(states)] for seed in (0, 0, 1)]
    assert noisy[0] == noisy[1] != noisy[2]
    before = agent.network.head.value.output_noise.clone()
    plain = [int(agent.act(s, generator(7, n), explore=False)) for n, s in enumerate(states)]
    assert torch.equal(before, agent.network.head.value.output_noise)
    assert plain == [int(agent.act(s, generator(8, n), explore=False)) for n, s in enumerate(states)]
    agent.eval()
    values = agent.values(agent.network(torch.from_numpy(np.stack(states))))
    assert plain == values.argmax(1).tolist()
    assert noisy[0] == [int(agent.act(s, generator(0, n), explore=True)) for n, s in enumerate(states)]


def test_one_evaluation_step_in_a_thousand_is_at_random():
    agent = make()
    state = np.zeros(GRID.state, np.uint8)
    seed = next(n for n in range(20_000) if torch.rand((), generator=generator(n)) < 0.001)
    again = generator(seed)
    torch.rand((), generator=again)
    assert int(agent.act(state, generator(seed), explore=False)) == int(torch.randint(3, (), generator=again))


def test_an_agent_that_was_loaded_acts_the_same():
    """Also while it explores, although its noise is not stored."""
    agent, other = make(), Rainbow(GRID, **SMALL)
    agent.act(np.zeros(GRID.state, np.uint8), generator(5), explore=True)
    other.load_state_dict(agent.state_dict())
    for n in range(10):
        state = torch.randint(0, 256, GRID.state, dtype=torch.uint8, generator=generator(n)).numpy()
        for explore in (True, False):
            one, two = (each.act(state, generator(3, n), explore=explore) for each in (agent, other))
            assert one == two


def test_copies_are_made_every_so_many_updates():
    agent = make()
    with torch.no_grad():
        agent.network.head.value.bias.add_(1.0)
    for step in range(4):
        agent.after_step(Progress(step, 10))
        assert not torch.equal(agent.network.head.value.bias, agent.target.head.value.bias)
    agent.after_step(Progress(4, 10))
    assert_close(dict(agent.target.state_dict()), dict(agent.network.state_dict()))
    assert not any(p.requires_grad for p in agent.target.parameters())


@pytest.mark.parametrize("addition", [lambda: RCRL(weight=0.0), lambda: RCRL(weight=0.0, form="infonce"),
                                      lambda: CURL(weight=0.0)])  # fmt: skip
def test_a_weight_of_0_changes_no_bit(addition, tmp_path):
    """T7 and T9: the same parameters, priorities, weights and actions as without, through the loop of the house."""
    found = []
    for number, agent in enumerate((make(), make(addition()))):
        life = Life(agent)
        run_agent(tmp_path / str(number), agent, 12, life)
        found.append((own(agent), life))
    (one, first), (other, second) = found
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert (first.replay.tree.sums == second.replay.tree.sums).all()
    assert all(torch.equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))
    assert [int(a) for a in first.taken] == [int(a) for a in second.taken]


@pytest.mark.parametrize("weight", [0.0, 1.0, 100.0])
def test_priorities_and_weights_are_of_the_agents_own_loss(weight):
    """T9 and note 28: of one update, whatever is laid over it and however heavily."""
    plain, covered = make(), make(RCRL(weight=weight), CURL(weight=weight))
    for agent in (plain, covered):
        agent.before_step(Progress(0, 10))
    life = Life(covered)
    batch = life.experience()
    assert "rcrl" in batch.pairs
    losses = [agent(batch.views(), Progress(0, 10)) for agent in (plain, covered)]
    assert torch.equal(losses[0].each, losses[1].each)
    assert torch.equal(losses[0].terms["td"].value, losses[1].terms["td"].value)
    assert (losses[1].total != losses[0].total) == (weight > 0)
    life.heed(batch, losses[1])
    slots = batch.index.numpy() % life.replay.capacity
    for slot in set(slots.tolist()):
        last = np.flatnonzero(slots == slot)[-1]
        wanted = losses[0].each[last].double().item() ** covered.alpha
        assert life.replay.priority[slot] == pytest.approx(wanted, rel=1e-12)


class Stops(Life):
    """Its stream fails at a batch."""

    def stream(self, index_batches, epochs=()):
        for batch in super().stream(index_batches, epochs):
            if self.batches == 7:
                raise RuntimeError("stopped")
            yield batch


def test_a_run_goes_on_to_the_same_numbers(tmp_path):
    """Parameters, priorities and actions after a stop are those of a run without one."""
    whole = make(RCRL(form="infonce"), CURL())
    life = Life(whole)
    run_agent(tmp_path / "whole", whole, 12, life)
    stopped = make(RCRL(form="infonce"), CURL())
    with pytest.raises(RuntimeError, match="stopped"):
        run_agent(tmp_path / "parts", stopped, 12, Stops(stopped), save_every=0.0)
    again = make(RCRL(form="infonce"), CURL())
    later = Life(again, before=0)
    run_agent(tmp_path / "parts", again, 12, later, save_every=0.0)
    assert 0 < len(later.taken) < 12
    assert [int(a) for a in later.taken] == [int(a) for a in life.taken][-len(later.taken) :]
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))
    assert (life.replay.tree.sums == later.replay.tree.sums).all()


def test_two_seeds_are_two_runs(tmp_path):
    found = []
    for number, seed in enumerate((0, 0, 1)):
        agent = make()
        run_agent(tmp_path / str(number), agent, 6, Life(agent, seed=seed), seed=seed)
        found.append(own(agent)["network.head.value.weight"])
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_it_learns_the_game(tmp_path):
    """After a few hundred updates it earns nearly all there is; at random it would be a third."""
    agent = make(target_every=20, atoms=21, low=-1.0, high=4.0, hidden=64, gamma=0.9)
    life = Life(agent, batch=32, capacity=1000)
    run_agent(tmp_path / "run", agent, 250, life, lr=5e-3)
    rewards = life.replay.reward[life.replay.position - 110 : life.replay.position]
    assert rewards.sum() > 0.8 * 30  # 10 episodes of 3 rewards


def test_in_half_precision_losses_are_float32_and_nearly_the_same():
    agent = make(RCRL(form="infonce"), CURL())
    batch, now = Life(agent).experience(), Progress(0, 10)
    agent.before_step(now)
    whole = agent(batch.views(), now)
    with torch.autocast("cpu", torch.bfloat16):
        half = agent(batch.views(), now)
    assert half.each.dtype == torch.float32
    assert_close(half.each, whole.each, rtol=0.02, atol=0.02)
    for name, term in half.terms.items():
        assert term.value.item() == pytest.approx(whole.terms[name].value.item(), rel=0.02)


def test_returns_beyond_the_support_are_said():
    """Counted on either side of it, and an alarm from one in a hundred on."""
    agent = make(low=-1.0, high=20.0)
    batch = Life(agent).experience()
    batch.gain = torch.tensor([-3.0, -2.0, -0.5, 0.0, 3.0, 19.0, 21.0, 30.0])
    assert agent(batch.views(), Progress(0, 10)).scalars["beyond_support"] == 0.5
    agent = make()
    assert agent.alarms({"beyond_support": 0.0}) == []
    (sentence,) = agent.alarms({"beyond_support": 0.2})
    assert "20% of the returns lie beyond the support, -10 to 10" in sentence


def test_what_it_cannot_learn_is_refused():
    with pytest.raises(UserError, match="give sac, which takes continuous ones"):
        Rainbow(PLANE)
    with pytest.raises(UserError, match=r"1 atoms from -10 to 10"):
        make(atoms=1)
    assert Rainbow(World((4,), False, 2, True), **SMALL).encoder.network == "mlp"
