"""The replay against a diary: every state, return and sequel that it gives is looked up by loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.experience.replay import Replay, Shape
from twofold.control.experience.segments import ReturnSegments
from twofold.errors import UserError

from ..small import Row, as_tensors, episode_rows, picture, small_replay, store

ENDS = st.sampled_from([("died", True), ("died", False), ("limit", True), ("limit", False)])


def naive_state(diary: list[Row], position: int, stack: int, padding: str) -> np.ndarray:
    row = diary[position]
    frames = []
    for back in reversed(range(stack)):
        if back <= row.t:
            frames.append(picture(diary[position - back]))
        elif padding == "zero":
            frames.append(np.zeros((1, 1, 2), np.uint8))
        else:
            frames.append(picture(diary[position - row.t]))
    return np.concatenate(frames)


def naive_sequel(diary: list[Row], position: int, n_step: int, gamma: float) -> tuple[float, float, int] | None:
    """Gain, discount and where the return goes on; None where that is not known (yet)."""
    gain = 0.0
    for k in range(n_step):
        if position + k >= len(diary):
            return None
        row = diary[position + k]
        gain += gamma**k * row.reward
        if row.end == "died":
            return gain, 0.0, position
        follows = position + k + 1
        if row.end == "limit":
            known = follows < len(diary) and diary[follows].end == "last"
            return (gain, gamma ** (k + 1), follows) if known else None
    return (gain, gamma**n_step, position + n_step) if position + n_step < len(diary) else None


def can_be_drawn(replay: Replay, diary: list[Row], position: int) -> bool:
    row, reach = diary[position], min(diary[position].t, replay.shape.stack - 1)
    complete = position - reach >= replay.oldest
    return row.end != "last" and complete and naive_sequel(diary, position, replay.n_step, replay.gamma) is not None


def check(replay: Replay, diary: list[Row]) -> None:
    stored = np.arange(replay.oldest, replay.position)
    wanted = [p for p in stored if can_be_drawn(replay, diary, p)]
    drawable = replay.priority[stored % replay.capacity] > 0
    assert list(stored[drawable]) == wanted
    assert replay.count == len(wanted)
    if not wanted:
        return
    drawn = replay.followed(np.array(wanted), np.ones(len(wanted), np.float32))
    states, after = replay.states(drawn.positions), replay.states(drawn.after)
    for n, position in enumerate(wanted):
        gain, discount, follows = naive_sequel(diary, position, replay.n_step, replay.gamma)
        assert drawn.gain[n] == pytest.approx(gain, rel=1e-6, abs=1e-6)
        assert drawn.discount[n] == pytest.approx(discount, rel=1e-6)
        assert drawn.action[n] == diary[position].t % 3
        stack, padding = replay.shape.stack, replay.shape.padding
        assert (states[n] == naive_state(diary, position, stack, padding)).all()
        assert (after[n] == naive_state(diary, follows, stack, padding)).all()


@settings(max_examples=200, deadline=None)
@given(
    episodes=st.lists(st.tuples(st.integers(1, 9), ENDS), min_size=1, max_size=8),
    n_step=st.integers(1, 5),
    stack=st.integers(1, 4),
    padding=st.sampled_from(["zero", "first"]),
    spare=st.integers(1, 20),
)
def test_all_that_can_be_drawn_is_what_was_lived_through(episodes, n_step, stack, padding, spare):
    """T4, T11 and note 2: over any episodes, at any time, also after the ring has wrapped around."""
    replay = small_replay(n_step + stack + spare, stack=stack, padding=padding, n_step=n_step, gamma=0.9)
    diary = []
    for number, (length, (end, last)) in enumerate(episodes):
        for row in episode_rows(number, [(-1.0) ** t * t for t in range(length)], end, last=last):
            store(replay, [row])
            diary.append(row)
            check(replay, diary)


def test_the_bootstrap_after_a_limit_sees_the_last_frame():
    """Note 2: a limit of 5 and three steps ahead; and no index ever points to the row of a last frame."""
    replay = small_replay(40, n_step=3, gamma=1.0)
    store(replay, [*episode_rows(0, [1.0] * 5, "limit"), *episode_rows(1, [1.0] * 5, "limit")])
    drawn = replay.followed(np.array([3]), np.ones(1, np.float32))
    assert replay.states(drawn.after)[0, -1, 0, 0] == 5 + 1
    assert (drawn.gain[0], drawn.discount[0]) == (2, 1)
    places = replay.draw(1000, np.random.default_rng(0)).positions
    assert set(places) == {0, 1, 2, 3, 4, 6, 7, 8, 9, 10}


def test_what_died_at_the_limit_died():
    """Note 37: both flags at once; termination wins in the target and in the segments."""
    index = ReturnSegments(40)
    replay = small_replay(40, index, n_step=3)
    for t in range(5):
        replay.add(picture(Row(0, t)), 0, 1.0, died=t == 4, cut_off=t == 4, since_start=t)
    replay.add_last(picture(Row(0, 5)), 5)
    drawn = replay.followed(np.array([3, 4]), np.ones(2, np.float32))
    assert (drawn.discount == 0).all()
    assert not np.isnan(index.discounted[:5]).any()  # known to its end


def test_samples_of_a_full_ring_show_one_episode_each():
    """Note 16: a ring of 10 with the ends of one episode on both its sides, and after it was written over."""
    replay = small_replay(10, stack=3, n_step=2)
    store(replay, episode_rows(3, [0.0] * 5)[-3:])  # the head is soon gone
    for episode in range(4, 9):
        store(replay, episode_rows(episode, [0.0, 0.0]))
        for _ in range(4):
            drawn = replay.draw(250, np.random.default_rng(0))
            for states in (replay.states(drawn.positions), replay.states(drawn.after)):
                ids = states[..., 1].reshape(len(states), -1)
                assert all(len(set(row) - {0}) == 1 for row in ids)
                assert (ids[:, -1] > 0).all()


def test_an_episode_that_breaks_off_goes_on_from_nothing():
    replay = small_replay(40, n_step=2)
    store(replay, [Row(0, t, 1.0) for t in range(6)])
    assert replay.count == 4
    replay.break_off()
    store(replay, episode_rows(1, [5.0] * 4))
    assert list(np.flatnonzero(replay.priority)) == [0, 1, 2, 3, 6, 7, 8, 9]
    assert (replay.followed(np.array([3]), np.ones(1, np.float32)).gain) == pytest.approx(1 + 0.99)


def test_states_of_the_oldest_rows_show_nothing_newer():
    """Pairs may be of rows whose first frames are gone: they count as being before the start."""
    for padding in ("zero", "first"):
        replay = small_replay(12, padding=padding)
        store(replay, [Row(0, t) for t in range(30)])
        oldest = replay.states(np.array([replay.oldest]))[0, :, 0, 0]
        assert list(oldest) == ([0, 0, 0, 19] if padding == "zero" else [19] * 4)


def test_a_replay_that_goes_on_draws_the_same():
    rows = [row for n in range(20) for row in episode_rows(n, [float(n % 3)] * (3 + n % 5), "limit")]
    replay, again = (small_replay(60, n_step=3, alpha=0.5) for _ in range(2))
    store(replay, rows)
    drawn = replay.draw(16, np.random.default_rng(0), 0.4)
    replay.heed(drawn.positions, np.linspace(0.1, 3, 16))
    again.load_state_dict(as_tensors(replay.state_dict()))
    again.frames[:] = replay.frames
    for each in (replay, again):
        store(each, episode_rows(20, [1.0, 2.0, 3.0]))
    one, other = (each.draw(32, np.random.default_rng(1), 0.4) for each in (replay, again))
    for name in vars(one):
        assert (getattr(one, name) == getattr(other, name)).all()
    assert (replay.states(one.after) == again.states(other.after)).all()
    assert not (one.positions == replay.draw(32, np.random.default_rng(2), 0.4).positions).all()
    with pytest.raises(ValueError, match="another size"):
        small_replay(50).load_state_dict(replay.state_dict())


def test_continuous_actions_and_vectors():
    replay = Replay(20, Shape((3,), pixels=False, actions=2, stack=2, padding="first"))
    for t in range(5):
        replay.add(np.full(3, t / 10, np.float32), [t / 10, -1.0], 0.5, since_start=t)
    drawn = replay.draw(4, np.random.default_rng(0))
    assert drawn.action.dtype == np.float32 and drawn.action.shape == (4, 2)
    assert replay.states(drawn.after).shape == (4, 6)
    assert (replay.states(np.array([0])) == 0).all()


def test_what_it_takes_is_told_within_a_tenth():
    shape = Shape((1, 20, 20), stack=4)
    index = ReturnSegments(20_000)
    replay = Replay(20_000, shape, segments=index)
    tables = [getattr(replay, name) for name in ("frames", "action", "reward", "after", "since_start")]
    tables += [replay.tree.sums, *(value for value in vars(index).values() if isinstance(value, np.ndarray))]
    assert sum(table.nbytes for table in tables) == pytest.approx(20_000 * shape.row_bytes, rel=0.1)


def test_too_small_a_replay_is_refused():
    with pytest.raises(UserError, match=r"holds no 20 steps with 4 frames before: give a larger --replay\.$"):
        small_replay(24, n_step=20)


def test_nothing_is_drawn_from_nothing():
    with pytest.raises(ValueError, match="nothing can be drawn"):
        small_replay(20).draw(4, np.random.default_rng(0))
