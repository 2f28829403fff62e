"""Copies of one video under several names do not part, and are told."""

import shutil

import pytest

from tests.videos.conftest import moving, write_video
from twofold.videos.evaluation.splits import hold_out, labelled, shared_sources
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.copies import marks
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.store import VideoStore


@pytest.fixture
def album(tmp_path):
    for kind in ("run", "walk"):
        for i in range(4):
            write_video(tmp_path / kind / f"{i}.mp4", moving("right", 10 * i + len(kind), 4))
        for i in range(4):
            shutil.copy(tmp_path / kind / f"{i}.mp4", tmp_path / kind / f"copy of {i}.mp4")
    return tmp_path


def split_of(folder):
    return labelled(Clips(VideoStore(open_source(str(folder)), 24, 0), even(1, 2, 1)))


def test_copies_have_one_mark_and_others_their_own(album):
    (album / "run" / "3.mp4").unlink()
    source = open_source(str(album))
    found = {source.names[i]: mark for i, mark in marks(source, range(len(source))).items()}
    assert found["run/0.mp4"] == found["run/copy of 0.mp4"] != found["run/1.mp4"]
    assert sorted(found.values()).count(found["walk/2.mp4"]) == 2


@pytest.mark.parametrize("seed", range(4))
def test_no_split_parts_copies(album, seed):
    train, test = hold_out(split_of(album), seed)
    names = [{s.clips.source.names[i].replace("copy of ", "") for i in s.indices.tolist()} for s in (train, test)]
    assert not names[0] & names[1] and len(test) == 4
    assert shared_sources(train, test) == (0, "")


def test_copies_elsewhere_are_told(album, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(album / "run", other / "x" / "run")
    shutil.copytree(album / "walk", other / "x" / "walk")
    write_video(other / "x" / "run" / "9.mp4", moving("down", 77, 4))
    assert shared_sources(split_of(album), split_of(other / "x")) == (16, "run/0.mp4")


def test_where_all_are_copies_they_part(tmp_path):
    for kind in ("run", "walk"):
        for i in range(3):
            write_video(tmp_path / kind / f"{i}.mp4", moving("right", len(kind), 4))
    train, test = hold_out(split_of(tmp_path), 0)
    assert len(train) == 4 and shared_sources(train, test)[0] == 2
