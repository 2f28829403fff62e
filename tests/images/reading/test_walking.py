"""The walk below a folder: links, and one order everywhere."""

from __future__ import annotations

import os

import pytest
from reading_samples import album, write

from twofold.images.reading import open_source


def test_links_do_not_loop_and_count_once(tmp_path):
    album(tmp_path / "real", 3)
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "real")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "real" / "000.jpg")
    source = open_source(str(tmp_path))
    assert len(source) == 4 and "linked.jpg" in source.names
    assert source.skipped["folders seen before (links)"] == 2 and source.skipped["broken links"] == 1


@pytest.mark.parametrize("turned", [False, True])
def test_two_doors_to_a_folder_are_opened_in_the_same_order_everywhere(tmp_path, monkeypatch, turned):
    """Whatever order the file system lists: the real door before links, of two links the first by name."""
    album(tmp_path / "set" / "zebra", 2)
    album(tmp_path / "set" / "cat", 2)
    album(tmp_path / "away", 2)
    (tmp_path / "set" / "ape").symlink_to(tmp_path / "set" / "zebra")
    for name in ("owl", "dog"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "away")
    listed = os.scandir

    def scandir(path):
        return sorted(listed(path), key=lambda entry: entry.name, reverse=turned)

    monkeypatch.setattr(os, "scandir", scandir)
    source = open_source(str(tmp_path / "set"))
    assert source.classes == ["cat", "dog", "zebra"] and source.skipped == {"folders seen before (links)": 2}
    assert source.names == [f"{name}/00{i}.jpg" for name in ("cat", "dog", "zebra") for i in range(2)]


def test_a_door_within_a_link_gives_way_to_a_real_one(tmp_path):
    write(tmp_path / "set" / "b" / "deep" / "1.jpg")
    (tmp_path / "set" / "a").symlink_to(tmp_path / "set" / "b" / "deep")
    assert open_source(str(tmp_path / "set")).names == ["b/deep/1.jpg"]
