"""The page of several agents: their scores over games and seeds, with intervals."""

from __future__ import annotations

import json

import pytest

from twofold.control.report.scores import scores_section
from twofold.page.read import read_run


def run(folder, agent, game, seed, score, rules="", steps=1000):
    """The folder of an agent that has played two episodes of a game."""
    path = folder / f"{agent}-{game.rpartition('/')[2]}-{seed}"
    path.mkdir()
    (path / "config.yaml").write_text(f"method: {agent}\nkind: control\ndata: {game}\nseed: {seed}\nsteps: {steps}\n")
    row = {"protocol": "returns", "metric": "return", "name": agent, "floor": False, "data": game, "seed": seed,
           "conditions": {"environment": f"{game}: 4 frames a decision{rules}"}}  # fmt: skip
    scores = [score - 1.0, score + 1.0]
    (path / "evaluation.json").write_text(json.dumps([{**row, "value": score, "settings": "", "episodes": scores}]))
    return read_run(path)


def test_agents_over_games_and_seeds(tmp_path):
    games = {"ALE/Pong-v5": (-20.7, 14.6), "ALE/Boxing-v5": (0.1, 12.1)}
    runs = [
        run(tmp_path, agent, game, seed, low + share * (high - low) * (seed + 1))
        for agent, share in (("rainbow", 0.1), ("rainbow+rcrl", 0.2))
        for game, (low, high) in games.items()
        for seed in range(3)
    ]
    (section,) = scores_section(runs)
    content = section.content
    assert content.header[1:] == ["tasks x seeds x episodes", "mean", "median", "IQM", "optimality gap",
                                  "probability of improvement"]  # fmt: skip
    assert [row[0] for row in content.rows] == ["rainbow", "rainbow+rcrl", "rainbow+rcrl - rainbow"]
    assert content.rows[0][:2] == ["rainbow", "2 x 3 x 2"]
    assert content.rows[0][2].startswith("0.2 [") and content.rows[0][6] == ""
    assert content.rows[2][2].startswith("0.2 [") and content.rows[2][6].startswith("0.833 [")
    assert content.notes[0].startswith("Scores human-normalised;")


def test_other_games_are_as_they_are_and_few_seeds_have_no_interval(tmp_path):
    (section,) = scores_section([run(tmp_path, "sac", "Pendulum-v1", seed, -100.0) for seed in range(2)])
    assert section.content.rows == [["sac", "1 x 2 x 2", "-100", "-100", "-100"]]
    assert "as the environments give them" in section.content.notes[0]
    assert section.content.notes[1] == "sac: no interval of fewer than 3 seeds, and Pendulum-v1 has 2."


def test_what_cannot_be_summed_up_is_said(tmp_path):
    one = run(tmp_path, "sac", "Pendulum-v1", 0, 1.0)
    assert scores_section([one]) == []
    (section,) = scores_section([one, one])
    assert section.content.rows == []
    assert section.content.notes == [
        "Scores are not summed up: Episode 0 of sac, Pendulum-v1, seed 0 is there twice: remove one of the two."
    ]


@pytest.mark.parametrize("damaged", ['[{"protocol": "returns"}]', "{"])
def test_a_damaged_measurement_ends_no_page(tmp_path, damaged):
    runs = [run(tmp_path, "sac", "Pendulum-v1", seed, 1.0) for seed in range(2)]
    (runs[0].path / "evaluation.json").write_text(damaged)
    for section in scores_section([read_run(one.path) for one in runs]):
        assert section.content.notes


def test_runs_by_different_rules_are_not_summed_up(tmp_path):
    """Field note 31: scores of sticky actions, or of ten times the decisions, are scores of something else."""
    game = "ALE/Pong-v5"
    plain = run(tmp_path, "rainbow", game, 0, 1.0)
    sticky = run(tmp_path, "rainbow", game, 1, 1.0, rules=", sticky 0.25")
    longer = run(tmp_path, "rainbow", game, 2, 1.0, steps=10_000)
    other = run(tmp_path, "rainbow", "ALE/Boxing-v5", 0, 1.0, rules=", sticky 0.25")
    for one, words in ((sticky, "others and sticky 0.25"), (longer, "1000 decisions and 10000 decisions")):
        (section,) = scores_section([plain, one])
        assert section.content.rows == []
        assert f"played ALE/Pong-v5 by different rules, {words}: sum up" in section.content.notes[0]
    assert scores_section([plain, other])[0].content.rows
