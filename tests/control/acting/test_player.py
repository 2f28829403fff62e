"""Environments played decision by decision: frames, ends, lives, and games that are played again."""

from __future__ import annotations

import numpy as np

from twofold.control.acting.evaluation import Filming, play
from twofold.control.acting.player import Player
from twofold.control.experience.replay import Shape

from ..small import Counter

SHAPE = Shape((1, 4, 4), stack=3)
NOTHING = np.asarray(0)


def numbers(state: np.ndarray) -> list[int]:
    return state[:, 0, 0].tolist()


def test_a_step_has_the_frame_before_and_the_one_after():
    player = Player(Counter((3,), "truncated"), SHAPE, lambda game: game)
    player.begin()
    made = [player.step(NOTHING) for _ in range(3)]
    assert [(int(m.frame[0, 0, 0]), int(m.after[0, 0, 0]), m.since_start) for m in made] == [
        (0, 1, 0),
        (1, 2, 1),
        (2, 3, 2),
    ]
    assert made[-1].over
    assert made[-1].cut_off
    assert not made[0].over
    assert numbers(player.state) == [1, 2, 3]
    player.begin()
    assert numbers(player.state) == [0, 0, 0]


def test_both_ends_at_once_are_death():
    player = Player(Counter((1,), "terminated and truncated"), SHAPE, lambda game: game)
    player.begin()
    made = player.step(NOTHING)
    assert made.over
    assert not made.cut_off


def test_after_a_lost_life_old_frames_are_still_seen():
    player = Player(Counter((9,), lives=(2,)), SHAPE, lambda game: game)
    player.begin()
    made = [player.step(NOTHING) for _ in range(3)]
    assert [m.life_lost for m in made] == [False, True, False]
    assert (int(made[1].after[0, 0, 0]), int(made[2].frame[0, 0, 0])) == (2, 3)
    assert made[2].since_start == made[1].since_start + 2
    assert numbers(player.state) == [2, 3, 4]


def test_a_game_is_played_again_up_to_where_it_was():
    player = Player(Counter((9,), lives=(2,)), SHAPE, lambda game: game)
    player.begin()
    for _ in range(5):
        player.step(NOTHING)
    again = Player(Counter((9,), lives=(2,)), SHAPE, lambda game: game)
    again.repeat(player.game, player.actions)
    assert again.digest == player.digest
    assert again.score == player.score
    assert len(again.actions) == 5


def test_evaluation_plays_whole_games_and_keeps_the_first():
    env = Counter((4, 6), lives=(2,), rewards=lambda t: float(t))
    film = Filming()
    played = play(env, SHAPE, lambda state, draws: NOTHING, 3, seed=0, film=film)
    assert [one.decisions for one in played] == [4, 6, 4]
    assert [one.score for one in played] == [10.0, 21.0, 10.0]
    assert [int(frame[0, 0, 0]) for frame in film.frames] == [0, 1, 2, 3, 4]  # T + 1 frames, lives do not matter
    assert len({one.seed for one in played}) == 3


def test_a_film_keeps_few_frames_of_a_long_episode():
    film = Filming(most=10)
    for number in range(1000):
        film(np.asarray(number))
    assert len(film.frames) <= 10
    assert np.ptp(np.diff([int(frame) for frame in film.frames])) == 0
    assert film.every == 128
