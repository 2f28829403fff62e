"""Any environment of gymnasium: how it is seen and acted in, and what is refused (field notes 26, 32)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from twofold.control.environments.factory import build, world_of
from twofold.control.environments.specification import Specification
from twofold.errors import UserError


class Plain(gymnasium.Env):
    """An environment of given spaces that uses one array again and again."""

    metadata = {"render_modes": []}

    def __init__(self, seen: Any, acted: Any, lives: bool = False) -> None:
        self.observation_space, self.action_space, self.lives = seen, acted, lives
        self.got: list[Any] = []
        self.t = 0
        self.kept = np.zeros(seen.shape, seen.dtype) if isinstance(seen, Box) else None

    def look(self) -> Any:
        if self.kept is None:
            return {name: np.full(part.shape, self.t, part.dtype) for name, part in self.observation_space.items()}
        self.kept[...] = np.minimum(self.t, self.observation_space.high)
        return self.kept

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.look(), {}

    def step(self, action):
        self.t += 1
        self.got.append(action)
        return self.look(), 1.0, False, self.t >= 5, {}


@pytest.fixture
def known(monkeypatch):
    """known(env) -> an id under which gymnasium makes it."""
    names: list[str] = []

    def register(env: gymnasium.Env) -> str:
        name = f"tests/Plain{len(names)}-v0"
        gymnasium.register(name, entry_point=lambda **settings: env, order_enforce=False)
        names.append(name)
        return name

    yield register
    for name in names:
        gymnasium.registry.pop(name)


PICTURE = Box(0, 255, (8, 8, 3), np.uint8)


def test_what_it_gives_is_copied(known):
    """Note 32."""
    env = build(Specification(known(Plain(PICTURE, Discrete(2))), size=8), 0)
    first, _ = env.reset(seed=0)
    after = [env.step(0)[0] for _ in range(5)]
    assert [int(frame[0, 0, 0]) for frame in (first, *after)] == [0, 1, 2, 3, 4, 5]


def test_actions_are_brought_into_the_bounds_of_each_number(known):
    """Note 26: the agent's are in [-1, 1], the environment gets its own, of its own type."""
    plain = Plain(PICTURE, Box(np.asarray([0.0, -5.0]), np.asarray([1.0, 5.0]), dtype=np.float64))
    env = build(Specification(known(plain), size=8), 0)
    assert world_of(env) == ((3, 8, 8), True, 2, False)
    env.step(np.asarray([-1, 1], np.float32))
    env.step(np.asarray([0, 0.5], np.float32))
    np.testing.assert_allclose(plain.got[-2:], [[0.0, 5.0], [0.5, 2.5]])
    assert plain.got[0].dtype == np.float64


def test_unbounded_actions_are_refused_until_a_range_is_given(known):
    plain = Plain(PICTURE, Box(-np.inf, np.inf, (2,), np.float32))
    name = known(plain)
    with pytest.raises(UserError, match="--action-range"):
        build(Specification(name, size=8), 0)
    env = build(Specification(name, size=8, action_range=(-2.0, 2.0)), 0)
    env.step(np.asarray([1, -1], np.float32))
    np.testing.assert_allclose(plain.got[-1], [2, -2])


@pytest.mark.parametrize("acted", [MultiDiscrete([2, 3]), Dict({"a": Discrete(2)})])
def test_other_kinds_of_actions_are_refused(known, acted):
    with pytest.raises(UserError, match="Discrete or Box"):
        build(Specification(known(Plain(PICTURE, acted)), size=8), 0)


def test_choices_may_start_elsewhere(known):
    plain = Plain(PICTURE, Discrete(3, start=4))
    build(Specification(known(plain), size=8), 0).step(np.asarray(2))
    assert plain.got[-1] == 6


def test_the_one_picture_of_several_observations_is_taken(known):
    both = Dict({"camera": PICTURE, "speed": Box(-1, 1, (3,), np.float32)})
    assert build(Specification(known(Plain(both, Discrete(2))), size=8), 0).frame == (3, 8, 8)
    assert build(Specification(known(Plain(both, Discrete(2))), pixels=False), 0).frame == (8 * 8 * 3 + 3,)
    two = Dict({"left": PICTURE, "right": PICTURE})
    name = known(Plain(two, Discrete(2)))
    with pytest.raises(UserError, match="left, right: say by --observation"):
        build(Specification(name, size=8), 0)
    assert build(Specification(name, size=8, observation="right"), 0).frame == (3, 8, 8)
    assert build(Specification(name, pixels=False, observation="right"), 0).frame == (8 * 8 * 3,)
    with pytest.raises(UserError, match=r'no observation rigth that is a picture.*Did you mean "right"'):
        build(Specification(name, size=8, observation="rigth"), 0)


@pytest.mark.parametrize(("shape", "layout", "frame"), [
    ((8, 8), "auto", (1, 8, 8)),
    ((8, 8, 1), "auto", (1, 8, 8)),
    ((3, 8, 8), "auto", (3, 8, 8)),
    ((4, 8, 8), "auto", (4, 8, 8)),
    ((3, 8, 3), "chw", (3, 8, 3)),
])  # fmt: skip
def test_pictures_of_any_order(known, shape, layout, frame):
    space = Box(0, 255, shape, np.uint8)
    env = build(Specification(known(Plain(space, Discrete(2))), size=None if layout != "auto" else 8, layout=layout), 0)
    assert env.frame[0] == frame[0]


def test_an_order_that_is_open_is_asked_for(known):
    with pytest.raises(UserError, match="--layout"):
        build(Specification(known(Plain(Box(0, 255, (3, 8, 3), np.uint8), Discrete(2)))), 0)


def test_numbers_from_0_to_1_and_truth_are_pictures_too(known):
    for dtype in (np.float32, np.bool_):
        env = build(Specification(known(Plain(Box(0, 1, (8, 8, 3), dtype), Discrete(2))), size=8), 0)
        env.reset(seed=0)
        assert env.step(0)[0].max() == 255


def test_observations_of_several_kinds_become_numbers():
    assert build(Specification("Blackjack-v1", pixels=False), 0).frame == (32 + 11 + 2,)


def test_an_environment_that_draws_nothing_names_the_way_out(known):
    with pytest.raises(UserError, match="--pixels false"):
        build(Specification(known(Plain(Box(-1, 1, (4,), np.float32), Discrete(2)))), 0)


def test_an_unknown_id_is_named_with_its_nearest():
    with pytest.raises(UserError, match="CartPole-v1"):
        build(Specification("CartPoll-v1"), 0)


def test_held_actions_add_rewards_and_the_cap_cuts_off(known):
    name = known(Plain(PICTURE, Discrete(2)))
    env = build(Specification(name, size=8, action_repeat=2, frame_cap=3), 0)
    env.reset(seed=0)
    _, reward, _, truncated, info = env.step(0)
    assert (reward, truncated, info["raw_frames"]) == (2.0, False, 2)
    assert env.step(0)[3]


@pytest.mark.parametrize(("dtype", "highest"), [(np.float32, 1), (np.float32, 255), (np.uint8, 1), (np.int32, 255)])
def test_full_brightness_is_255_whatever_the_space_counts_in(known, dtype, highest):
    plain = Plain(Box(0, highest, (8, 8, 3), dtype), Discrete(2))
    env = build(Specification(known(plain), size=8), 0)
    env.reset(seed=0)
    plain.t = highest - 1
    assert env.step(0)[0].min() == 255


def test_a_choice_that_is_seen_becomes_one_among_zeros():
    env = build(Specification("FrozenLake-v1", pixels=False), 0)
    frame, _ = env.reset(seed=0)
    assert frame.tolist() == [1.0] + [0.0] * 15


def test_bounds_that_mean_none_and_whole_numbers(known):
    largest = np.finfo(np.float32).max
    with pytest.raises(UserError, match="--action-range"):
        build(Specification(known(Plain(PICTURE, Box(-largest, largest, (2,), np.float32))), size=8), 0)
    plain = Plain(PICTURE, Box(0, 5, (1,), np.int64))
    build(Specification(known(plain), size=8), 0).step(np.asarray([0.99], np.float32))
    assert plain.got[-1].tolist() == [5]


@pytest.mark.parametrize(("acted", "why"), [
    (Box(-2, 2, (2,), np.float32), "sets bounds to all of its actions: leave out --action-range"),
    (Discrete(2), "actions to choose from, which have no bounds: leave out --action-range"),
])  # fmt: skip
def test_a_range_that_would_change_nothing_is_refused(known, acted, why):
    """The protocol would say a range that is not the one of the actions."""
    with pytest.raises(UserError, match=why):
        build(Specification(known(Plain(PICTURE, acted)), size=8, action_range=(-1.0, 1.0)), 0)


def test_a_range_that_lies_under_the_lowest_value_is_refused(known):
    plain = Plain(PICTURE, Box(5, np.inf, (1,), np.float32))
    with pytest.raises(UserError, match="number 0 of its actions, from 5 to 1"):
        build(Specification(known(plain), size=8, action_range=(-1.0, 1.0)), 0)


class Broken(Plain):
    """It steps as before gymnasium, with four things to return."""

    def step(self, action):
        return super().step(action)[:4]


class Growing(Plain):
    """Its observation grows."""

    def look(self):
        return np.zeros(3 + self.t, np.float32)


def test_what_fails_in_its_first_steps_is_told_before_anything_is_learned(known):
    with pytest.raises(UserError, match=r"fails in its first steps \(ValueError"):
        build(Specification(known(Broken(PICTURE, Discrete(2))), size=8), 0)
    growing = Growing(Box(-1, 1, (3,), np.float32), Discrete(2))
    with pytest.raises(UserError, match=r"different sizes, \(3,\) and then \(4,\)"):
        build(Specification(known(growing), pixels=False), 0)


class Drawn(Plain):
    """It draws one thin white line on black, where its observation is no picture."""

    metadata = {"render_modes": ["rgb_array"]}

    def render(self):
        lines = np.zeros((400, 600, 3), np.uint8)
        lines[203] = 255
        return lines


def test_thin_lines_stay_in_drawings(known):
    env = build(Specification(known(Drawn(Box(-1, 1, (4,), np.float32), Discrete(2)))), 0)
    assert env.frame == (3, 84, 84)
    assert env.reset(seed=0)[0].max() > 30


def test_a_module_may_be_named_that_makes_it_known(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "import gymnasium\ngymnasium.register('tests/Named-v0', 'gymnasium.envs.classic_control:PendulumEnv')\n"
    (tmp_path / "makes_it_known.py").write_text(text)
    assert build(Specification("makes_it_known:tests/Named-v0", pixels=False), 0).frame == (3,)
    gymnasium.registry.pop("tests/Named-v0")
    with pytest.raises(UserError, match="the module not_there, which does not load"):
        build(Specification("not_there:Named-v0"), 0)


@pytest.mark.parametrize(("wrong", "meant"), [
    ("Catch-v0", "twofold/Catch-v0"),
    ("Pong-v5", "ALE/Pong-v5"),
    ("cartpole-swingup", "dm_control/cartpole-swingup-v0"),
])  # fmt: skip
def test_the_nearest_name_is_found_in_all_libraries(wrong, meant):
    pytest.importorskip("ale_py")
    pytest.importorskip("dm_control")
    with pytest.raises(UserError, match=f'Did you mean "{meant}"'):
        build(Specification(wrong), 0)


@pytest.mark.parametrize(("name", "asked"), [
    ("twofold/Catch-v0", {"sticky": 0.25}),
    ("twofold/Catch-v0", {"noops": 0}),
    ("twofold/Catch-v0", {"fast_render": True}),
    ("ALE/Pong-v5", {"fast_render": True}),
    ("ALE/Pong-v5", {"layout": "hwc"}),
    ("dmc/walker-walk", {"observation": "x"}),
    ("dmc/walker-walk", {"preprocessing": "gymnasium"}),
    ("twofold/Catch-v0", {"layout": "hwc"}),
    ("ALE/Pong-v5", {"action_range": (-1.0, 1.0)}),
])  # fmt: skip
def test_what_would_change_nothing_in_this_make_is_refused(name, asked):
    option = f"--{next(iter(asked)).replace('_', '-')}"
    with pytest.raises(UserError, match=rf"{option} is of .*, and {name} is none of them"):
        build(Specification(name, **asked), 0)


@pytest.mark.parametrize("asked", [
    {"size": 0}, {"action_repeat": 0}, {"noops": -1}, {"frame_cap": 0}, {"sticky": 1.5}, {"action_range": (1.0, 1.0)},
])  # fmt: skip
def test_what_no_environment_can_be_asked_is_refused(asked):
    name = "--action-range" if "action_range" in asked else next(iter(asked))
    with pytest.raises(UserError, match=name):
        build(Specification("twofold/Catch-v0", **asked), 0)


def test_real_vectors_from_gymnasium():
    env = build(Specification("Pendulum-v1", pixels=False), 0)
    assert world_of(env) == ((3,), False, 1, False)
    frame, *_ = env.step(np.asarray([2.0], np.float32))
    assert frame.dtype == np.float32
