"""The ceiling of `compare` on videos: trained with labels under the budget of the runs, measured where they are."""

import json

import pytest

import twofold

SMALL = {"backbone": "convnet3d", "image_size": 16, "frames": 4, "stride": 2, "batch_size": 4, "seeds": 2, "clips": 1}
PROTOCOLS = "retrieval,linear,background"


@pytest.fixture(scope="module")
def compared(album, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "out"
    options = {"out": str(out), "test": str(album), "protocols": PROTOCOLS, "quiet": True, "kind": "videos", **SMALL}
    return out, options, twofold.compare("moco", str(album), steps=6, **options)


def test_it_stands_last_with_its_classifier_and_its_features(compared):
    out, _, found = compared
    row = found["rows"][-1]
    assert (row["name"], row["kind"], row["seeds"]) == ("supervised", "ceiling", [0, 1])
    assert {"linear top1", "retrieval R@1", "retrieval mAP", "background R@1 swapped"} <= set(row["numbers"])
    for seed in (0, 1):
        kept = json.loads((out / f"supervised-seed{seed}.json").read_text())
        assert (kept["epochs"], kept["videos"], kept["asked"]) == (2, 12, 6)  # 6 steps of 4 of 12 videos
        assert row["numbers"]["linear top1"]["values"][str(seed)] == kept["top1"]
        assert row["numbers"]["retrieval R@1"]["values"][str(seed)] == kept["retrieval R@1"]
    assert any(note.startswith("Supervised: ") for note in found["notes"])
    assert "supervised" in (out / "compare.md").read_text()


def test_what_is_there_is_not_trained_again_and_may_be_left_out(compared, album):
    out, options, found = compared
    before = (out / "supervised-seed0.json").stat().st_mtime_ns
    again = twofold.compare("moco", str(album), steps=6, **options)
    assert again["rows"][-1]["numbers"] == found["rows"][-1]["numbers"]
    assert (out / "supervised-seed0.json").stat().st_mtime_ns == before
    without = twofold.compare("moco", str(album), steps=6, supervised=False, **options)
    assert "ceiling" not in {row["kind"] for row in without["rows"]}


def test_labels_teach_what_they_name(album, tmp_path):
    options = {**SMALL, "seeds": 1, "out": str(tmp_path / "out"), "test": str(album), "kind": "videos", "quiet": True}
    found = twofold.compare("moco", str(album), epochs=40, protocols="knn", report=False, **options)
    assert found["rows"][-1]["numbers"]["knn top1"]["mean"] > 0.8
