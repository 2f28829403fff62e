"""What a finished run makes of its data moved, reordered or changed, of later pairs, and of pairs it left out."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

import twofold
from twofold.cli import main
from twofold.interactions.jobs.store import read_model

USERS, ITEMS = 40, 24


def write(path, rows, header=("", "listener", "song", "stars")):
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows([header, *([k, *row] for k, row in enumerate(rows))])
    return path


@pytest.fixture(scope="module")
def ratings():
    """(user, item, stars), an item of each user rated 1; of the last user nothing else."""
    drawn = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        items = drawn.choice([i for i in range(ITEMS) if i % 2 == user % 2], 9, replace=False)
        rows += [(f"u{user}", f"t{i}", 1 if k == 0 or user == USERS - 1 else 5) for k, i in enumerate(items)]
    drawn.shuffle(rows)
    return [(u, i, int(s)) for u, i, s in rows]


OPTIONS = {"user_column": "listener", "item_column": "song", "weight_column": "stars", "min_weight": 3.0}


@pytest.fixture(scope="module")
def run(ratings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("later")
    write(folder / "plays.csv", ratings)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # the run is told a path from here
        twofold.pretrain(
            "lightgcn", "plays.csv", out="run", epochs=8, lr=0.02, batch_size=64, quiet=True, report=False, **OPTIONS
        )
    return folder / "run"


def measured(run, data):
    rows = twofold.evaluate(run, str(data), quiet=True)
    return {row["metric"]: row["value"] for row in rows if row["protocol"] == "ranking" and not row["floor"]}


def recommended(run, tmp_path, **options):
    out = tmp_path / "found.parquet"
    twofold.recommend(run, out=str(out), quiet=True, **options)
    found = {}
    for row in pq.read_table(out).to_pylist():
        found.setdefault(row["user"], []).append(row["item"])
    return found


def test_the_data_may_lie_elsewhere_and_in_another_order(run, ratings, tmp_path, monkeypatch):
    before = (run / "evaluation.json").read_text()
    expected = {
        r["metric"]: r["value"] for r in json.loads(before) if r["name"] == "run" and r["protocol"] == "ranking"
    }
    monkeypatch.chdir(tmp_path)
    for name, rows in (("same.csv", ratings), ("back.csv", ratings[::-1]), ("sorted.csv", sorted(ratings))):
        assert measured(run, write(tmp_path / name, rows)) == pytest.approx(expected)
    assert measured(run, run.parent / "plays.csv") == pytest.approx(expected)
    keys = [
        (r["protocol"], r["metric"], r["name"], r["data"]) for r in json.loads((run / "evaluation.json").read_text())
    ]
    assert len(keys) == len(set(keys)) == len(json.loads(before)) and {key[-1] for key in keys} == {"plays.csv"}


def test_data_that_changed_are_refused_and_nothing_is_replaced(run, ratings, tmp_path, capsys):
    moved = tmp_path / "all"
    shutil.copytree(run.parent, moved)
    environment = json.loads((moved / "run" / "environment.json").read_text())
    (moved / "run" / "environment.json").write_text(json.dumps({**environment, "directory": str(moved)}))
    before = (moved / "run" / "evaluation.json").read_bytes()
    for rows in ([*ratings, ("new", "t1", 5)], ratings[9:], [*ratings, ("u0", "t1", 5)]):
        write(moved / "plays.csv", rows)
        assert main(["evaluate", str(moved / "run"), str(moved / "plays.csv")]) == 2
        error = capsys.readouterr().err
        assert "does not hold the pairs, or not in the parts, that" in error and error.count("\n") == 1
        assert (moved / "run" / "evaluation.json").read_bytes() == before
    write(moved / "plays.csv", ratings[::-1])
    assert main(["evaluate", str(moved / "run"), str(moved / "plays.csv")]) == 0


def test_noise_is_the_same_again_for_rows_in_another_order(ratings, tmp_path):
    data = write(tmp_path / "a.csv", ratings)
    run = twofold.pretrain("popularity", str(data), out=str(tmp_path / "run"), noise=0.5, quiet=True, **OPTIONS)
    before = measured(run, data)
    assert measured(run, write(data, ratings[::-1])) == pytest.approx(before)


def test_what_a_user_has_anywhere_in_the_data_is_not_recommended(run, ratings, tmp_path):
    found = recommended(run, tmp_path, k=ITEMS)
    for user in range(USERS - 1):
        own = {item for u, item, _ in ratings if u == f"u{user}"}
        assert set(found[f"u{user}"]) == {f"t{i}" for i in range(ITEMS)} - own
    last = f"u{USERS - 1}"  # whose items are all rated 1, so that the run does not know the user
    assert last not in found
    alone = recommended(run, tmp_path, k=ITEMS, users=last)[last]
    assert len(alone) == ITEMS - 9 and not set(alone) & {item for u, item, _ in ratings if u == last}
    assert len(recommended(run, tmp_path, k=ITEMS, users=last, include_seen=True)[last]) == ITEMS


def test_what_is_left_out_is_not_learned_from(run, ratings):
    model = read_model(run)
    low = sum(stars < 3 for _, _, stars in ratings)
    assert len(model.left_out) == low and len(model.pairs) + len(model.held_out) == len(ratings) - low


def test_pairs_beside_the_core_are_not_recommended(ratings, tmp_path):
    rows = [*ratings, ("rare", "t1", 5), ("rare", "t3", 5)]
    data = write(tmp_path / "a.csv", rows)
    run = twofold.pretrain("popularity", str(data), out=str(tmp_path / "run"), core=3, quiet=True, **OPTIONS)
    found = recommended(run, tmp_path, users="rare", k=ITEMS)["rare"]
    assert len(found) == ITEMS - 2 and not {"t1", "t3"} & set(found)


def test_a_user_without_a_train_pair_gets_no_held_out_item_of_their_own(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    train = "".join(f"u{u},t{i}\n" for u in range(10) for i in range(u % 3, 12, 2))
    (folder / "train.csv").write_text("user,item\n" + train)
    (folder / "test.csv").write_text("user,item\ncold,t0\ncold,t2\nu1,t0\nu1,t2\n")
    run = twofold.pretrain("popularity", str(folder), out=str(tmp_path / "run"), quiet=True)
    found = recommended(run, tmp_path, k=12)
    assert len(found["cold"]) == 10 and not {"t0", "t2"} & set(found["cold"])


def test_history_is_read_by_the_columns_and_the_least_weight_of_the_run(run, tmp_path, capsys):
    rows = [("ann", "t0", 5), ("ann", "t2", 5), ("ann", "t4", 1), ("bob", "t1", 1)]
    found = recommended(run, tmp_path, history=str(write(tmp_path / "new.csv", rows)), k=ITEMS)
    assert set(found["ann"]) == {f"t{i}" for i in range(ITEMS)} - {"t0", "t2", "t4"}
    assert set(found["bob"]) == {f"t{i}" for i in range(ITEMS)} - {"t1"}
    table = pq.read_table(tmp_path / "found.parquet").to_pylist()
    assert {row["user"]: row["basis"] for row in table} == {"ann": "history", "bob": "popularity"}
    other = write(tmp_path / "other.csv", [(u, i) for u, i, _ in rows], ("", "user", "item"))
    capsys.readouterr()
    assert main(["recommend", str(run), "--history", str(other), "--out", str(tmp_path / "b.parquet")]) == 0
    said = capsys.readouterr().out
    assert "has no column listener or song, as the run's data had: users in column user, items in column item" in said
    assert "has no weights, so all its pairs count (the run's --min-weight was 3)." in said
    lacking = write(tmp_path / "lacking.csv", rows, ("", "who", "song", "stars"))
    assert main(["recommend", str(run), "--history", str(lacking), "--out", str(tmp_path / "c.parquet")]) == 2
    assert (
        "has no column listener, which holds the users of the run (it has , who, song, stars)"
        in capsys.readouterr().err
    )


def test_later_pairs_are_measured_as_they_would_be_recommended(run, ratings, tmp_path):
    drawn, taken = np.random.default_rng(1), {(u, i) for u, i, _ in ratings}
    later = [(f"u{u}", f"t{i}", 5) for u in range(USERS - 1) for i in drawn.choice(ITEMS, 6, replace=False)]
    later = [row for row in later if row[:2] not in taken]
    disliked = [("u0", "t1", 1), ("u1", "t3", 2)]
    rows = twofold.evaluate(
        run, str(write(tmp_path / "later.csv", [*later, *disliked])), at="5", floors=False, quiet=True
    )
    value = next(r["value"] for r in rows if r["metric"] == "recall@5")
    found = recommended(run, tmp_path, k=5)
    wanted = {}
    for user, item, _ in later:
        wanted.setdefault(user, set()).add(item)
    hits = [len(set(found[user]) & items) / len(items) for user, items in wanted.items()]
    assert value == pytest.approx(np.mean(hits))
    assert next(r["data"] for r in rows) == str(tmp_path / "later.csv")


def test_later_pairs_of_users_without_a_train_pair_are_measured_by_popularity(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    train = "".join(f"u{u},t{i}\n" for u in range(20) for i in range(u % 4, 12, 1 + u % 3))
    (folder / "train.csv").write_text("user,item\n" + train)
    (folder / "test.csv").write_text("user,item\ncold,t0\nu1,t0\n")
    run = twofold.pretrain("bpr-mf", str(folder), out=str(tmp_path / "run"), epochs=1, quiet=True, report=False)
    best = recommended(run, tmp_path, users="cold", k=1)["cold"][0]
    (tmp_path / "later.csv").write_text(f"user,item\ncold,{best}\n")
    rows = twofold.evaluate(run, str(tmp_path / "later.csv"), at="1", floors=False, quiet=True)
    assert next(r["value"] for r in rows if r["metric"] == "recall@1") == 1


@pytest.mark.parametrize("listed", ["", "missing.txt", "x/" * 200])
@pytest.mark.parametrize("verb", ["users", "candidates", "similar"])
def test_lists_that_name_nothing_are_refused_by_each_verb(run, tmp_path, capsys, verb, listed):
    command = ["similar", str(run), listed] if verb == "similar" else ["recommend", str(run), f"--{verb}={listed}"]
    assert main([*command, "--out", str(tmp_path / "x.parquet")]) == 2
    error = capsys.readouterr().err
    assert ("names no ids" in error or "which does not exist" in error) and error.count("\n") == 1


def test_repeated_ids_and_endless_lists_are_asked_about_once(run, tmp_path, capsys):
    users = tmp_path / "users.txt"
    users.write_bytes("\ufeffu1\r\nu1\r\nu2\r\nnobody".encode())
    assert main(["recommend", str(run), "--users", str(users), "--k", str(10**12), "--out", str(tmp_path / "a")]) == 0
    table = pq.read_table(tmp_path / "a").to_pylist()
    assert {row["user"] for row in table} == {"u1", "u2", "nobody"}
    assert len({(row["user"], row["item"]) for row in table}) == len(table)
    assert main(["similar", str(run), "t1,t1,t2", "--k", str(10**12), "--out", str(tmp_path / "b")]) == 0
    assert len(pq.read_table(tmp_path / "b")) == 2 * (ITEMS - 1)
    assert main(["recommend", str(run), "--history", "", "--out", str(tmp_path / "c")]) == 2
    assert "--history is empty" in capsys.readouterr().err
    for at in ("", "²", str(10**12)):
        assert main(["evaluate", str(run), str(run.parent / "plays.csv"), f"--at={at}"]) == 2
