"""Atari: the protocol of the authors, on real games (field notes 5, 10, 20, 38)."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest
import torch

from twofold.control.environments.factory import build
from twofold.control.environments.specification import Specification, protocol, repeat_of
from twofold.control.pictures import resize
from twofold.errors import UserError

pytest.importorskip("ale_py")


def test_the_factory_takes_the_game_not_the_ids_defaults():
    """Note 10: sticky 0, one decision is four frames, and the line of the run says so."""
    env = build(Specification("ALE/Pong-v5"), 0)
    assert env.ale.getFloat("repeat_action_probability") == 0
    _, info = env.reset(seed=1)
    before = env.ale.getEpisodeFrameNumber()
    _, _, _, _, after = env.step(0)
    assert env.ale.getEpisodeFrameNumber() - before == 4
    assert after["raw_frames"] - info["raw_frames"] == 4
    line = protocol(Specification("ALE/Pong-v5"))
    assert "sticky 0" in line
    assert "4 frames a decision" in line
    assert "cut off after 108,000 frames" in line
    assert repeat_of(Specification("ALE/Pong-v5", action_repeat=2)) == 2


@pytest.mark.parametrize(("preprocessing", "sticky"), [("reference", 0.0), ("gymnasium", 0.0), ("reference", 0.25)])
def test_the_same_seed_and_actions_give_the_same_frames(preprocessing, sticky):
    env = build(Specification("ALE/Breakout-v5", preprocessing=preprocessing, sticky=sticky), 0)
    found = []
    for seed in (4, 5, 4):
        rng = np.random.default_rng(0)
        frames = [env.reset(seed=seed)[0]] + [env.step(int(rng.integers(4)))[0] for _ in range(30)]
        found.append(np.stack(frames))
    np.testing.assert_array_equal(found[0], found[2])
    assert found[0].shape[1:] == (1, 84, 84)


def test_sticky_actions_are_a_choice():
    env = build(Specification("ALE/Pong-v5", sticky=0.25), 0)
    env.reset(seed=0)
    assert env.ale.getFloat("repeat_action_probability") == pytest.approx(0.25)


def test_a_game_begins_with_fewer_frames_without_action_than_asked():
    env = build(Specification("ALE/Pong-v5"), 0)
    waited = {env.reset(seed=seed)[1]["raw_frames"] for seed in range(10)}
    assert len(waited) > 4
    assert max(waited) < 30
    assert build(Specification("ALE/Pong-v5", noops=0), 0).reset(seed=0)[1]["raw_frames"] == 0


class Console:
    """Three lives, each lost after five frames; the screen shows a counter that only a new game sets back."""

    def __init__(self) -> None:
        self.count, self.losses = 0, 0

    def reset_game(self):
        self.count, self.losses = 0, 0

    def act(self, button):
        self.count += 1
        self.losses = self.count // 5
        return 0.0

    def lives(self):
        return 3 - self.losses

    def game_over(self):
        return self.losses >= 3

    def getScreenGrayscale(self):
        return np.full((210, 160), self.count, np.uint8)


def test_after_a_lost_life_the_game_goes_on_and_after_the_last_it_begins_anew():
    """Note 5."""
    env = build(Specification("ALE/Breakout-v5", noops=0, action_repeat=1), 0)
    env.ale = Console()
    env.reset()
    seen, lost = [], []
    over = False
    while not over:
        frame, _, over, _, info = env.step(0)
        seen.append(int(frame[0, 0, 0]))
        lost.append(info["life_lost"])
        if info["life_lost"]:
            seen.append(int(env.reset(options={"life": True})[0][0, 0, 0]))
    assert seen == list(range(1, 16))
    assert sum(lost) == 2
    assert int(env.reset()[0][0, 0, 0]) == 0


def test_the_last_life_of_a_game_that_shows_none_is_no_lost_life():
    """Q*bert shows 0 lives before it is over."""
    env = build(Specification("ALE/Breakout-v5", noops=0, action_repeat=1), 0)
    env.ale = Console()
    env.ale.game_over = lambda: False
    env.reset()
    told = [env.step(0)[4]["life_lost"] for _ in range(16)]
    assert sum(told) == 2


def test_an_unknown_game_is_named_with_its_nearest():
    with pytest.raises(UserError, match="ALE/Jamesbond-v5"):
        build(Specification("ALE/JamesBond-v5"), 0)


def hide(monkeypatch, error: ImportError) -> None:
    """Let `import ale_py` raise this."""
    real = builtins.__import__

    def hidden(name, *arguments, **settings):
        if name.partition(".")[0] == "ale_py":
            raise error
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", hidden)
    monkeypatch.delitem(sys.modules, "ale_py", raising=False)


def test_a_missing_package_is_one_line(monkeypatch):
    hide(monkeypatch, ModuleNotFoundError("No module named 'ale_py'", name="ale_py"))
    with pytest.raises(UserError, match=r'which you install yourself .*pip install "ale-py'):
        build(Specification("ALE/Pong-v5"), 0)


def test_a_package_that_does_not_load_is_not_called_missing(monkeypatch):
    """Note 20: never "not installed" where it is."""
    hide(monkeypatch, ImportError("libz.so.1: cannot open shared object file"))
    with pytest.raises(UserError, match=r"that loads, and yours does not \(libz"):
        build(Specification("ALE/Pong-v5"), 0)


def test_a_game_without_its_file_names_the_version(monkeypatch):
    import ale_py

    monkeypatch.setattr(ale_py.roms, "get_rom_path", lambda game: None)
    with pytest.raises(UserError, match=f"ale-py {ale_py.__version__} came without the file of ALE/Pong-v5"):
        build(Specification("ALE/Pong-v5"), 0)


@pytest.mark.parametrize("name", ["PongNoFrameskip-v4", "Pong-v4", "ale_py:ALE/Pong-v5"])
def test_names_with_rules_of_their_own_are_refused(name):
    """Note 10: their frame skips and sticky actions would come on top of ours, or instead."""
    with pytest.raises(UserError, match=r"name the game as ALE/Pong-v5"):
        build(Specification(name), 0)


def test_vectors_of_a_game_are_refused():
    with pytest.raises(UserError, match="pictures alone"):
        build(Specification("ALE/Pong-v5", pixels=False), 0)


def test_the_cap_cuts_a_game_off():
    env = build(Specification("ALE/Pong-v5", noops=0, frame_cap=10), 0)
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


class Watched:
    """A console that keeps the screen after each frame."""

    def __init__(self, ale) -> None:
        self.ale, self.screens = ale, []

    def __getattr__(self, name):
        return getattr(self.ale, name)

    def act(self, button):
        reward = self.ale.act(button)
        self.screens.append(self.ale.getScreenGrayscale())
        return reward


def last_step(preprocessing):
    """What is seen after a step, and the last two screens of it."""
    env = build(Specification("ALE/Breakout-v5", noops=0, preprocessing=preprocessing), 0)
    env.reset(seed=0)
    env.ale = Watched(env.ale)
    frame = [env.step(action)[0] for action in (1, 2, 2)][-1]
    return frame, env.ale.screens[-2:]


def test_small_pictures_are_made_before_the_brighter_is_taken():
    """Spec 11.3: grey, small, then the brighter of the last two; gymnasium's way takes the brighter of whole screens
    and means over areas."""
    screens = {way: last_step(way) for way in ("reference", "gymnasium")}
    small, (one, two) = screens["reference"]
    np.testing.assert_array_equal(small[0], np.maximum(resize(one, 84), resize(two, 84)))
    means, (one, two) = screens["gymnasium"]
    np.testing.assert_array_equal(means[0], resize(np.maximum(one, two), 84, "area"))
    assert not np.array_equal(small, means)


def test_an_old_gymnasium_is_named_not_called_missing(monkeypatch):
    import gymnasium

    for name in [name for name in gymnasium.registry if name.startswith("ALE/")]:
        monkeypatch.delitem(gymnasium.registry, name)
    monkeypatch.delattr(gymnasium.vector, "AutoresetMode")
    monkeypatch.delitem(sys.modules, "ale_py.vector_env", raising=False)
    with pytest.raises(UserError, match=f"gymnasium {gymnasium.__version__}"):
        build(Specification("ALE/Pong-v5"), 0)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_pictures_shrink_as_opencv_shrinks_them(channels):
    """Note 38: within one grey level of the linear way, here against torch's, which is OpenCV's."""
    pixels = np.random.default_rng(0).integers(0, 256, (210, 160, *channels)).astype(np.uint8)
    layers = torch.from_numpy(pixels.reshape(210, 160, -1)).permute(2, 0, 1)[None].float()
    linear = torch.nn.functional.interpolate(layers, (84, 84), mode="bilinear", align_corners=False)
    own = resize(pixels, 84).reshape(84, 84, -1).astype(int)
    assert np.abs(own - linear[0].permute(1, 2, 0).numpy()).max() <= 1
    area = torch.nn.functional.adaptive_avg_pool2d(layers[..., :160], (21, 16))
    means = resize(pixels[:, :160], 84, "area").reshape(84, 84, -1)
    assert means.mean() == pytest.approx(area.mean().item(), abs=1)


def test_area_means_are_those_of_whole_cells():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8)
    cells = pixels.reshape(10, 4, 10, 4).mean((1, 3))
    np.testing.assert_allclose(resize(pixels, 10, "area"), cells, atol=0.51)
