"""Strangers' environments that keep to no rules: each is played, or refused in one sentence that says where."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Sequence, Tuple

import twofold
from twofold.control.environments.factory import build
from twofold.control.environments.specification import Specification
from twofold.errors import UserError

PICTURE, VECTOR = Box(0, 255, (12, 12, 3), np.uint8), Box(-1, 1, (4,), np.float32)


class Odd(gymnasium.Env):
    """An environment whose parts are replaced: seen, reward, ended and info are functions of the step; failing names
    the step of the third and later episodes that raises."""

    def __init__(self, space=VECTOR, act=None, *, failing=0, length=6, drawn=None, **given) -> None:
        self.observation_space, self.action_space = space, Discrete(2) if act is None else act
        self.metadata = {"render_modes": ["rgb_array"] if drawn is not None else []}
        self.given, self.failing, self.length, self.drawn = given, failing, length, drawn
        self.t = self.episodes = 0
        self.actions: list[Any] = []

    def make(self, what, usual):
        return self.given[what](self.t) if what in self.given else usual

    def look(self):
        return self.make("seen", np.zeros(self.observation_space.shape or (), self.observation_space.dtype))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.episodes = 0, self.episodes + 1
        return self.look(), self.make("info", {})

    def step(self, action):
        self.t += 1
        self.actions.append(action)
        if self.failing == self.t and self.episodes > 2:
            raise RuntimeError("the simulator died\nsomewhere.")
        dead, late = self.make("ended", (self.t >= self.length, False))
        return self.look(), self.make("reward", 1.0), dead, late, self.make("info", {})

    def render(self):
        return self.drawn

    def close(self):
        if self.given.get("close"):
            raise OSError("no window")


@pytest.fixture
def odd(monkeypatch):
    """odd(**settings of Odd) -> (an id under which it is made, the environment)."""
    names: list[str] = []

    def register(*spaces: Any, **settings: Any) -> tuple[str, Odd]:
        name, env = f"tests/Odd{len(names)}-v0", Odd(*spaces, **settings)
        gymnasium.register(name, entry_point=lambda render_mode=None: env, order_enforce=False)
        names.append(name)
        return name, env

    yield register
    for name in names:
        gymnasium.registry.pop(name)


def played(name: str, steps: int = 20, **asked: Any) -> list[Any]:
    """What so many steps give, in as many episodes as it takes."""
    env = build(Specification(name, **{"pixels": False, **asked}), 0)
    env.reset(seed=0)
    found = []
    for _ in range(steps):
        found.append(env.step(0 if env.discrete else np.zeros(env.actions, np.float32)))
        if found[-1][2] or found[-1][3]:
            env.reset(seed=0)
    env.close()
    return found


@pytest.mark.parametrize("reward", [1, True, np.float16(1), np.asarray(1.0), np.asarray([[1]]), [1.0]])
def test_a_reward_is_one_number_in_any_dress(odd, reward):
    assert {step[1] for step in played(odd(reward=lambda t: reward)[0])} == {1.0}


@pytest.mark.parametrize("reward", ["1", None, 1j, {"a": 1.0}, [1.0, 2.0], np.zeros(0), object()])
def test_what_is_no_reward_is_refused(odd, reward):
    with pytest.raises(UserError, match=r"tests/Odd0-v0 gives a reward that is not one number"):
        played(odd(reward=lambda t: reward)[0])


def test_flags_are_one_truth(odd):
    for ended in (lambda t: (np.asarray([t == 6]), np.False_), lambda t: (int(t == 6), 0.0)):
        assert sum(step[2] for step in played(odd(ended=ended)[0], 18)) == 3
    for ended in ("False", None, [True, False], {"__all__": False}):
        with pytest.raises(UserError, match="not one true or false"):
            played(odd(ended=lambda t, ended=ended: (ended, False))[0])


def test_a_record_that_tells_no_lives_is_one(odd):
    for info in (None, {}, {"lives": None}, {"lives": [3, 2]}, {"lives": "3"}, []):
        assert not any(step[4]["life_lost"] for step in played(odd(info=lambda t, info=info: info)[0]))
    lives = odd(info=lambda t: {"lives": np.asarray([3 - t // 2])})[0]
    assert [step[4]["life_lost"] for step in played(lives, 6)] == [False, True, False, True, False, False]


def test_a_failure_in_the_middle_names_episode_step_and_action(odd, tmp_path):
    words = (
        r"fails in frame 4 of episode 2, at action [01] \(RuntimeError: the simulator died\): mend it; a run then goes"
    )
    with pytest.raises(UserError, match=words):
        twofold.check(odd(failing=4)[0], pixels=False)
    with pytest.raises(UserError, match=r"fails in frame 4 of episode \d, at action [01] \(RuntimeError"):
        twofold.pretrain(
            "rainbow", odd(failing=4)[0], pixels=False, steps=60, learn_start=20, out=tmp_path / "x", quiet=True
        )


def test_an_environment_that_leaves_the_program_does_not(odd):
    with pytest.raises(UserError, match=r"fails in its first steps \(SystemExit"):
        played(odd(reward=lambda t: exit(3))[0])


def test_a_close_that_fails_loses_nothing(odd):
    played(odd(close=True)[0])
    with pytest.raises(UserError, match="draws none"):
        build(Specification(odd(close=True)[0]), 0)


@pytest.mark.parametrize("seen", [
    lambda t: np.full(4, np.nan if t == 3 else 0, np.float32),
    lambda t: np.full(4, np.inf, np.float32),
    lambda t: None,
    lambda t: np.full(4, 1e300),
])  # fmt: skip
def test_observations_that_are_no_numbers_are_refused(odd, seen):
    with pytest.raises(UserError, match=r"observation with numbers that are none or infinite, before frame \d of"):
        played(odd(seen=seen)[0])


@pytest.mark.parametrize("later", [1, 5])
def test_a_size_that_changes_later_is_refused(odd, later):
    with pytest.raises(UserError, match=rf"different sizes, \(4,\) and then \({later},\)"):
        played(odd(seen=lambda t: np.zeros(later if t > 3 else 4, np.float32))[0])


def test_nothing_to_see_or_do_is_refused(odd):
    with pytest.raises(UserError, match="in which there is nothing"):
        played(odd(Box(-1, 1, (0,), np.float32))[0])
    with pytest.raises(UserError, match="without any number in them"):
        played(odd(VECTOR, Box(-1, 1, (0,), np.float32))[0])


UNIT = Box(0, 1, (12, 12, 3), np.float32)


@pytest.mark.parametrize(("space", "seen"), [
    (UNIT, np.full((12, 12, 3), 200.0, np.float32)),
    (UNIT, np.full((12, 12, 3), 200, np.uint8)),
    (UNIT, np.full((12, 12, 3), np.nan, np.float32)),
    (Box(0, 255, (12, 12, 3), np.float32), np.full((12, 12, 3), 0.3, np.float32)),
    (Box(0, 255, (12, 12, 3), np.float32), np.full((12, 12, 3), -3, np.float32)),
    (PICTURE, np.full((12, 12, 3), 0.3)),
    (PICTURE, np.full((12, 12, 3), 300)),
])  # fmt: skip
def test_pictures_out_of_the_bounds_they_are_said_to_have_are_refused(odd, space, seen):
    """They would be cut to all black or all white, and nobody would know."""
    with pytest.raises(UserError, match="where its observation space says 0 to"):
        played(odd(space, seen=lambda t: seen)[0], pixels=True)


@pytest.mark.parametrize("drawn", [
    np.zeros((3, 20, 30), np.uint8), np.zeros((20, 30, 3)), [np.zeros((20, 30, 3), np.uint8)], "text",
    np.zeros((0, 0, 3), np.uint8), np.full((20, 30, 3), 256), np.zeros((20, 30, 2), np.uint8),
])  # fmt: skip
def test_what_is_drawn_must_be_a_picture(odd, drawn):
    with pytest.raises(UserError, match="and no picture of height, width and 3 colours"):
        played(odd(drawn=drawn)[0], pixels=True)


@pytest.mark.parametrize(("space", "seen", "width"), [
    (MultiBinary(5), np.ones(5, np.int8), 5),
    (MultiDiscrete([3, 4]), np.asarray([2, 1]), 7),
    (Tuple([Discrete(3, start=1), VECTOR]), (2, np.zeros(4)), 7),
    (Dict(b=Dict(a=VECTOR), a=Discrete(2)), {"a": 1, "b": {"a": np.zeros(4)}}, 6),
])  # fmt: skip
def test_observations_of_any_kind_become_numbers(odd, space, seen, width):
    assert played(odd(space, seen=lambda t: seen)[0])[0][0].shape == (width,)


def test_observations_without_a_size_are_refused(odd):
    with pytest.raises(UserError, match="of the kind Sequence"):
        played(odd(Sequence(Discrete(3)), seen=lambda t: (1,))[0])


def test_what_was_guessed_of_the_pictures_is_told(odd):
    drawn = odd(drawn=np.zeros((20, 30, 3), np.uint8))[0]
    assert "what is drawn is seen" in build(Specification(drawn), 0).notes[0]
    both = Dict(camera=PICTURE, speed=VECTOR)
    seen = {"camera": np.zeros((12, 12, 3), np.uint8), "speed": np.zeros(4)}
    name = odd(both, seen=lambda t: seen)[0]
    first, second = build(Specification(name), 0).notes
    assert first == "Of the observations camera, speed the only picture is seen: camera."
    assert second == "Pictures of 12 x 12 x 3 are taken as height, width, channels; --layout chw otherwise."
    assert build(Specification(name, observation="camera", layout="hwc"), 0).notes == ()
    assert build(Specification(name, pixels=False), 0).notes == ()


def test_grey_of_what_has_no_colours_is_refused(odd):
    stacked = Box(0, 255, (12, 12, 6), np.uint8)
    with pytest.raises(UserError, match="6 channels, which are no colours"):
        played(odd(stacked)[0], pixels=True, grey=True)


class Pushed(Odd):
    """It changes the action that it is given."""

    def step(self, action):
        found = super().step(action.copy())
        action[...] = 9
        return found


def test_a_held_action_is_the_same_in_every_frame(monkeypatch):
    env = Pushed(VECTOR, Box(-2, 2, (1,), np.float32))
    gymnasium.register("tests/Pushed-v0", entry_point=lambda: env, order_enforce=False)
    built = build(Specification("tests/Pushed-v0", pixels=False, action_repeat=3), 0)
    built.reset(seed=0)
    built.step(np.asarray([0.5], np.float32))
    gymnasium.registry.pop("tests/Pushed-v0")
    assert np.concatenate(env.actions[-3:]).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rewards_that_are_no_number_are_left_out_of_scores_only_where_asked_for(odd, tmp_path, value, capsys):
    """Field note 29: refused in training and in evaluation; counted where they are to be left out."""
    name = odd(reward=lambda t: value if t == 3 else 1.0)[0]
    settings = {"pixels": False, "steps": 80, "learn_start": 40, "eval_episodes": 2, "batch_size": 8, "report": False}
    with pytest.raises(UserError, match=r"The reward of step 3 of game 1 is (nan|inf)"):
        twofold.pretrain("rainbow", name, out=tmp_path / "refused", **settings)
    run = twofold.pretrain("rainbow", name, out=tmp_path / "dropped", on_nan="drop", **settings)
    assert re.search(r"step 40 of 40: .*rewards that are no number left out: \d+", capsys.readouterr().out)
    with pytest.raises(UserError, match=r"The reward of step 3 of episode 1 is (nan|inf).*--on-nan drop"):
        twofold.evaluate(str(run), name, quiet=True)
    capsys.readouterr()
    rows = twofold.evaluate(str(run), name, quiet=True, on_nan="drop", episodes=4)
    assert rows[0]["value"] == 5.0
    assert "4 whole episodes, rewards that are no number left out: 4" in capsys.readouterr().out
    assert twofold.check(name, pixels=False)["tried"]["no_number"] == 83
    assert "83 of these rewards are no number, the first in step 3" in capsys.readouterr().out


def test_rewards_beyond_what_can_be_stored_are_refused(odd, tmp_path):
    name = odd(VECTOR, Box(-1, 1, (1,), np.float32), reward=lambda t: 1e39)[0]
    with pytest.raises(UserError, match=r"The reward of step 1 of game 1 is 1e\+39"):
        twofold.pretrain("sac", name, pixels=False, steps=60, learn_start=20, out=tmp_path / "x", quiet=True)


def test_check_tells_what_does_not_repeat_itself(odd, capsys):
    draws = np.random.default_rng(0)
    name = odd(seen=lambda t: draws.random(4))[0]
    assert not twofold.check(name, pixels=False)["tried"]["repeats"]
    assert "does not repeat itself from the same seed" in capsys.readouterr().out
    assert twofold.check("twofold/Catch-v0")["tried"]["repeats"]


class Bare(gymnasium.Env):
    """It takes no render_mode, and has what it is given."""

    metadata = {"render_modes": ["human"]}


def test_an_environment_without_spaces_or_pictures_is_one_sentence(monkeypatch):
    gymnasium.register("tests/Bare-v0", entry_point=Bare)
    try:
        with pytest.raises(UserError, match=r"fails in its first steps .*observation_space"):
            build(Specification("tests/Bare-v0"), 0)
        monkeypatch.setattr(Bare, "observation_space", VECTOR, raising=False)
        monkeypatch.setattr(Bare, "action_space", Discrete(2), raising=False)
        with pytest.raises(UserError, match=r"gives no pictures.*and draws none: give --pixels false"):
            build(Specification("tests/Bare-v0"), 0)
    finally:
        gymnasium.registry.pop("tests/Bare-v0")
