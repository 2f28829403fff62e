"""ALS by the library implicit: its least squares solved anew, equal bits, new users, and runs like others."""

from __future__ import annotations

import json
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.testing import assert_close

import twofold
from twofold.cli import main
from twofold.errors import UserError
from twofold.interactions.graph import Bipartite
from twofold.interactions.jobs.store import read_model
from twofold.interactions.methods import als
from twofold.interactions.methods.als import ALS
from twofold.interactions.ragged import Ragged

USERS, ITEMS = 40, 30
FILLED = np.random.default_rng(0).random((USERS, ITEMS)) < 0.15
FILLED[0], FILLED[:, 0] = False, False  # a user and an item without anything
PAIRS = Bipartite(torch.from_numpy(np.argwhere(FILLED)), USERS, ITEMS)


def solved(others, filled, alpha, ridge):
    """Of each row the embedding that least squares give, the others' as they are, float64."""
    others, found = others.double().numpy(), []
    for row in filled:
        confidence = 1 + alpha * row
        left = (others * confidence[:, None]).T @ others + ridge * np.eye(others.shape[1])
        found.append(np.linalg.solve(left, others.T @ (confidence * row)))
    return torch.from_numpy(np.stack(found)).float()


def test_new_users_are_the_least_squares_of_their_items():
    item = torch.from_numpy(np.random.default_rng(1).normal(size=(ITEMS, 6)).astype(np.float32))
    having = Ragged.of(PAIRS.pairs, USERS)
    row, own = having.rows(torch.tensor([3, 0, 7]))
    ranker = ALS(PAIRS, factors=6, alpha=4.0, regularisation=0.5)
    found = ranker.fold_in(item, item.T @ item, row, own, 3)
    assert_close(found, solved(item, FILLED[[3, 0, 7]], 4.0, 0.5), rtol=1e-4, atol=1e-5)
    assert not found[1].any()


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"factors": 0}, "factors must be"), ({"alpha": -1.0}, "alpha must be"), ({"factors": 10**6}, "at most 4,096")],
    ids=["none", "below", "many"],
)
def test_settings_that_cannot_be_meant_are_refused(settings, says):
    with pytest.raises(UserError, match=says):
        ALS(PAIRS, **settings)


def test_a_missing_library_is_said_before_a_folder_is_made(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "implicit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "implicit", None)
    (tmp_path / "plays.csv").write_text("user,item\n" + "".join(f"u{n % 5},i{n % 7}\n" for n in range(35)))
    with pytest.raises(UserError, match=r'pip install "twofold\[implicit\]"'):
        twofold.pretrain("als", tmp_path / "plays.csv", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def implicit():
    return pytest.importorskip("implicit", reason="the extra implicit")


def test_the_last_sweep_solves_the_least_squares_of_the_items(implicit):
    user, item = ALS(PAIRS, factors=5, alpha=3.0, regularisation=0.2, iterations=60).fit(0)
    assert_close(item, solved(user, FILLED.T, 3.0, 0.2), rtol=1e-3, atol=1e-4)
    assert_close(user, solved(item, FILLED, 3.0, 0.2), rtol=1e-2, atol=1e-2)  # at the fixed point both sides are


@pytest.mark.parametrize("cores", [1, 3])
def test_equal_seeds_give_equal_bits_on_any_number_of_cores(implicit, monkeypatch, cores):
    first = ALS(PAIRS).fit(4)
    monkeypatch.setattr(als, "usable_cores", lambda: cores)
    again, other = ALS(PAIRS).fit(4), ALS(PAIRS).fit(5)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on users and items of two tastes."""
    pytest.importorskip("implicit", reason="the extra implicit")
    place = tmp_path_factory.mktemp("als")
    drawn = np.random.default_rng(0)
    lines = {f"u{user},i{2 * item + user % 2}" for user in range(40) for item in drawn.choice(15, 8, replace=False)}
    (place / "plays.csv").write_text("user,item\n" + "\n".join(sorted(lines)) + "\n")
    twofold.pretrain("als", place / "plays.csv", out=place / "run", method_options={"factors": 2})
    return place / "run"


def test_it_is_a_run_like_others(run, tmp_path, capsys):
    rows = json.loads((run / "evaluation.json").read_text())
    assert {row["name"] for row in rows} == {"run", "popularity", "graph filter"}
    found = {row["name"]: row["value"] for row in rows if row["metric"] == "recall@20"}
    assert found["run"] > found["popularity"]
    assert "Fitted by implicit" in (run / "log.txt").read_text() and (run / "report.html").is_file()
    assert main(["evaluate", str(run), str(run.parent / "plays.csv"), "--quiet"]) == 0
    assert main(["recommend", str(run), "--users", "u3", "--k", "4", "--quiet", "--out", str(tmp_path / "r")]) == 0
    assert {int(row["item"][1:]) % 2 for row in pq.read_table(tmp_path / "r").to_pylist()} == {1}
    (tmp_path / "new.csv").write_text("user,item\nann,i2\nann,i4\nann,i6\n")
    history = ["recommend", str(run), "--history", str(tmp_path / "new.csv"), "--k", "4", "--quiet"]
    assert main([*history, "--out", str(tmp_path / "h")]) == 0
    fresh = pq.read_table(tmp_path / "h").to_pylist()
    assert {int(row["item"][1:]) % 2 for row in fresh} == {0} and {row["basis"] for row in fresh} == {"history"}
    model = twofold.load(run)
    ann = model.recommend(model.fold_in(["i2", "i4", "i6"]), k=4)
    assert [one.item for one in ann] == [row["item"] for row in fresh]
    assert int(model.similar("i3", k=1)[0].item[1:]) % 2 == 1
    assert pq.read_table(twofold.embed(run, "items", out=tmp_path / "e", quiet=True)).num_rows == 30
    assert twofold.export(run, out=tmp_path / "items.faiss").is_file()
    capsys.readouterr()
    assert main(["pretrain", "als", str(run.parent / "plays.csv"), "--out", str(run), "--epochs", "3"]) == 2
    assert "als is not trained in steps: --epochs means nothing for it" in capsys.readouterr().err
    onward = ["--weights", str(run), "--out", str(tmp_path / "on")]
    assert main(["pretrain", "lightgcn", str(run.parent / "plays.csv"), *onward]) == 2
    assert "keeps no tables to train on from: give a run of lightgcn" in capsys.readouterr().err


def test_a_known_user_folded_in_is_near_to_the_one_that_was_fitted(run):
    model = read_model(run).embeddings
    learned = Ragged.of(read_model(run).pairs, len(model.user))
    users = torch.arange(len(model.user))
    assert (torch.cosine_similarity(model.fold_in(users, learned), model.user) > 0.99).all()


def test_the_same_command_fits_once_and_a_run_without_its_embeddings_has_not_finished(run, tmp_path, monkeypatch):
    file = run / "model.safetensors"
    before = file.stat().st_mtime_ns, file.read_bytes()
    again = {"out": run, "method_options": {"factors": 2}}
    twofold.pretrain("als", run.parent / "plays.csv", **again)
    assert (file.stat().st_mtime_ns, file.read_bytes()) == before
    file.rename(tmp_path / "aside")
    with pytest.raises(UserError, match=r"holds no model\.safetensors: the run has not finished"):
        twofold.load(run)
    twofold.pretrain("als", run.parent / "plays.csv", **again)
    assert file.read_bytes() == before[1]


def test_the_recipe_of_the_paper_is_another(run, tmp_path):
    out = twofold.pretrain("als", run.parent / "plays.csv", out=tmp_path / "run", recipe="paper", report=False)
    chosen = out.config["method_options"]
    assert (chosen["als.alpha"], chosen["als.iterations"], chosen["als.factors"]) == (40.0, 10, 64)


def test_comparisons_take_it(run, tmp_path):
    plays = str(run.parent / "plays.csv")
    made = twofold.compare("als[factors=4],item-knn", plays, out=tmp_path / "cmp", seeds=2, report=False, quiet=True)
    values = next(row for row in made["rows"] if row["name"].startswith("als"))["numbers"]["recall@20"]["values"]
    assert len(values) == 2
