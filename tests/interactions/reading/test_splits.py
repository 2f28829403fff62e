"""Splits: files that are given apart, cuts of one file, their properties, the core, and the fingerprint."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twofold.errors import UserError
from twofold.interactions.reading import Interactions, fingerprint, open_interactions

PARTS = ("train", "valid", "test")


def pairs(data: Interactions, part: str) -> set[tuple]:
    """The pairs of a part with their original ids."""
    users, items = data.user_ids.to_pylist(), data.item_ids.to_pylist()
    rows = getattr(data, part)
    return set() if rows is None else {(users[u], items[i]) for u, i in rows}


def check(data: Interactions) -> None:
    """What holds for every split."""
    together = [rows for rows in (data.train, data.valid, data.test) if rows is not None]
    for rows in together:
        assert rows.dtype == np.int64 and rows.ndim == 2 and rows.shape[1] == 2
        assert rows.tolist() == sorted(rows.tolist())
    every = np.concatenate(together)
    assert len(np.unique(every, axis=0)) == len(every)
    assert set(every[:, 0]) == set(range(data.users)) and set(every[:, 1]) == set(range(data.items))
    assert data.notes and all("\n" not in note for note in data.notes)


def written(folder, rows, name="a.csv", *, header="user,item,time"):
    text = header + "\n" + "".join(",".join(map(str, row[: header.count(",") + 1])) + "\n" for row in rows)
    (folder / name).write_text(text)
    return folder / name


logs = st.lists(st.tuples(st.integers(0, 12), st.integers(-3, 20), st.integers(0, 9)), min_size=1, max_size=150)
shares = st.sampled_from([0, 0.1, 0.2, 0.34, 0.45])
fast = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fast
@given(log=logs, valid=shares, test=shares, seed=st.integers(0, 3), text=st.booleans())
def test_ratio(tmp_path, log, valid, test, seed, text):
    log = [(f"u{u}" if text else u, i, t) for u, i, t in log]
    wanted = {(u, i) for u, i, _ in log}
    data = open_interactions(written(tmp_path, log), valid_share=valid, test_share=test, seed=seed)
    check(data)
    train, held, tested = (pairs(data, part) for part in PARTS)
    assert train | held | tested == wanted
    for user in {u for u, _ in wanted}:
        n, mine = sum(u == user for u, _ in wanted), [sum(u == user for u, _ in p) for p in (train, held, tested)]
        assert mine[0] >= 1 and mine[2] == min(n - 1, int(n * test + 0.5))
        assert mine[1] == min(n - 1 - mine[2], int(n * valid + 0.5))
    again = open_interactions(written(tmp_path, log[::-1]), valid_share=valid, test_share=test, seed=seed)
    assert [pairs(again, part) for part in PARTS] == [train, held, tested]


@fast
@given(log=logs)
def test_a_user_is_split_alike_whoever_else_there_is(tmp_path, log):
    data = open_interactions(written(tmp_path, log))
    first = log[0][0]
    alone = open_interactions(written(tmp_path, [row for row in log if row[0] == first]))
    for part in PARTS:
        assert pairs(alone, part) == {p for p in pairs(data, part) if p[0] == first}


def test_seeds_differ_and_shares_are_kept(tmp_path):
    path = written(tmp_path, [(u, i, 0) for u in range(40) for i in range(30)])
    one, two = open_interactions(path, seed=1), open_interactions(path, seed=2)
    assert pairs(one, "test") != pairs(two, "test") and fingerprint(one) != fingerprint(two)
    assert [len(p) for p in (one.train, one.valid, one.test)] == [840, 120, 240]
    counts = np.bincount(one.test[:, 1], minlength=30)
    assert counts.min() >= 2 and counts.max() <= 16  # binomial(40, 0.2)


@fast
@given(log=logs, valid=shares, test=shares)
def test_last(tmp_path, log, valid, test):
    data = open_interactions(written(tmp_path, log), split="last", valid_share=valid, test_share=test)
    check(data)
    when: dict[tuple, int] = {}
    for u, i, t in log:
        when[u, i] = max(t, when.get((u, i), t))
    train, held, tested = (pairs(data, part) for part in PARTS)
    assert train | held | tested == set(when)
    for user in {u for u, _ in when}:
        n = sum(u == user for u, _ in when)
        of = [[when[p] for p in part if p[0] == user] for part in (train, held, tested)]
        assert len(of[2]) == min(n - 1, int(test > 0)) and len(of[1]) == min(n - 1 - len(of[2]), int(valid > 0))
        assert max(of[0]) <= min(of[1] + of[2], default=9) and max(of[1], default=0) <= min(of[2], default=9)


def test_last_takes_the_later_line_of_equal_times(tmp_path):
    path = written(tmp_path, [(1, 5, 7), (1, 3, 7), (1, 4, 7)])
    data = open_interactions(path, split="last")
    assert [pairs(data, p) for p in PARTS] == [{(1, 5)}, {(1, 3)}, {(1, 4)}]


@fast
@given(log=logs, valid=shares, test=shares)
def test_time_leaks_nothing(tmp_path, log, valid, test):
    path = written(tmp_path, log)
    try:
        data = open_interactions(path, split="time", valid_share=valid, test_share=test)
    except UserError as error:
        assert "split by time" in str(error)
        return
    check(data)
    when: dict[tuple, int] = {}
    for u, i, t in log:
        when[u, i] = max(t, when.get((u, i), t))
    of = [[when[p] for p in pairs(data, part)] for part in PARTS]
    assert sum(map(len, of)) == len(when)
    assert max(of[0]) < min(of[1] + of[2], default=99) and max(of[1], default=-1) < min(of[2], default=99)
    assert len(of[2]) >= (test > 0) * int(len(when) * test) and bool(of[2]) == bool(test)


def test_none_and_no_shares(tmp_path):
    path = written(tmp_path, [(1, 2, 3), (2, 3, 4)])
    for data in (open_interactions(path, split="none"), open_interactions(path, valid_share=0, test_share=0)):
        assert data.valid is None and data.test is None and len(data.train) == 2


@pytest.mark.parametrize("names", [("train.txt", "valid.txt", "test.txt"), ("train.txt", "val.txt", "testing.txt")])
def test_a_folder_of_lists(tmp_path, names):
    for name, text in zip(names, ("1 2 3\n4 5 6\n", "4 2\n", "1 9 5\n7 2 3 9\n"), strict=True):
        (tmp_path / name).write_text(text)
    (tmp_path / "item_list.txt").write_text("not interactions")
    data = open_interactions(tmp_path)
    check(data)
    assert pairs(data, "train") == {(1, 2), (1, 3), (4, 5), (4, 6)}  # lines alike, but the test file's are not
    assert pairs(data, "valid") == {(4, 2)} and pairs(data, "test") == {(1, 9), (1, 5), (7, 2), (7, 3), (7, 9)}
    assert data.user_ids.to_pylist() == [1, 4, 7] and data.item_ids.to_pylist() == [2, 3, 5, 6, 9]
    told = " ".join(data.notes)
    assert "item_list.txt" in told and "1 users and 1 items have no train pair" in told


def test_lists_beside_a_table(tmp_path):
    (tmp_path / "train.txt").write_text("1 2 3\n4 5\n")
    written(tmp_path, [(1, 9), (4, 9)], "test.csv", header="user,item")
    data = open_interactions(tmp_path, valid_share=0)
    assert pairs(data, "train") == {(1, 2), (1, 3), (4, 5)} and pairs(data, "test") == {(1, 9), (4, 9)}


def test_files_of_several_formats(tmp_path):
    pq.write_table(pa.table({"user": [1, 1, 1, 2, 2], "item": ["a", "b", "c", "a", "7"]}), tmp_path / "train.parquet")
    written(tmp_path, [(1, "d"), (1, "a"), (3, "b")], "test.csv", header="user,item")
    data = open_interactions(tmp_path, valid_share=0.34)
    check(data)
    assert pairs(data, "test") == {(1, "d"), (3, "b")}
    assert any("1 pairs of test stand in train, too, and were removed" in note for note in data.notes)
    assert len(data.train) == 3 and len(data.valid) == 2 and any("valid is 0.34" in note for note in data.notes)
    assert open_interactions(tmp_path, valid_share=0).valid is None
    numbers = written(tmp_path, [(1, 7), (1, 8)], "numbers.csv", header="user,item")
    mixed = open_interactions(tmp_path, test=str(numbers))
    assert pairs(mixed, "test") == {(1, "7"), (1, "8")} and mixed.item_ids.to_pylist() == ["a", "b", "c", "7", "8"]
    val = open_interactions(tmp_path / "train.parquet", val=str(numbers))
    assert pairs(val, "valid") == {(1, "7"), (1, "8")} and val.test is None


def test_folders_of_recbole(tmp_path):
    for part in ("train", "valid", "test"):
        name = f"ml.{part}.inter"
        (tmp_path / name).write_text(f"user_id:token\titem_id:token\n1\t{part}\n2\t{part}\n")
    data = open_interactions(tmp_path)
    assert pairs(data, "test") == {(1, "test"), (2, "test")} and len(data.valid) == 2
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "ml.inter").write_text("user_id:token\titem_id:token\n" + "".join(f"1\t{i}\n" for i in range(10)))
    (tmp_path / "b" / "ml.item").write_text("item_id:token\n1\n")
    assert [len(getattr(open_interactions(tmp_path / "b"), part)) for part in PARTS] == [7, 1, 2]


@fast
@given(log=logs, core=st.integers(0, 4))
def test_core(tmp_path, log, core):
    path = written(tmp_path, log)
    left = {(u, i) for u, i, _ in log}
    while True:  # the slow and obvious way
        users, items = [u for u, _ in left], [i for _, i in left]
        kept = {(u, i) for u, i in left if users.count(u) >= core and items.count(i) >= core}
        if kept == left:
            break
        left = kept
    if not left:
        with pytest.raises(UserError, match="No pairs are left where every user and item has at least"):
            open_interactions(path, core=core)
        return
    data = open_interactions(path, core=core)
    check(data)
    assert set.union(*(pairs(data, part) for part in PARTS)) == left
    assert core < 2 or any(f"the {core}-core leaves out" in note for note in data.notes)


def test_the_core_leaves_ids_as_they_are(tmp_path):
    path = written(tmp_path, [("7", 1), ("7", 2), ("8", 1), ("8", 2), ("007", 3)], header="user,item")
    assert open_interactions(path, core=2).user_ids.to_pylist() == ["7", "8"]


def test_fingerprint(tmp_path):
    rows = [(u, i, 0) for u in range(9) for i in range(9)]
    data = open_interactions(written(tmp_path, rows))
    assert fingerprint(data) == fingerprint(open_interactions(written(tmp_path, rows[::-1], "b.csv")))
    seen = {fingerprint(data)}
    for changed in (rows[1:], [(u + 1, i, t) for u, i, t in rows], [(u, f"i{i}", t) for u, i, t in rows]):
        seen.add(fingerprint(open_interactions(written(tmp_path, changed))))
    seen.add(fingerprint(open_interactions(written(tmp_path, rows), split="none")))
    assert len(seen) == 5


def test_mistakes(tmp_path):
    path = written(tmp_path, [(1, 2), (3, 4)], "one.csv", header="user,item")

    def refused(message, where=path, **options):
        with pytest.raises(UserError, match=message):
            open_interactions(where, **options)

    refused(r'There is no split lats; .* Did you mean "last"\?', split="lats")
    refused("test_share is 1.5; it is a share", test_share=1.5)
    refused("leave nothing to train on", valid_share=0.5, test_share=0.5)
    refused("core is -1", core=-1)
    refused("No pairs are left", core=3)
    refused("split last needs times", split="last")
    refused("split time needs times", split="time")
    refused("holds train alone; split files", split="files")
    refused("Every pair of the test file stands in train", test=str(path))
    refused("split last cuts one file, but train .* and test .* are given", split="last", test=str(path))
    refused("does not exist", test=str(tmp_path / "nowhere.csv"))
    refused("does not exist", tmp_path / "nowhere")
    refused("holds no train file but one.csv", tmp_path)
    same = written(tmp_path, [(1, 2, 5), (3, 4, 5)], "same.csv")
    refused("cannot be split by time", same, split="time")
    (tmp_path / "train.txt").write_text("1 2\n")
    (tmp_path / "train.csv").write_text("1,2\n")
    refused(r"holds two train files \(train.csv and train.txt\)", tmp_path)


@pytest.mark.parametrize("values", [["soon", "May 3, 2021"], ["", ""], ["3", "yesterday"]])
@pytest.mark.parametrize("column", ["date", "rating"])
def test_a_column_that_nobody_needs_stops_nothing_and_drops_nothing(tmp_path, values, column):
    path = tmp_path / "a.csv"
    rows = [f'{u},{i},"{values[i % 2]}"' for u in range(5) for i in range(6)]
    path.write_text("\n".join([f"user,item,{column}", *rows]) + "\n")
    data = open_interactions(path, split="ratio")
    assert len(data.train) + len(data.valid) + len(data.test) == 30
    needing = {"split": "time"} if column == "date" else {"min_weight": 1.0}
    with pytest.raises(UserError, match=r"are numbers|holds no interactions"):
        open_interactions(path, **needing)


def test_users_or_items_that_occur_once_are_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,title\n" + "".join(f"{k},t{k % 3}\n" for k in range(30)))
    assert any("every user occurs once" in note for note in open_interactions(path).notes)
    path.write_text("user,title\n" + "".join(f"{k % 4},t{k % 3}\n" for k in range(30)))
    assert not any("occurs once" in note for note in open_interactions(path).notes)
