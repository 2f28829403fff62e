"""A run on interactions as an object: what it recommends is what the verbs write."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import twofold
from twofold.errors import UserError

PAIRS = [(f"u{user:02}", 100 + item, 2) for user in range(20) for item in range(12) if (user * item + item) % 3 != 1]
COLD = [("cold", 103, 1), ("cold", 105, 1)]  # of a weight that is left out


@pytest.fixture(scope="module", params=["lightgcn", "item-knn", "popularity"])
def run(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    lines = [",".join(map(str, pair)) for pair in [*PAIRS, *COLD]]
    (root / "plays.csv").write_text("\n".join(["user,item,weight", *lines]) + "\n")
    trained = {"epochs": 3} if request.param == "lightgcn" else {}
    settings = {"out": root / "run", "min_weight": 2.0, "report": False, "quiet": True}
    return twofold.pretrain(request.param, root / "plays.csv", **settings, **trained)


def written(file):
    """{user: [(item, score, basis), ...]} of recommendations.parquet."""
    found = {}
    for row in pq.read_table(file).to_pylist():
        found.setdefault(row["user"], []).append((row["item"], row["score"], row["basis"]))
    return found


def same(found, expected):
    assert [(one.item, one.basis) for one in found] == [(item, basis) for item, _, basis in expected]
    assert np.allclose([one.score for one in found], [score for _, score, _ in expected], rtol=1e-5)


def test_lists_are_those_that_the_verb_writes(run, tmp_path):
    model = twofold.load(run)
    users = [*model.user_ids, "cold", "nobody"]
    for options in ({}, {"include_seen": True}, {"candidates": ["101", "104", "107", "999"]}):
        text = {k: ",".join(v) if isinstance(v, list) else v for k, v in options.items()}
        file = twofold.recommend(run, users=",".join(users), k=5, out=tmp_path / "r.parquet", quiet=True, **text)
        expected = written(file)
        for user, found in zip(users, model.recommend(users, 5, **options), strict=True):
            same(found, expected.get(user, []))
            same(model.recommend(user, 5, **options), [tuple(one) for one in found])
    assert {one.basis for one in model.recommend("cold")} == {"popularity"}
    assert not {103, 105} & {one.item for one in model.recommend("cold")}


def test_new_users_are_folded_in_like_those_of_a_file(run, tmp_path):
    (tmp_path / "new.csv").write_text("user,item\nann,101\nann,104\nann,999\nbob,102\n")
    expected = written(twofold.recommend(run, history=tmp_path / "new.csv", k=4, quiet=True))
    model = twofold.load(run)
    ann = model.fold_in([101, "104", 999, 104])
    assert ann.items.tolist() == [model.item_ids.index(101), model.item_ids.index(104)] and ann.unknown == (999,)
    for found, name in zip(model.recommend([ann, model.fold_in([102])], 4), ("ann", "bob"), strict=True):
        same(found, expected[name])
    assert {one.basis for one in model.recommend(model.fold_in([]), 3)} == {"popularity"}


def test_items_can_be_left_out(run):
    model = twofold.load(run)
    best = model.recommend("u03", 3)
    others = model.recommend("u03", 3, exclude=[best[0].item, "no such item"])
    assert best[0].item not in {one.item for one in others} and others[0] == best[1]
    assert model.recommend("u03", candidates=[], k=3) == []


def test_items_near_others_are_those_of_the_verb(run, tmp_path):
    model = twofold.load(run)
    if model.method != "lightgcn":
        with pytest.raises(UserError, match="ranks without embeddings"):
            model.similar(101)
        return
    rows = pq.read_table(twofold.similar(run, "101,104", k=3, out=tmp_path / "s.parquet")).to_pylist()
    found = model.similar(np.array([101, 104]), 3)
    assert [one.item for near in found for one in near] == [row["similar"] for row in rows]
    assert np.allclose([one.cosine for near in found for one in near], [row["cosine"] for row in rows], atol=1e-6)
    assert [one.item for one in model.similar("101", 3)] == [one.item for one in found[0]]
    with pytest.raises(UserError, match="does not know the item 'x'"):
        model.similar("x")


def test_ids_come_in_many_forms_and_mistakes_are_said(run):
    model = twofold.load(run)
    expected = model.recommend(["u01", "u02"], 2)
    assert model.recommend(pa.array(["u01", "u02"]), 2) == expected
    assert model.recommend(np.array(["u01", "u02"]), 2) == model.recommend(("u01", "u02"), 2) == expected
    assert model.recommend([], 2) == []
    assert "20 users, 12 items" in repr(model)
    with pytest.raises(UserError, match="k must be at least 1"):
        model.recommend("u01", 0)
    with pytest.raises(UserError, match="not as the text '101,102'"):
        model.recommend("u01", candidates="101,102")
    with pytest.raises(UserError, match="trust"):
        twofold.load(run, trust=True)


def test_threads_get_the_same_lists(run):
    model = twofold.load(run)
    users = model.user_ids * 20
    expected = [model.recommend(user, 4) for user in users]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda user: model.recommend(user, 4), users)) == expected
