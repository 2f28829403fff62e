"""The verbs on environments and logged episodes, as a user gives them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch

import twofold
from twofold.control.acting.episodes import add_episodes, read_episodes
from twofold.control.acting.evaluation import PlayedEpisode
from twofold.control.environments.factory import build
from twofold.control.environments.specification import Specification
from twofold.control.episode import Episode
from twofold.control.evaluation.gathered import played_in
from twofold.control.evaluation.scores import aggregate
from twofold.control.jobs import acting
from twofold.control.reading.writing import write_episode
from twofold.errors import UserError

CATCH = {"steps": 260, "learn_start": 60, "eval_every": 100, "eval_episodes": 2, "batch_size": 8, "report": False}
SMALL = {"method_options": {"hidden": 16, "n_step": 3, "target_every": 20, "rcrl.count": 8}}


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A folder of a dozen episodes of a game in which the frame tells something of the return."""
    folder = tmp_path_factory.mktemp("episodes")
    env = build(Specification("twofold/Runner-v0"), 0)
    for number in range(12):
        rng = np.random.default_rng(number)
        frames, actions, rewards, lost = [env.reset(seed=number)[0]], [], [], []
        over = False
        while not over and len(actions) < 80:
            action = int(rng.integers(3))
            frame, reward, terminated, truncated, info = env.step(action)
            over = terminated or truncated
            frames.append(frame)
            actions.append(action)
            rewards.append(reward)
            lost.append(info["life_lost"])
        flags = (bool(over), not over)
        arrays = (np.stack(frames), np.asarray(actions), np.asarray(rewards, np.float32), np.asarray(lost))
        write_episode(folder, number, Episode(*arrays, *flags))
    return folder


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """The run of an agent."""
    return twofold.pretrain(
        "rainbow+rcrl",
        "twofold/Catch-v0",
        out=tmp_path_factory.mktemp("runs") / "agent",
        **{**CATCH, "report": True},
        **SMALL,
    )


@pytest.fixture(scope="module")
def encoder(tmp_path_factory, logged):
    """The run of an encoder from logged episodes."""
    out = tmp_path_factory.mktemp("runs") / "encoder"
    return twofold.pretrain("rcrl", str(logged), out=out, steps=20, recipe="bins", method_options={"rcrl.count": 8})


def test_an_encoder_that_is_asked_for_more_steps_ends_in_the_bytes_of_a_longer_run(tmp_path, logged):
    settings = {"save_every": 0, "report": False, "quiet": True, "method_options": {"rcrl.count": 8}}
    for out, lengths in (("on", (4, 7)), ("straight", (7,))):
        for steps in lengths:
            twofold.pretrain("rcrl", str(logged), out=tmp_path / out, recipe="bins", steps=steps, **settings)
    one, two = (tmp_path / which / "encoder.safetensors" for which in ("on", "straight"))
    assert one.read_bytes() == two.read_bytes()


def test_an_agent_learns_and_says_what_it_did(agent):
    log = (agent / "log.txt").read_text()
    for words in (
        "environment: twofold/Catch-v0",
        "260 decisions = 260 frames; 200 updates of 8",
        "520 steps, every frame once",
        "the agent of the end counts, not the best",
        "return at the end, 2 whole episodes",
        "a reconstruction",
    ):
        assert words in log, words
    rows = list(csv.DictReader((agent / "metrics.csv").open()))
    assert float(rows[-1]["decisions"]) == 260
    assert float(rows[-1]["eval_return"]) >= 0
    assert {row.decisions for row in read_episodes(agent)} == {160, 260}
    assert not (agent / "replay").exists()
    entries = json.loads((agent / "evaluation.json").read_text())
    assert {(row["name"], row["floor"]) for row in entries} == {("rainbow+rcrl", False), ("random actions", True)}
    assert all(row["conditions"]["decisions trained"] == 260 for row in entries)
    page = (agent / "report.html").read_text()
    for words in ("Return, evaluated", "An episode of the last evaluation", "What was stored", "Return at the end",
                  "Area under the curve"):  # fmt: skip
        assert words in page, words
    drawn = json.loads(re.search(r'id="page-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])["charts"][
        "run0-eval_return"
    ]
    assert drawn["along"] == "decisions" and drawn["series"][0]["x"]["decisions"] == [160, 260]


def test_the_same_command_again_changes_nothing(agent, capsys):
    before = (agent / "agent.safetensors").read_bytes()
    twofold.pretrain("rainbow+rcrl", "twofold/Catch-v0", out=agent, **{**CATCH, "report": True}, **SMALL)
    assert "finished" in capsys.readouterr().out
    assert (agent / "agent.safetensors").read_bytes() == before


def test_training_does_not_depend_on_evaluation(tmp_path):
    """Field note 19."""
    found = []
    for number, every in enumerate((50, 1000)):
        out = twofold.pretrain(
            "rainbow", "twofold/Catch-v0", out=tmp_path / str(number), **{**CATCH, "eval_every": every}, quiet=True
        )
        found.append((out / "agent.safetensors").read_bytes())
    assert found[0] == found[1]


def test_sac_learns_from_pictures_and_from_vectors(tmp_path):
    few = {"steps": 860, "learn_start": 840, "eval_episodes": 1, "batch_size": 8, "report": False}
    small = {"hidden": 16, "features": 8}
    run = twofold.pretrain("sac+curl+rcrl", "twofold/Reach-v0", out=tmp_path / "reach", method_options=small, **few)
    assert {"critic", "actor", "temperature", "curl", "rcrl"} <= {
        name.removeprefix("loss/") for name in next(csv.reader((run / "metrics.csv").open()))
    }
    run = twofold.pretrain("sac", "Pendulum-v1", pixels=False, out=tmp_path / "pendulum", method_options=small, **few)
    assert "recipe vectors" in (run / "log.txt").read_text()
    rows = twofold.evaluate(str(run), "Pendulum-v1", episodes=1, quiet=True)
    assert rows[0]["metric"] == "return"


def test_an_agent_plays_beside_chance(agent, capsys):
    rows = twofold.evaluate(str(agent), "twofold/Catch-v0", episodes=3)
    said = capsys.readouterr().out
    assert "random actions" in said
    assert "not over seeds" in said
    own = next(row for row in rows if row["metric"] == "return" and not row["floor"])
    assert own["low"] <= own["value"] <= own["high"]
    assert len(own["episodes"]) == 3
    again = twofold.evaluate(str(agent), "twofold/Catch-v0", episodes=3, quiet=True)
    assert [row["value"] for row in again] == [row["value"] for row in rows]
    with pytest.raises(UserError, match="the environment it learned in"):
        twofold.evaluate(str(agent), "twofold/Runner-v0", episodes=1)


def test_an_encoder_foretells_returns_of_episodes_set_aside(encoder, logged, capsys):
    log = (encoder / "log.txt").read_text()
    assert "2 episodes of the log, set aside by the seed" in log
    assert "10 episodes" in log
    rows = twofold.evaluate(str(encoder), str(logged))
    names = {row["name"] for row in rows}
    assert {"untrained network", "pixels"} < names
    kept = {(r["name"], r["protocol"]): r["value"] for r in json.loads((encoder / "evaluation.json").read_text())}
    own = next(row for row in rows if row["protocol"] == "linear" and not row["floor"])
    assert own["value"] == pytest.approx(kept["rcrl", "linear"])  # the same episodes as at the end of the run
    assert "asked about" in capsys.readouterr().out


def test_a_run_on_logs_goes_on_bit_by_bit(tmp_path, logged, monkeypatch):
    settings = {"steps": 12, "save_every": 0, "report": False, "method_options": {"rcrl.count": 8}}
    whole = twofold.pretrain("rcrl+curl", str(logged), out=tmp_path / "whole", **settings)
    from twofold.control.jobs.log_stream import LogStream

    real, seen = LogStream.batch, []

    def stopping(self, positions, key):
        seen.append(key)
        if len(seen) == 7:
            raise RuntimeError("killed")
        return real(self, positions, key)

    monkeypatch.setattr(LogStream, "batch", stopping)
    with pytest.raises(RuntimeError, match="killed"):
        twofold.pretrain("rcrl+curl", str(logged), out=tmp_path / "parts", **settings)
    monkeypatch.setattr(LogStream, "batch", real)
    parts = twofold.pretrain("rcrl+curl", str(logged), out=tmp_path / "parts", **settings)
    assert (whole / "encoder.safetensors").read_bytes() == (parts / "encoder.safetensors").read_bytes()


def test_vectors_of_every_step(encoder, logged, tmp_path):
    file = twofold.embed(str(encoder), str(logged), out=tmp_path / "steps.parquet")
    table = parquet.read_table(file)
    assert table.column_names == ["episode", "step", "reward", "return_to_go", "embedding"]
    assert len(set(table["episode"].to_pylist())) == 12
    assert table["step"].to_pylist()[:3] == [0, 1, 2]


@pytest.mark.parametrize("options", [{}, {"format": "onnx"}, {"format": "onnx", "policy": True}])
def test_exports_give_the_same_numbers(agent, tmp_path, options, capsys):
    suffix = "onnx" if options else "safetensors"
    if options:
        pytest.importorskip("onnxruntime")
    file = twofold.export(str(agent), out=tmp_path / f"x.{suffix}", **options)
    states = torch.randint(0, 256, (2, 4, 10, 10)).to(torch.uint8)
    scope = {"states": states.numpy() if options else states}
    lines = capsys.readouterr().out.split("It loads with:\n")[1]
    exec(lines, scope)
    found = scope["actions" if options.get("policy") else "features"]
    assert len(found) == 2
    assert file.exists()


def test_what_would_happen_is_said_before(logged, capsys):
    numbers = twofold.check("twofold/Catch-v0", method="rainbow+rcrl", steps=1000)
    said = capsys.readouterr().out
    assert "random decisions" in said
    assert "800 updates of 32" in said
    assert numbers["settings"]["replay"] == 2000
    assert (
        twofold.check("twofold/Reach-v0", steps=1000)["settings"]["method"] == "sac"
    )  # what suits, where none is named
    capsys.readouterr()
    found = twofold.check(str(logged))
    assert found["episodes"] == 12
    assert "12 episodes of" in capsys.readouterr().out


def test_agents_are_compared_and_more_seeds_go_on(tmp_path):
    budget = {"steps": 120, "eval_every": 40, "eval_episodes": 1, "batch_size": 8, "report": False, "quiet": True}
    for seeds in (1, 2):
        result = twofold.compare(
            "rainbow,rainbow+rcrl", "twofold/Catch-v0", out=tmp_path / "cmp", seeds=seeds, **budget
        )
    text = json.dumps(result)
    assert "area under the curve" in text
    assert "random actions" in text
    assert result["seeds"] == [0, 1]
    runs = sorted(file.parent for file in (tmp_path / "cmp").rglob("encoder.safetensors"))
    page = Path(twofold.report(list(map(str, runs)), out=str(tmp_path / "page.html"))).read_text()
    assert "Scores over games and seeds" in page and "rainbow - rainbow+rcrl" in page
    with pytest.raises(UserError, match="other settings"):
        twofold.compare("rainbow", "twofold/Catch-v0", out=tmp_path / "cmp", seeds=1, **{**budget, "eval_episodes": 2})


def test_encoders_are_compared_and_more_seeds_go_on(tmp_path, logged):
    for seeds in (1, 2):
        result = twofold.compare(
            "rcrl,curl", str(logged), out=tmp_path / "cmp", seeds=seeds, steps=4, report=False, quiet=True
        )
    assert "linear R2" in json.dumps(result)
    assert result["seeds"] == [0, 1]


@pytest.mark.parametrize(("arguments", "why"), [
    (("rcrl", "twofold/Catch-v0"), r"as in rainbow\+rcrl"),
    (("sac", "twofold/Catch-v0"), "give rainbow"),
    (("rainbow", "twofold/Reach-v0"), "give sac"),
    (("rainbow", "twofold/Katch-v0"), "twofold/Catch-v0"),
    (("rainbow+curl", "CartPole-v1", {"pixels": False}), "leave it out"),
    (("rainbow+co2", "twofold/Catch-v0"), "leave it out"),
    (("rainbow", "twofold/Catch-v0", {"epochs": 3}), "give --steps"),
    (("rainbow", "twofold/Catch-v0", {"devices": 2}), "one process"),
    (("rainbow", "twofold/Catch-v0", {"steps": 30, "learn_start": 30}), "before the first update"),
    (("rainbow", "twofold/Catch-v0", {"recipe": "none"}), "no recipe none"),
    (("sac", "twofold/Reach-v0", {"action_range": [3.0, 1.0]}), "--action-range"),
])  # fmt: skip
def test_what_does_not_go_together_is_one_sentence(tmp_path, arguments, why):
    method, data, *options = arguments
    with pytest.raises(UserError, match=why):
        twofold.pretrain(method, data, out=tmp_path / "x", **(options[0] if options else {}))


def test_an_agent_does_not_learn_from_a_log(tmp_path, logged):
    with pytest.raises(UserError, match="give rcrl or curl"):
        twofold.pretrain("rainbow", str(logged), out=tmp_path / "x")


def test_a_replay_that_does_not_fit_is_refused_with_what_would(monkeypatch):
    """Field note 17."""
    monkeypatch.setattr(acting, "free_memory", lambda: 4 << 30)
    wanted = 1_000_000 * 9 * 84 * 84
    with pytest.raises(UserError, match=r"give a --replay of at most 5\d,\d\d\d"):
        acting.hold(wanted, 1_000_000)
    acting.hold(100_000 * 84 * 84, 100_000)


@pytest.mark.parametrize(("protocols", "data", "why"), [
    ("linear", "twofold/Catch-v0", "needs logged episodes"),
    ("knnn", "twofold/Catch-v0", "Did you mean"),
])  # fmt: skip
def test_protocols_that_do_not_suit_are_refused(agent, protocols, data, why):
    with pytest.raises(UserError, match=why):
        twofold.evaluate(str(agent), data, protocols=protocols)


def test_other_frames_than_the_encoder_takes_are_refused(encoder, tmp_path):
    rows = np.zeros((6, 3, 8, 8), np.uint8)
    for number in range(3):
        episode = Episode(rows, np.zeros(5, np.int64), np.zeros(5, np.float32), np.zeros(5, bool), True, False)
        write_episode(tmp_path, number, episode)
    with pytest.raises(UserError, match="3 x 8 x 8"):
        twofold.evaluate(str(encoder), str(tmp_path))


def test_a_log_that_tells_no_returns_apart_is_refused(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (31, 1, 8, 8)).astype(np.uint8)
    for number in range(8):
        episode = Episode(rows, np.zeros(30, np.int64), np.zeros(30, np.float32), np.zeros(30, bool), True, False)
        write_episode(tmp_path, number, episode)
    with pytest.raises(UserError, match="tells no returns apart"):
        twofold.pretrain("rcrl", str(tmp_path), out=tmp_path / "x", steps=3)


def test_evaluations_are_kept_raw_and_replaced_where_a_run_goes_on(tmp_path):
    """Field note 31: every episode of every evaluation; those after the checkpoint come again."""
    played = [PlayedEpisode(n, n, float(n), 5, 20, "terminated") for n in range(10)]
    for updates in (10, 20, 30):
        add_episodes(tmp_path, updates, 2 * updates, played)
    add_episodes(tmp_path, 20, 40, [PlayedEpisode(0, 0, 99.0, 5, 20, "truncated")])
    found = read_episodes(tmp_path)
    assert [(row.updates, row.score) for row in found if row.updates > 10] == [(20, 99.0)]
    assert len(found) == 11
    with (tmp_path / "episodes.csv").open("a") as file:
        file.write("x,y\n1,2,3,4,nan,5,6,7\n")
    assert len(read_episodes(tmp_path)) == 11


def test_curl_counts_little_where_its_authors_say_so():
    from twofold.control.jobs.settle import _with_curl_weight
    from twofold.wings import composed

    both, alone = composed("rainbow+curl").on("control"), composed("rainbow").on("control")
    assert _with_curl_weight(None, both, "ALE/Pong-v5") == {"curl.weight": 0.01}
    assert _with_curl_weight({"curl.weight": 1.0}, both, "ALE/PrivateEye-v5") == {"curl.weight": 1.0}
    assert _with_curl_weight(None, both, "ALE/Alien-v5") is None
    assert _with_curl_weight(None, alone, "ALE/Pong-v5") is None


def test_scores_of_several_runs_are_gathered(agent, encoder):
    twofold.evaluate(str(agent), "twofold/Catch-v0", episodes=4, quiet=True)
    own = played_in([agent])
    assert {(one.agent, one.task, one.seed) for one in own} == {("rainbow+rcrl", "twofold/Catch-v0", 0)}
    assert len(own) == 4
    assert {one.agent for one in played_in([agent], floors=True)} == {"rainbow+rcrl", "random actions"}
    assert aggregate(own)[0].seeds == 1
    with pytest.raises(UserError, match="no returns of an agent"):
        played_in([encoder])


def test_an_encoder_and_a_policy_are_networks_in_python(agent):
    states = torch.randint(0, 256, (3, 4, 10, 10)).to(torch.uint8)
    encoder, policy = twofold.load(agent), twofold.load(agent, policy=True)
    assert not encoder.training
    assert encoder(states).shape == (3, encoder.width)
    torch.testing.assert_close(twofold.load(agent / "encoder.safetensors")(states), encoder(states))
    actions = policy(states)
    assert actions.shape == (3,)
    assert actions.max() < encoder.world.actions
    with pytest.raises(UserError, match="encoder alone"):
        twofold.load(agent / "encoder.safetensors", policy=True)


@pytest.mark.parametrize("given", [{"test": "others"}, {"holdout": 0.5}, {"reward_shift": 1}])
def test_options_of_logs_are_refused_for_environments(tmp_path, given):
    """They would be passed over without a word."""
    words = rf"--{next(iter(given)).replace('_', '-')} is of logged episodes, and twofold/Catch-v0 is an environment"
    with pytest.raises(UserError, match=words):
        twofold.pretrain("rainbow", "twofold/Catch-v0", out=tmp_path / "x", **CATCH, **given)
    with pytest.raises(UserError, match=words):
        twofold.check("twofold/Catch-v0", **given)


@pytest.mark.parametrize("given", [{"size": 32}, {"grey": True}, {"pixels": False}, {"replay": 100}, {"eval_every": 5}])
def test_options_of_environments_are_refused_for_logs(logged, tmp_path, given):
    words = rf"--{next(iter(given)).replace('_', '-')} is of environments, and .* is a log of episodes"
    with pytest.raises(UserError, match=words):
        twofold.pretrain("curl", str(logged), out=tmp_path / "x", steps=3, **given)
    with pytest.raises(UserError, match=words):
        twofold.check(str(logged), **given)


def test_options_of_the_other_kind_are_refused_in_evaluation(agent, encoder, logged):
    with pytest.raises(UserError, match="--gamma is of logged episodes"):
        twofold.evaluate(str(agent), "twofold/Catch-v0", gamma=0.5)
    with pytest.raises(UserError, match="--episodes is of environments"):
        twofold.evaluate(str(encoder), str(logged), episodes=3)


def test_check_says_where_another_agent_would_be_trained(capsys):
    assert twofold.check("twofold/Reach-v0", method="rainbow", steps=1000)["settings"]["method"] == "sac"
    assert "would train sac (in the place of rainbow, which does not take such actions)" in capsys.readouterr().out
    twofold.check("twofold/Reach-v0", method="sac+rcrl", steps=1000)
    assert "would train sac+rcrl by" in capsys.readouterr().out


def test_the_replay_of_a_short_run_is_no_shorter_than_may_be_asked_for(tmp_path):
    twofold.pretrain(
        "rainbow", "twofold/Catch-v0", out=tmp_path / "x", steps=24, learn_start=12, batch_size=4, report=False
    )
    assert "replay: 64" in (tmp_path / "x" / "config.yaml").read_text()


@pytest.mark.parametrize(("methods", "data", "why"), [
    ("rainbow,sac", "twofold/Catch-v0", "SAC does not take actions to choose from"),
    ("rainbow,rainbow[atoms=1]", "twofold/Catch-v0", "rainbow has 1 atoms"),
])  # fmt: skip
def test_what_cannot_be_trained_is_refused_before_anything_is(tmp_path, methods, data, why):
    with pytest.raises(UserError, match=why):
        twofold.compare(methods, data, out=tmp_path / "x", steps=100, quiet=True)
    assert not list(tmp_path.rglob("config.yaml"))


def test_too_few_episodes_to_set_some_aside_are_refused_before_anything_is_trained(logged, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for file in sorted(logged.iterdir())[:4]:
        (few / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="holds 4 episodes, of which none can be set aside"):
        twofold.compare("rcrl,curl", str(few), out=tmp_path / "x", steps=3, quiet=True)


def test_episodes_that_are_asked_about_and_were_learned_are_counted(encoder, logged, tmp_path, capsys):
    """The same log as both, or a copy among others: the number is worth less, and says so."""
    rows = twofold.evaluate(str(encoder), str(logged), test=str(logged), quiet=True, protocols="linear")
    said = "12 of the 12 episodes asked about are among the learned ones"
    assert said in rows[0]["conditions"]["how"] and said in capsys.readouterr().out
    rows = twofold.evaluate(str(encoder), str(logged), quiet=True, protocols="linear")
    assert "asked about are among" not in rows[0]["conditions"]["how"]
