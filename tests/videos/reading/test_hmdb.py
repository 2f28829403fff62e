"""HMDB51's split files: one of them stands for its split of all classes."""

import pytest

from tests.videos.conftest import moving, write_video
from twofold.errors import UserError
from twofold.videos.reading.opening import ListOptions, open_source
from twofold.videos.reading.preparing import Preparing, prepare


@pytest.fixture
def hmdb(tmp_path):
    names = {"brush_hair": ["a", "b", "c", "d"], "wave": ["e", "f", "g"]}
    for name, videos in names.items():
        for video in videos:
            write_video(tmp_path / "videos" / name / f"{video}.avi", moving("right", 0, 4))
    splits = tmp_path / "splits"
    splits.mkdir()
    (splits / "brush_hair_test_split1.txt").write_text("a.avi 1 \nb.avi 2 \nc.avi 0 \nd.avi 1 \n")
    (splits / "wave_test_split1.txt").write_text("e.avi 1 \r\nf.avi 2 \r\ngone.avi 1 \r\n")
    (splits / "wave_test_split2.txt").write_text("e.avi 2 \n")
    return tmp_path


def opened(hmdb, **wanted):
    return open_source(
        str(hmdb / "splits" / "wave_test_split1.txt"), options=ListOptions(videos=str(hmdb / "videos")), **wanted
    )


def test_one_file_stands_for_its_split(hmdb):
    train, test, both = opened(hmdb), opened(hmdb, role="test"), opened(hmdb, part="all")
    about = [[(item.name, item.label) for item in source.items] for source in (train, test, both)]
    assert about[0] == [("brush_hair/a.avi", 0), ("brush_hair/d.avi", 0), ("wave/e.avi", 1)]
    assert about[1] == [("brush_hair/b.avi", 0), ("wave/f.avi", 1)] and len(about[2]) == 5
    assert train.classes == ["brush_hair", "wave"]
    assert train.skipped == {"of the other part": 2, "of neither part in split 1": 1, "listed but not there": 1}
    assert "split 1 of 2 classes" in train.notes[0]


def test_what_cannot_be_meant_is_said(hmdb):
    with pytest.raises(UserError, match=r"holds HMDB51's split files: name one, such as brush_hair_test_split1\.txt"):
        open_source(str(hmdb / "splits"))
    with pytest.raises(UserError, match=r"names no video that lies in .*: say by --videos"):
        open_source(str(hmdb / "splits" / "wave_test_split1.txt"))


def test_prepared_together_the_parts_stay_apart(hmdb):
    prepare(opened(hmdb, role="all"), str(hmdb / "out"), Preparing())
    train, test = (open_source(str(hmdb / "out"), role=role) for role in ("train", "test"))
    names = [[item.name for item in source.items] for source in (train, test)]
    assert names[0] == ["brush_hair/a.frames", "brush_hair/d.frames", "wave/e.frames"]
    assert names[1] == ["brush_hair/b.frames", "wave/f.frames"]


def test_videos_of_one_name_are_those_of_their_class(hmdb):
    for name in ("brush_hair", "wave"):
        write_video(hmdb / "videos" / name / "same.avi", moving("right", 0, 4))
        with (hmdb / "splits" / f"{name}_test_split1.txt").open("a") as file:
            file.write("same.avi 1\n")
    found = [(item.name, item.label) for item in opened(hmdb).items if "same" in item.name]
    assert found == [("brush_hair/same.avi", 0), ("wave/same.avi", 1)]
