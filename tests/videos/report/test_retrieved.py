"""What a retrieval found, on the page: read with care, marked right, and there after `evaluate`."""

import numpy as np
import pytest

import twofold
from tests.videos.conftest import moving, write_video
from twofold.videos.report.retrieved import answered, read_retrieved, retrieved_sections

FILMS = np.random.default_rng(0).integers(0, 255, (5, 3, 16, 16, 3), np.uint8)
GOOD = {
    "films": FILMS,
    "names": np.array(["q0", "q1", "a", "b", "c"]),
    "kinds": np.array(["run", "walk", "run", "walk", "jump"]),
    "found": np.array([[2, 3, 4], [3, 2, -1]]),
    "same": np.array([[True, False, False], [True, False, False]]),
    "cosines": np.array([[0.95, 0.5, -0.25], [1.0, 0.125, -1.0]]),
    "counts": np.array([1234, 56789]),
    "asked": np.array("<held out>"),
}


def write(path, **arrays):
    np.savez(path / "retrieved.npz", **(GOOD | arrays))
    return path / "retrieved.npz"


def test_marks_counts_and_cosines(tmp_path):
    found = read_retrieved(write(tmp_path))
    content = answered(found, 6)
    (query, own), (_, others) = content.rows
    assert (query.name, query.kind, query.mark) == ("q0", "run", "") and query.picture.startswith("data:image/webp")
    assert [(f.name, f.cosine, f.mark) for f in own] == [
        ("a", "0.95", "same"), ("b", "0.50", "other"), ("c", "-0.25", "other")
    ]  # fmt: skip
    assert [f.name for f in others] == ["b", "a"] and own[0].picture == others[1].picture
    assert (content.right, content.shown, content.first) == (2, 5, 2)
    assert (content.queries, content.gallery) == (1234, 56789)
    near = read_retrieved(write(tmp_path, cosines=np.full((2, 3), 0.9912)))
    assert answered(near, 1).rows[0][1][0].cosine == "0.991" and len(answered(near, 1).rows) == 1
    assert retrieved_sections(None, 1.0) == [] and len(retrieved_sections(found, 0.01)[0].content.rows) == 2


@pytest.mark.parametrize(
    "arrays",
    [
        {"films": FILMS.astype(np.float32)},
        {"films": FILMS[0]},
        {"names": GOOD["names"][:4]},
        {"found": GOOD["found"].astype(np.int32)},
        {"found": GOOD["found"] + 1},
        {"found": GOOD["found"] - 3},
        {"found": np.zeros((2, 0), np.int64), "same": np.zeros((2, 0), bool), "cosines": np.zeros((2, 0))},
        {"same": GOOD["same"][:1]},
        {"same": GOOD["same"].astype(int)},
        {"cosines": GOOD["cosines"] * np.nan},
        {"counts": np.array([1])},
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays):
    with pytest.raises((ValueError, KeyError)):
        read_retrieved(write(tmp_path, **arrays))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on videos of three sources, and the folder of these."""
    root = tmp_path_factory.mktemp("retrieved")
    rows = ["file,label,source"]
    for i in range(12):
        kind = "right" if i % 2 else "down"
        write_video(root / "films" / f"{i}.mp4", moving(kind, i, 20))
        rows.append(f"{i}.mp4,{kind},s{i // 4}")
    (root / "films" / "list.csv").write_text("\n".join(rows))
    small = {"backbone": "convnet3d", "image_size": 16, "frames": 4, "stride": 2, "batch_size": 4, "quiet": True}
    options = {"out": str(root / "run"), "steps": 2, "knn_every": 0, "kind": "videos"}
    twofold.pretrain("moco", str(root / "films" / "list.csv"), **options, **small)
    return root / "run", str(root / "films" / "list.csv")


def test_evaluate_puts_them_on_the_page(run):
    folder, data = run
    before = (folder / "report.html").read_text("utf-8")
    rows = twofold.evaluate(str(folder), data, test=data, protocols="retrieval", clips=2, floors=False, quiet=True)
    found = read_retrieved(folder / "retrieved.npz")
    assert found.films.shape[1:] == (6, 64, 64, 3) and found.found.shape == (6, 5)
    assert (found.queries, found.gallery, found.asked) == (12, 12, data)
    assert [found.names[n] for n in found.found[:, 0]] == found.names[:6]  # itself: the same videos are asked
    assert np.allclose(found.cosines[:, 0], 1) and found.same[:, 0].all()
    kinds = np.array(found.kinds)
    assert (found.same == (kinds[found.found] == kinds[:6, None])).all() and len(set(kinds[:6])) == 2
    assert next(row["value"] for row in rows if row["metric"] == "R@1") == 1.0
    page = (folder / "report.html").read_text("utf-8")
    assert "Videos that were retrieved" in page and "6 of the 12 videos to test on" in page
    assert "Videos that were retrieved" not in before and len(page) - len(before) < 500_000


def test_videos_of_its_own_source_do_not_stand_beside_a_query(run):
    folder, data = run
    options = {"protocols": "retrieval", "clips": 1, "floors": False, "quiet": True}
    twofold.evaluate(str(folder), data, test=data, same_source=False, **options)
    found = read_retrieved(folder / "retrieved.npz")
    source = {name: int(name.split(".")[0]) // 4 for name in found.names}
    for query, numbers in enumerate(found.found):
        own = [n for n in numbers if n >= 0]
        assert own and all(source[found.names[n]] != source[found.names[query]] for n in own)


def test_other_protocols_leave_them_alone(run):
    folder, data = run
    before = (folder / "retrieved.npz").stat().st_mtime_ns
    twofold.evaluate(str(folder), data, test=data, protocols="knn", clips=1, floors=False, quiet=True)
    assert (folder / "retrieved.npz").stat().st_mtime_ns == before
