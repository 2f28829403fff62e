"""The replay against naive loops: stacks, returns over n steps, ends, and what is overwritten (T4, T9, T11)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.experience.replay import Replay, Shape
from twofold.control.experience.segments import ReturnSegments
from twofold.control.experience.stacking import Stack
from twofold.errors import UserError

SHAPE = Shape((1, 2, 2), stack=3)


def frame(number: int) -> np.ndarray:
    return np.full(SHAPE.frame, number % 256, np.uint8)


def play(replay: Replay, lengths, ends) -> list[tuple[int, int, str]]:
    """Episodes of counting frames; each row's (episode, step), "last" for rows without a step."""
    rows, count = [], 0
    for number, (length, end) in enumerate(zip(lengths, ends, strict=True)):
        for t in range(length):
            over = t == length - 1
            replay.add(
                frame(count),
                t % 2,
                float(t + 1),
                died=over and end == "died",
                cut_off=over and end == "cut",
                since_start=t,
            )
            rows.append((number, t, "step"))
            count += 1
        if end == "cut":
            replay.add_last(frame(count), length)
            rows.append((number, length, "last"))
            count += 1
    return rows


EPISODES = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["died", "cut"])), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(EPISODES, st.integers(1, 4), st.integers(12, 60), st.sampled_from(["zero", "first"]))
def test_all_that_can_be_drawn_is_what_a_loop_finds(episodes, n_step, capacity, padding):
    shape = Shape((1, 2, 2), stack=3, padding=padding)
    replay = Replay(capacity, shape, n_step=n_step, gamma=0.9)
    lengths, ends = zip(*episodes, strict=True)
    rows = play(replay, lengths, ends)
    slots = np.flatnonzero(replay.priority)
    positions = replay.position - 1 - (replay.position - 1 - slots) % capacity
    drawn = replay.followed(positions, np.ones(len(positions), np.float32))
    states, after = replay.states(positions), replay.states(drawn.after)
    for k, position in enumerate(positions):
        number, t, kind = rows[position]
        assert kind == "step"
        length, end = lengths[number], ends[number]
        m = min(n_step, length - t)
        assert drawn.gain[k] == pytest.approx(sum(0.9**i * (t + i + 1) for i in range(m)), rel=1e-5)
        dies = end == "died" and t + m == length
        assert drawn.discount[k] == pytest.approx(0.0 if dies else 0.9**m)
        start = position - t
        assert states[k][:, 0, 0].tolist() == _stack(start, t, padding)
        if not dies:
            assert after[k][:, 0, 0].tolist() == _stack(start, t + m, padding)


def _stack(start: int, t: int, padding: str) -> list[int]:
    before = [start + t - back if t >= back else None for back in (2, 1, 0)]
    filler = 0 if padding == "zero" else start % 256
    return [filler if at is None else at % 256 for at in before]


@settings(deadline=None, max_examples=30)
@given(EPISODES, st.integers(12, 40))
def test_no_step_is_forgotten_that_could_be_drawn(episodes, capacity):
    """A step whose sequel is there can be drawn until a frame of its state is overwritten."""
    replay = Replay(capacity, SHAPE, n_step=2)
    lengths, ends = zip(*episodes, strict=True)
    rows = play(replay, lengths, ends)
    for position in range(replay.oldest, replay.position):
        _, t, kind = rows[position]
        state_there = position - min(t, 2) >= replay.oldest
        assert (replay.priority[position % capacity] > 0) == (kind == "step" and state_there)


def test_a_time_limit_bootstraps_from_its_own_last_frame():
    """Field note 2: an episode of 5 that is cut off, n = 3; and the next episode begins at once."""
    replay = Replay(40, SHAPE, n_step=3, gamma=1.0)
    play(replay, [5, 5], ["cut", "cut"])
    drawn = replay.followed(np.asarray([3]), np.ones(1, np.float32))
    assert replay.states(drawn.after)[0, -1, 0, 0] == 5
    assert drawn.discount[0] == 1
    assert not replay.priority[[5, 11]].any()


def test_death_at_the_limit_is_death():
    """Field note 37: both flags."""
    replay = Replay(40, SHAPE, n_step=2, gamma=0.9)
    replay.add(frame(0), 0, 1.0, died=True, cut_off=True)
    assert replay.followed(np.asarray([0]), np.ones(1, np.float32)).discount[0] == 0


def test_slots_of_a_small_ring_are_of_one_episode_each():
    """Field note 16: full ring, wrap, episodes shorter than the window."""
    replay = Replay(10, Shape((1, 2, 2), stack=1), n_step=3)
    rng = np.random.default_rng(0)
    for number in range(8):
        for t in range(3):
            replay.add(frame(number), 0, float(number), died=t == 2, since_start=t)
        for _ in range(50):
            drawn = replay.draw(4, rng)
            seen = replay.states(drawn.positions)[:, 0, 0, 0]
            lengths = 3 - replay.since_start[drawn.positions % 10]
            np.testing.assert_allclose(drawn.gain, seen * [sum(0.99**i for i in range(m)) for m in lengths], rtol=1e-5)


def test_an_episode_broken_off_leaves_no_step_without_its_sequel():
    replay = Replay(40, SHAPE, n_step=2, segments=ReturnSegments(40))
    for t in range(4):
        replay.add(frame(t), 0, 1.0, since_start=t)
    replay.break_off()
    for t in range(4):
        replay.add(frame(10 + t), 0, 1.0, died=t == 3, since_start=t)
    assert replay.priority[:8].astype(bool).tolist() == [True, True, False, False, True, True, True, True]
    after = replay.followed(np.asarray([1]), np.ones(1, np.float32)).after
    assert replay.states(after)[0][:, 0, 0].tolist() == [1, 2, 3]


def test_losses_become_priorities_and_the_largest_is_for_what_is_new():
    replay = Replay(40, SHAPE, alpha=0.5)
    play(replay, [6], ["died"])
    replay.heed(np.asarray([0, 1]), np.asarray([4.0, 0.0]))
    assert replay.priority[0] == pytest.approx(2.0)
    assert 0 < replay.priority[1] < 1e-5
    replay.add(frame(9), 0, 0.0, died=True)
    assert replay.priority[6] == pytest.approx(2.0)


def test_a_state_taken_up_draws_the_same():
    one = Replay(30, SHAPE, n_step=2, alpha=0.5, segments=ReturnSegments(30))
    play(one, [9, 7, 8, 9], ["died", "cut", "cut", "died"])
    one.heed(np.asarray([25, 26]), np.asarray([3.0, 0.2]))
    other = Replay(30, SHAPE, n_step=2, alpha=0.5)
    other.load_state_dict(one.state_dict())
    other.frames[:] = one.frames
    for replay in (one, other):
        replay.add(frame(77), 1, 0.5, died=True)
    draws = [replay.draw(16, np.random.default_rng(3), 0.4) for replay in (one, other)]
    for name in ("positions", "action", "gain", "discount", "after", "weights"):
        np.testing.assert_array_equal(getattr(draws[0], name), getattr(draws[1], name))
    with pytest.raises(ValueError, match="another size"):
        Replay(31, SHAPE).load_state_dict(one.state_dict())


@pytest.mark.parametrize("padding", ["zero", "first"])
def test_what_is_seen_while_playing_is_what_the_replay_gives(padding):
    shape = Shape((1, 2, 2), stack=4, padding=padding)
    replay, stack = Replay(60, shape), Stack(shape)
    seen = []
    for episode in range(3):
        for t in range(6):
            (stack.push if t else stack.begin)(frame(10 * episode + t))
            seen.append(stack.state)
            replay.add(stack.newest, 0, 0.0, died=t == 5, since_start=stack.since_start)
    np.testing.assert_array_equal(replay.states(np.arange(18)), np.stack(seen))


def test_a_replay_too_small_for_its_states_is_refused():
    with pytest.raises(UserError, match="--replay"):
        Replay(5, SHAPE, n_step=3)


def test_vectors_are_stored_and_stacked():
    replay = Replay(20, Shape((2,), pixels=False, actions=3, stack=2))
    for t in range(5):
        replay.add(np.asarray([t, -t], np.float32), np.full(3, 0.5, np.float32), 0.0, died=t == 4, since_start=t)
    assert replay.states(np.asarray([3])).tolist() == [[2, -2, 3, -3]]
    assert replay.draw(2, np.random.default_rng(0)).action.shape == (2, 3)
