"""Files of pairs as SPair-71k has them: what is read, where pictures are found, what is refused."""

from __future__ import annotations

import contextlib
import json
import random

import pytest
import torch
from PIL import Image

from tests.strangers.mutations import mutate, odd
from twofold.errors import UserError
from twofold.images.dense.pairs import read_pairs, read_picture

PAIR = {
    "src_imname": "a.png",
    "trg_imname": "b.png",
    "src_kps": [[1, 2], [3.5, 4]],
    "trg_kps": [[5, 6], [7, 8]],
    "src_bndbox": [0, 0, 9, 9],
    "trg_bndbox": [2, 3, 12, 33],
    "category": "cat",
}


@pytest.fixture
def pictures(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (20, 10), (255, 0, 0)).save(tmp_path / name)
    return tmp_path


def written(folder, content, name="pairs.json"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return str(file)


@pytest.mark.parametrize("content", [[PAIR], {"pairs": [PAIR]}, PAIR])
def test_a_file_of_pairs(pictures, content):
    (pair,), empty = read_pairs(written(pictures, content))
    assert (pair.source, pair.target) == (str(pictures / "a.png"), str(pictures / "b.png"))
    assert pair.source_points.tolist() == [[1, 2], [3.5, 4]] and pair.target_points.dtype == torch.float64
    assert pair.target_extent == 30 and empty == 0
    assert read_picture(pair.source).shape == (3, 10, 20)


def test_a_folder_as_spair_has_it(tmp_path):
    (tmp_path / "JPEGImages" / "cat").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (20, 10)).save(tmp_path / "JPEGImages" / "cat" / name)
    for number in range(2):
        written(tmp_path, PAIR, f"PairAnnotation/test/{number}.json")
    pairs, _ = read_pairs(str(tmp_path / "PairAnnotation" / "test"))
    assert len(pairs) == 2 and pairs[0].source == str(tmp_path / "JPEGImages" / "cat" / "a.png")
    assert len(read_pairs(str(tmp_path / "PairAnnotation"), str(tmp_path / "JPEGImages"))[0]) == 2


def test_pairs_without_points_are_counted(pictures):
    pairs, empty = read_pairs(written(pictures, [PAIR, {**PAIR, "src_kps": [], "trg_kps": []}]))
    assert (len(pairs), empty) == (1, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trg_kps": None}, "trg_kps of pair 0 of .* is no list of 2 numbers"),
        ({"src_kps": [[1, 2, 3], [4, 5, 6]]}, "is no list of 2 numbers"),
        ({"src_kps": [[1, float("nan")], [1, 2]]}, "is no list of 2 numbers"),
        ({"src_kps": [[1, 2]]}, "src_kps has 1 points and trg_kps 2"),
        ({"trg_bndbox": [5, 5, 5, 5]}, "trg_bndbox is empty"),
        ({"src_imname": "../a.png"}, "leads out of its folder"),
        ({"src_imname": "/etc/passwd"}, "leads out of its folder"),
        ({"src_imname": "c.png"}, "c.png of pair 0 .* was found neither"),
        ({"src_kps": [], "trg_kps": []}, "no pair with a point"),
    ],
)
def test_what_is_refused(pictures, change, says):
    with pytest.raises(UserError, match=says):
        read_pairs(written(pictures, [{**PAIR, **change}]))


def test_files_that_are_none(pictures, tmp_path):
    (pictures / "bad.json").write_text("{")
    for path, says in (
        ("bad.json", "no file of pairs"),
        ("none.json", "no file of pairs"),
        (".", "trg_kps|no file of pairs"),
    ):
        with pytest.raises(UserError, match=says):
            read_pairs(str(pictures / path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no \.json file"):
        read_pairs(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="src_kps is missing"):
        read_pairs(written(pictures, [{k: v for k, v in PAIR.items() if k != "src_kps"}]))
    with pytest.raises(UserError, match="should hold a list"):
        read_pairs(written(pictures, 3))
    (pictures / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="cannot be read"):
        read_picture(str(pictures / "a.png"))


def test_damaged_files_end_in_a_sentence(pictures):
    file = pictures / "pairs.json"
    whole = json.dumps([PAIR, PAIR])
    for number in range(1500):
        draw = random.Random(number)
        try:
            changed = json.dumps(odd(json.loads(whole), draw)) if number % 2 else mutate(whole.encode(), draw)
        except RecursionError:
            continue
        file.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
        with contextlib.suppress(UserError):
            pairs, _ = read_pairs(str(file))
            assert all(torch.isfinite(pair.source_points).all() and 0 < pair.target_extent < 1e300 for pair in pairs)


def test_numbers_and_names_beyond_all_measure(pictures):
    for change in (
        {"src_kps": [[10**400, 1], [1, 2]]},
        {"trg_bndbox": [-1e308, 0, 1e308, 1]},
        {"src_imname": "a" * 5000},
    ):
        with pytest.raises(UserError):
            read_pairs(written(pictures, [{**PAIR, **change}]))
