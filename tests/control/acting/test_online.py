"""The experience of an agent: what is stored, and that it goes on alike (field notes 14, 17, 19, 29)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from twofold.control.acting.frames import FrameFiles, differences, restored
from twofold.control.acting.online import Online, Rhythm, states_of
from twofold.control.acting.player import Player
from twofold.control.experience.pairs import draw_pairs
from twofold.control.experience.replay import DIED, LAST_FRAME, Replay, Shape
from twofold.control.methods.rainbow import Rainbow
from twofold.control.methods.rcrl import RCRL
from twofold.control.world import World
from twofold.errors import UserError
from twofold.randomness import derive
from twofold.runs.checkpoint import Damaged
from twofold.seam import Losses

from ..small import Counter

WORLD = World((1, 4, 4), True, 3, True, 2)


def rainbow(*additions, **settings) -> Rainbow:
    """A tiny one, untrained."""
    return Rainbow(WORLD, additions=additions, **({"hidden": 16, "atoms": 11, "n_step": 3} | settings))


def online(folder, env=None, *, agent=None, capacity=200, drops=False, learn_start=20, seed=0) -> Online:
    """An agent in a counter, untrained."""
    torch.manual_seed(0)
    agent = agent or rainbow(RCRL(count=4))
    shape = Shape(WORLD.frame, True, 0, WORLD.stack)
    index = agent.index(capacity)
    replay = Replay(capacity, shape, n_step=agent.n_step, gamma=agent.gamma, alpha=agent.alpha, segments=index)
    player = Player(env or Counter((7, 9), by_seed=True), shape, lambda game: derive(seed, "game", game))
    return Online(player, agent, replay, Rhythm(learn_start, 2, 100, 4, 10, drops), seed=seed, folder=folder)


def learned(stream: Online, updates: int) -> list:
    """Batches of so many updates, their losses heeded as the loop does it."""
    found = []
    for batch in stream.stream([torch.arange(4)] * updates):
        found.append(batch)
        each = torch.rand(4, generator=torch.Generator().manual_seed(stream.updates)) + 0.1
        stream.heed(batch, Losses({}, None, each=each))
        stream.kept = stream.state_dict()
    return found


def same(one, other) -> bool:
    tensors = all(
        torch.equal(getattr(one, n), getattr(other, n)) for n in ("index", "states", "after", "gain", "weights")
    )
    return tensors and one.pairs.keys() == other.pairs.keys()


def test_decisions_and_updates_are_as_many_as_said(tmp_path):
    env = Counter((7, 9))
    stream = online(tmp_path, env)
    learned(stream, 5)
    assert stream.decisions == env.steps == 20 + 5 * 2
    assert stream.numbers()["decisions"] == 30


def test_what_is_stored_is_what_was_played(tmp_path):
    stream = online(tmp_path, Counter((5,), "truncated", rewards=lambda t: 7.0 * (t == 2)))
    learned(stream, 8)
    replay = stream.replay
    rows = np.arange(replay.position)
    assert [int(v) for v in replay.frames[rows, 0, 0, 0]][:12] == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
    assert (replay.after[rows] == LAST_FRAME).sum() == replay.position // 6
    assert replay.reward[rows].max() == 1  # clipped for the learner
    assert stream.numbers()["return"] == 7.0  # as the environment gives it
    assert "return" not in stream.numbers()


def test_a_lost_life_ends_an_episode_for_the_learner_alone(tmp_path):
    stream = online(tmp_path, Counter((9,), lives=(4,)))
    learned(stream, 3)
    replay = stream.replay
    assert [int(v) for v in replay.frames[:7, 0, 0, 0]] == [0, 1, 2, 3, 4, 5, 6]
    assert replay.after[3] == DIED
    assert replay.after[4] == LAST_FRAME
    assert replay.states(np.asarray([5]))[0, :, 0, 0].tolist() == [4, 5]
    assert stream.player.game == 3  # of 8 decisions each
    assert stream.numbers()["games"] == 3


@pytest.mark.parametrize("cut", [3, 11])
def test_a_stream_that_is_taken_up_goes_on_bit_by_bit(tmp_path, cut):
    """Also where the ring has wrapped, frames come from the disk and a game is in the middle."""
    settings = {"capacity": 40}
    whole = learned(online(tmp_path / "whole", **settings), 20)
    first = online(tmp_path / "parts", **settings)
    learned(first, cut)
    state = copy.deepcopy(first.kept)
    second = online(tmp_path / "parts", **settings)
    second.load_state_dict(state)
    rest = learned(second, 20 - cut)
    assert all(same(a, b) for a, b in zip(whole[cut:], rest, strict=True))
    np.testing.assert_array_equal(second.replay.priority, online_priorities(tmp_path, settings))


def online_priorities(tmp_path, settings) -> np.ndarray:
    stream = online(tmp_path / "again", **settings)
    learned(stream, 20)
    return stream.replay.priority


def test_an_environment_that_does_not_repeat_itself_is_told_and_broken_off(tmp_path):
    stream = online(tmp_path, Counter((50,), unlike=True))
    learned(stream, 5)
    state = copy.deepcopy(stream.kept)
    other = Counter((50,), unlike=True)
    other.episode = 3
    second, said = online(tmp_path, other), []
    second.warn = said.append
    second.load_state_dict(state)
    assert "does not repeat itself" in said[0]
    learned(second, 5)
    newest = second.replay.since_start[second.replay.position - 10 : second.replay.position]
    assert newest.tolist() == list(range(10))


def test_acting_does_not_depend_on_how_often_it_is_looked_at(tmp_path):
    one, other = online(tmp_path / "a"), online(tmp_path / "b")
    learned(one, 6)
    for batch in other.stream([torch.arange(4)] * 6):
        each = torch.rand(4, generator=torch.Generator().manual_seed(other.updates)) + 0.1
        other.heed(batch, Losses({}, None, each=each))
        other.numbers()
    np.testing.assert_array_equal(one.replay.action, other.replay.action)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_reward_that_is_no_number_ends_the_run_or_is_left_out(tmp_path, bad):
    """Note 29: the message has the step and the game; dropped steps are counted, and their neighbours parted."""
    env = {"env": Counter((7, 9), rewards=lambda t: bad if t == 5 else 1.0)}
    with pytest.raises(UserError, match=r"reward of step 5 of game 1 is"):
        learned(online(tmp_path, **env), 3)
    stream = online(tmp_path, **env, drops=True)
    learned(stream, 10)
    assert stream.numbers()["dropped"] > 2
    assert np.isfinite(stream.replay.reward).all()
    assert np.isfinite(stream.replay.tree.total)
    frames = stream.replay.frames[: stream.replay.position, 0, 0, 0].astype(int)
    assert 4 not in frames  # the step whose reward was none began there


def test_nothing_to_learn_from_is_told(tmp_path):
    with pytest.raises(UserError, match="--learn-start"):
        learned(online(tmp_path, Counter((500,)), agent=rainbow(n_step=30), learn_start=3), 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_differences_are_without_losses(dtype):
    rows = np.random.default_rng(0).integers(0, 256, (20, 3, 4)).astype(dtype) / (1 if dtype == np.uint8 else 7)
    np.testing.assert_array_equal(restored(differences(rows.astype(dtype)), np.dtype(dtype)), rows.astype(dtype))


def test_files_keep_what_two_saves_need_and_no_more(tmp_path):
    shape = Shape((1, 2, 2), stack=1)
    replay = Replay(10, shape)
    files = FrameFiles(tmp_path, replay)
    for number in range(40):
        replay.add(np.full((1, 2, 2), number, np.uint8), 0, 0.0, died=True)
        if number % 4 == 3:
            pieces, state = files.save(), replay.state_dict()
            assert pieces[0][0] <= replay.oldest
    assert len(list(tmp_path.iterdir())) <= 5
    (tmp_path / "frames-000000000040.npz").write_bytes(b"of a save that was killed")
    other = Replay(10, shape)
    other.load_state_dict(state)
    FrameFiles(tmp_path, other).load(pieces)
    np.testing.assert_array_equal(other.frames, replay.frames)
    assert not (tmp_path / "frames-000000000040.npz").exists()
    file = tmp_path / f"frames-{pieces[-1][0]:012d}.npz"
    whole = bytearray(file.read_bytes())
    whole[whole.index(b"frames.npy") + 40] ^= 1
    for content in (b"damaged", bytes(whole), bytes(whole[:-30])):
        file.write_bytes(content)
        with pytest.raises(Damaged, match="missing or damaged"):
            FrameFiles(tmp_path, other).load(pieces)
    file.unlink()
    with pytest.raises(Damaged, match=f"{file.name} is missing"):
        FrameFiles(tmp_path, other).load(pieces)


def test_pictures_that_hardly_change_take_little_room(tmp_path):
    replay = Replay(500, Shape((1, 84, 84)))
    frame = np.random.default_rng(0).integers(0, 256, (1, 84, 84)).astype(np.uint8)
    for t in range(400):
        shown = frame.copy()
        shown[0, t % 84, 10:14] = 255
        replay.add(shown, 0, 0.0, died=True)
    files = FrameFiles(tmp_path, replay)
    files.save()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 0.05 * replay.frames[:400].nbytes


def test_each_step_of_pairs_is_looked_at_once(tmp_path):
    """Negatives that are others' positives are not encoded again; each anchor finds its own, wherever it stands."""
    stream = online(tmp_path, Counter((7, 9), by_seed=True, rewards=lambda t: float(t % 3 == 0)))
    learned(stream, 80)
    replay, lone = stream.replay, 0
    for seed in range(20):
        for positives in ("segment", "mix"):
            pairs = draw_pairs(replay.segments, 6, np.random.default_rng(seed), positives=positives)
            found = states_of(pairs, replay)
            both = torch.cat([found.positive, found.negative])
            actions = torch.cat([found.positive_action, found.negative_action])
            assert torch.equal(both[found.partner], torch.from_numpy(replay.states(pairs.negative)))
            rows = pairs.negative % replay.capacity
            assert torch.equal(actions[found.partner], torch.from_numpy(replay.action[rows]))
            lone += len(found.negative)
    assert 0 < lone < 240
