"""Reference scores and human-normalised ones."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.control.evaluation.atari_scores import SCORES, game_of, human_normalised
from twofold.control.evaluation.bootstrap import mean, median


def test_the_table_of_the_benchmark_gives_its_published_sums():
    """Data-efficient Rainbow: mean 0.285 and median 0.161 of human-normalised scores over 26 games."""
    found = [human_normalised(f"ALE/{game}-v5", reference.efficient) for game, reference in SCORES.items()]
    assert len(found) == 26
    one_seed = [np.asarray([score]) for score in found]
    assert mean(one_seed) == pytest.approx(0.285, abs=5e-4)
    assert median(one_seed) == pytest.approx(0.161, abs=5e-4)


def test_chance_is_0_and_a_human_1():
    for game, reference in SCORES.items():
        assert human_normalised(f"ALE/{game}-v5", reference.random) == 0
        assert human_normalised(f"ALE/{game}-v5", reference.human) == pytest.approx(1)


@pytest.mark.parametrize("name", ["ALE/UpNDown-v5", "UpNDownNoFrameskip-v4", "UpNDownDeterministic-v0", "up_n_down"])
def test_games_are_found_by_their_ids_and_names(name):
    assert game_of(name) == "UpNDown"


@pytest.mark.parametrize("name", ["CartPole-v1", "ALE/Tetris-v5", "MinAtar/Breakout-v1", "Breakout-v0", "", "ALE/-v5"])
def test_other_games_of_the_name_have_no_reference(name):
    assert game_of(name) == ""
    assert human_normalised(name, 3.0) is None


def test_every_game_is_one_of_the_emulator():
    gymnasium = pytest.importorskip("gymnasium")
    pytest.importorskip("ale_py")
    assert {f"ALE/{game}-v5" for game in SCORES} <= set(gymnasium.registry)
