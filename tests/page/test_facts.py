"""How a run ended, and whether its features collapsed."""

import json

import pytest

from twofold.page.facts import collapse, outcome
from twofold.page.words import Noun


@pytest.mark.parametrize(
    ("spread", "rank", "level", "word"),
    [
        ("0.95", "60", "good", "healthy"),
        ("0.95", "", "good", "healthy"),
        ("0.2", "60", "warn", "crowded"),
        ("0.02", "60", "bad", "collapsed"),
        ("0.9", "1.3", "bad", "collapsed"),
        ("0.9", "3.3", "warn", "thin"),
        ("nan", "60", "bad", "broken"),
        ("", "", "unknown", "not watched"),
    ],
)
def test_collapse(bare, spread, rank, level, word):
    verdict = collapse(bare(["step,spread,effective_rank", f"1,{spread},{rank}", "2,,"]), Noun("frame", "frames"))
    assert (verdict.level, verdict.word) == (level, word) and verdict.text.endswith(".")


@pytest.mark.parametrize(
    ("ranks", "limit", "level", "word"),
    [
        ((33, 20, 5.3), 64, "warn", "shrunk"),
        ((33, 20, 9.0), 64, "good", "healthy"),
        ((14, 14.0), 256, "good", "healthy"),
        ((7, 8.0), 256, "warn", "thin"),
        ((4.5, 4.2), 8, "good", "healthy"),
        ((5.5, 4.2), 32, "warn", "thin"),
    ],
)
def test_a_rank_is_judged_by_the_width_and_by_the_run(bare, ranks, limit, level, word):
    rows = [f"{step},0.9,{rank},{limit}" for step, rank in enumerate(ranks)]
    verdict = collapse(bare(["step,spread,effective_rank,effective_rank_limit", *rows]), Noun("frame", "frames"))
    assert (verdict.level, verdict.word) == (level, word) and f"of {limit}" in verdict.text
    assert ("down from 33" in verdict.text) is (word == "shrunk")


LEARNED = "model.safetensors"


def test_outcome(bare):
    assert outcome(bare(["step,loss"]), LEARNED).word == "no steps"
    stopped = outcome(bare(["step,epoch,loss", "1200,12.5,3"]), LEARNED)
    assert stopped.word == "stopped" and "step 1,200, epoch 12.5 of 50 epochs" in stopped.text
    assert outcome(bare(["step,loss", "9,nan"]), LEARNED).word == "diverged"
    assert outcome(bare(["step,loss", "9,1"], "backbone.safetensors"), "backbone.safetensors").word == "finished"


@pytest.mark.parametrize(("ended", "early"), [("finished", False), ("enough", True)])
def test_a_run_that_ended_early_says_so_in_its_folder(bare, tmp_path, ended, early):
    (tmp_path / "outcome.json").write_text(json.dumps({"ended": ended, "steps": 9, "epochs": 1}))
    verdict = outcome(bare(["step,loss", "9,1"], "model.safetensors"), LEARNED)
    assert verdict.word == "finished" and ("as nothing more was gained" in verdict.text) is early


def test_older_folders_say_it_in_their_log(bare, tmp_path):
    (tmp_path / "log.txt").write_text("2026-02-03 10:22:05 Nothing more is gained: ended after step 90 of 10,000.\n")
    verdict = outcome(bare(["step,epoch,loss", "90,9,1"], "model.safetensors"), LEARNED)
    assert verdict.text == "Finished at step 90, epoch 9, as nothing more was gained."
    assert outcome(bare(["step,loss", "9,nan"], "model.safetensors"), LEARNED).word == "diverged"


@pytest.mark.parametrize("new", [True, False])
def test_nothing_to_train(bare, tmp_path, new):
    run = bare([])
    assert outcome(run, LEARNED).word == "no steps"
    if new:
        (tmp_path / "outcome.json").write_text('{"ended": "untrained"}')
        assert outcome(bare([]), LEARNED).word == "not trained"
    else:
        assert outcome(bare([], config="method: popularity\nout: x\nseed: 0\n"), LEARNED).word == "not trained"


def test_a_broken_outcome_is_a_note(bare, tmp_path):
    (tmp_path / "outcome.json").write_text("[")
    run = bare(["step,loss", "9,1"])
    assert outcome(run, LEARNED).word == "stopped" and run.notes[0].startswith("outcome.json could not be read")
