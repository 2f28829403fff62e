"""Parquet files in folders: clones from a hub, parts by the names of files and folders, several sets in one folder."""

from __future__ import annotations

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_samples import encoded, picture, write

from twofold.errors import UserError
from twofold.images.reading import open_source

DATA = [encoded(picture(seed=i)) for i in range(4)]
FEATURES = {"image": {"_type": "Image"}, "label": {"names": ["air", "bird", "cat"], "_type": "ClassLabel"}}


def shard(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": DATA[i], "path": None} for i in range(len(labels))]
    table = pa.table({"image": images, "label": pa.array(labels, pa.int64())})
    about = json.dumps({"info": {"features": FEATURES}})
    pq.write_table(table.replace_schema_metadata({"huggingface": about}), path)


HUBS = [
    ("data/train-00000-of-00002-1a2b3c4d5e6f7a8b", "data/train-00001-of-00002-9f", "data/test-00000-of-00001-ab"),
    ("plain_text/train-00000-of-00002", "plain_text/train-00001-of-00002", "plain_text/test-00000-of-00001"),
    ("default/train/0000", "default/train/0001", "default/test/0000"),
    ("Train/0000", "Train/0001", "TEST/0000"),
    ("cifar_train_0", "cifar_train_1", "cifar_test_0"),
]


@pytest.mark.parametrize("names", HUBS)
def test_a_clone_from_a_hub(tmp_path, names):
    (tmp_path / "README.md").write_text("x")
    (tmp_path / ".gitattributes").write_text("x")
    for name, labels in zip(names, ([0, 1], [2, 0], [1, None]), strict=True):
        shard(tmp_path / f"{name}.parquet", labels)
    source = open_source(str(tmp_path))
    assert source.labels.tolist() == [0, 1, 2, 0] and source.classes == FEATURES["label"]["names"]
    assert "is read, test (1 file) left out; --part takes another or all, and --test" in source.notes[0]
    assert [source.read(i) for i in range(2)] == DATA[:2] and len(set(source.names)) == 4
    assert open_source(str(tmp_path), role="test").labels.tolist() == [1, -1]
    assert open_source(str(tmp_path), part="test").labels.tolist() == [1, -1]
    assert len(set(open_source(str(tmp_path), part="all").names)) == 6


def test_a_pattern_takes_no_other_part_along(tmp_path):
    for name in ("train-00000-of-00001", "validation-00000-of-00001", "test-00000-of-00001"):
        shard(tmp_path / f"{name}.parquet", [0, 1])
    source = open_source(str(tmp_path / "*.parquet"))
    assert len(source) == 2 and "test (1 file) and valid (1 file) left out" in source.notes[0]
    assert open_source(str(tmp_path / "test-*.parquet")).notes == ()
    assert len(open_source(str(tmp_path / "{train,test}-00000-of-00001.parquet"))) == 4
    assert len(open_source(str(tmp_path), part="none")) == 6


def test_several_sets_in_one_folder_are_refused(tmp_path):
    for name in ("coarse/train", "fine/train", "coarse/test"):
        shard(tmp_path / f"{name}.parquet", [0, 1])
    with pytest.raises(UserError, match=r"holds 2 files in 2 folders .coarse, fine.: give one of these, or a pattern"):
        open_source(str(tmp_path))
    assert len(open_source(str(tmp_path / "coarse"))) == 2


def test_a_pattern_over_folders_goes_by_their_names(tmp_path):
    for name in ("a/train/0", "b/train/0", "a/test/0"):
        shard(tmp_path / f"{name}.parquet", [0, 1])
    source = open_source(str(tmp_path / "*" / "*" / "*.parquet"))
    assert len(source) == 4 and "train (2 files) is read, test (1 file) left out" in source.notes[0]


def test_a_part_that_one_file_has_not_is_refused(tmp_path):
    shard(tmp_path / "train.parquet", [0, 1])
    path = str(tmp_path / "train.parquet")
    assert len(open_source(path, part="train")) == len(open_source(path, part="all")) == 2
    with pytest.raises(UserError, match=r"train.parquet has no part test but train .1 file.; name another by part"):
        open_source(path, part="test")
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(UserError, match=r"a.npy has no parts: leave --part out"):
        open_source(str(tmp_path / "a.npy"), part="test")
    with pytest.raises(UserError, match=r"a.npy holds arrays, which lie in no folders: leave --class-level out"):
        open_source(str(tmp_path / "a.npy"), class_level=1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_among_the_files_holds_nobody(tmp_path):
    shard(tmp_path / "b.parquet", [0, 1])
    os.mkfifo(tmp_path / "a.parquet")
    os.mkfifo(tmp_path / "metadata.csv")
    (tmp_path / "c.parquet").symlink_to(tmp_path / "gone.parquet")
    assert len(open_source(str(tmp_path))) == 2
    write(tmp_path / "1.jpg")
    assert open_source(str(tmp_path)).skipped == {
        "pipes, sockets and devices": 2, "broken links": 1, ".parquet": 1,
    }  # fmt: skip


def test_what_was_not_fetched_is_said(tmp_path):
    (tmp_path / "data").mkdir()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (tmp_path / "data" / "train-00000-of-00001.parquet").write_text(pointer)
    with pytest.raises(UserError, match="is a pointer of Git LFS, not the file: run `git lfs pull` there"):
        open_source(str(tmp_path))


def test_images_beside_a_table_are_what_is_read(tmp_path):
    write(tmp_path / "a" / "1.jpg")
    shard(tmp_path / "data" / "train.parquet", [0])
    assert open_source(str(tmp_path)).skipped == {".parquet": 1}
