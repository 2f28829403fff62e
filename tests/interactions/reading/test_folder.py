"""Which file of a folder holds which part."""

from __future__ import annotations

import pytest

from twofold.errors import UserError
from twofold.interactions.reading.folder import part_files, parts_of


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["TRAIN.csv", "Valid.tsv", "Test.txt.GZ", "items.csv"], ["train", "valid", "test"]),
        (["train.csv", "dev.csv", "eval.csv"], ["train", "valid", "test"]),
        (["ml.train.inter", "ml.valid.inter", "ml.test.inter", "ml.item"], ["train", "valid", "test"]),
        (["train-00000-of-00001.parquet", "test-00000-of-00001-ab12.parquet"], ["train", "test"]),
        (["ratings_train.csv", "ratings_test.csv", "train_routes.csv"], ["train", "test"]),
        (["train.csv", "x_train.csv", "x_test.csv"], ["train"]),
        (["a.csv", "train.jpg"], []),
    ],
)
def test_parts_by_names(names, parts):
    assert parts_of(names) == dict(zip(names, parts, strict=False))


def test_a_clone_from_a_hub_has_its_files_in_data(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("x")
    for name in ("train.csv", "test.csv", "notes.md"):
        (tmp_path / "data" / name).write_text("x")
    files, others = part_files(str(tmp_path), None, None)
    assert files == {part: str(tmp_path / "data" / f"{part}.csv") for part in ("train", "test")}
    assert others == ["README.md", "notes.md"]


def test_two_files_of_one_part_are_refused(tmp_path):
    for name in ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet"):
        (tmp_path / name).write_text("x")
    with pytest.raises(UserError, match=r"two train files .*; remove one, join them, or give the files"):
        part_files(str(tmp_path), None, None)
