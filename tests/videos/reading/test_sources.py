"""What videos there are, with their labels, sources and folds: folders, tars, and lists of every dialect."""

import io
import shutil
import tarfile

import numpy as np
import pytest

from tests.videos.clips import HERE, clip
from twofold.errors import UserError
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.opening import ListOptions, open_source
from twofold.videos.reading.source import split_by_group
from twofold.videos.reading.store import VideoStore
from twofold.videos.reading.video import Video


def films(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip("one.mp4"), root / name)
    return root


def told(source):
    """(name, class) of each video."""
    classes = source.classes or []
    return [(item.name, classes[item.label] if item.label >= 0 else None) for item in source.items]


def test_folders_are_classes_and_parts(tmp_path):
    films(tmp_path, "Train/run/a.mp4", "Train/walk/b.MOV", "test/run/c.avi")
    (tmp_path / "Train" / "notes.txt").write_text("x")
    train, test = (open_source(str(tmp_path), role=role) for role in ("train", "test"))
    assert told(train) == [("Train/run/a.mp4", "run"), ("Train/walk/b.MOV", "walk")]
    assert [item.name for item in test.items] == ["test/run/c.avi"]
    assert train.notes and "--part" in train.notes[0] and train.skipped == {".txt": 1}
    assert len(open_source(str(tmp_path), role="all")) == 3


def test_members_of_a_tar_are_read_where_they_lie(tmp_path):
    with tarfile.open(tmp_path / "clips.tar", "w") as archive:
        for name in ("run/a.mp4", "walk/b.mp4", "readme.txt"):
            data = (HERE / ("plain.mp4" if name != "readme.txt" else "make.sh")).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    source = open_source(str(tmp_path / "clips.tar"))
    assert told(source) == [("run/a.mp4", "run"), ("walk/b.mp4", "walk")]
    expected = Video(clip("plain.mp4")).read([0, 30])
    assert np.array_equal(Video(source.file(1)).read([0, 30]), expected)
    (tmp_path / "bad.tar").write_bytes(b"x" * 3000)
    with pytest.raises(UserError, match="no plain tar file"):
        open_source(str(tmp_path / "bad.tar"))


def test_a_table_tells_labels_sources_and_folds(tmp_path):
    films(tmp_path, "x/1.mp4", "x/2.mp4", "x/3.mp4")
    (tmp_path / "clips.csv").write_text("file,label,fold,source\nx/1.mp4,run,0,A\nx/2.mp4,walk,1,A\nx/3.mp4,run,1,B\n")
    source = open_source(str(tmp_path / "clips.csv"))
    assert told(source) == [("x/1.mp4", "run"), ("x/2.mp4", "walk"), ("x/3.mp4", "run")]
    assert [item.group for item in source.items] == ["A", "A", "B"]
    options = ListOptions(fold=1)
    assert [i.name for i in open_source(str(tmp_path / "clips.csv"), options=options).items] == ["x/1.mp4"]
    assert len(open_source(str(tmp_path / "clips.csv"), role="test", options=options)) == 2
    with pytest.raises(UserError, match=r"has no fold 7; it has 0, 1"):
        open_source(str(tmp_path / "clips.csv"), options=ListOptions(fold=7))


def test_lines_of_a_path_with_spaces_and_commas_and_a_label(tmp_path):
    films(tmp_path, "my clip, take 1.mp4", "ApplyLipstick/v_x.avi", "c.mp4")
    lines = "my clip, take 1.mp4 3\r\nApplyLipstick\\v_x.avi 2\r\nc.mp4 0 -1\r\n"
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    found = told(open_source(str(tmp_path / "list.txt")))
    assert found == [("my clip, take 1.mp4", "3"), ("ApplyLipstick/v_x.avi", "2"), ("c.mp4", None)]


def test_lists_of_ucf101_join_their_class_names(tmp_path):
    films(tmp_path, "Run/v_Run_g01_c01.avi", "Run/v_Run_g01_c02.avi", "Walk/v_Walk_g02_c01.avi")
    (tmp_path / "classInd.txt").write_text("1 Run\n2 Walk\n")
    (tmp_path / "trainlist01.txt").write_text("Run/v_Run_g01_c01.avi 1\nWalk/v_Walk_g02_c01.avi 2\n")
    (tmp_path / "testlist01.txt").write_text("Run/v_Run_g01_c02.avi\n")
    train, test = (open_source(str(tmp_path / f"{part}list01.txt")) for part in ("train", "test"))
    assert [name for _, name in told(train)] == ["Run", "Walk"] and "count from 1" in train.notes[0]
    assert told(test) == [("Run/v_Run_g01_c02.avi", "Run")]
    assert train.items[0].group == test.items[0].group == "v_Run_g01"


def test_lists_of_kinetics_find_files_by_id_and_times(tmp_path):
    films(tmp_path / "videos", "abseiling/abc_000010_000020.mp4", "air_drumming/def.mp4")
    (tmp_path / "k.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nabseiling,abc,10,20,train\nair drumming,def,5,15,train\n"
        "abseiling,gone,1,11,train\n"
    )
    source = open_source(str(tmp_path / "k.csv"), options=ListOptions(videos=str(tmp_path / "videos")))
    assert [name for _, name in told(source)] == ["abseiling", "air drumming"]
    assert source.skipped == {"listed but not there": 1} and source.items[0].group == "abc"


def test_labels_stay_with_their_videos_when_some_cannot_be_read(tmp_path):
    films(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    (tmp_path / "list.txt").write_text("broken.mp4 0\na.mp4 1\nb.mp4 2\ngone.mp4 5\n")
    source = open_source(str(tmp_path / "list.txt"))
    clips = Clips(VideoStore(source, 16), even(1, 2, 1), max_unreadable=0.5)
    import torch

    for _ in clips.stream([torch.arange(3)]):
        pass
    assert list(clips.unreadable) == ["broken.mp4"]
    assert [item.label for item in source.items] == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_no_split_parts_a_source(tmp_path, seed):
    names = [f"{c}/v_{c}_g{g:02d}_c{k:02d}.mp4" for c in ("A", "B") for g in range(1, 6) for k in (1, 2, 3)]
    source = open_source(str(films(tmp_path, *names)))
    train, test = split_by_group(source, seed)
    groups = [{source.items[i].group for i in rows} for rows in (train, test)]
    assert not groups[0] & groups[1] and len(test) == 6 and len(train) + len(test) == 30
    assert {source.items[i].label for i in test} == {0, 1}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is an empty list"),
        (b"\xff\xfe\x00\x01", "not a text file in UTF-8"),
        (b"gone.mp4 1\n", "names no video that lies in"),
        (b"label,colour\nx,y\n", "names no files: call that column file"),
    ],
)
def test_lists_that_say_nothing_are_refused(tmp_path, content, sentence):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        open_source(str(tmp_path / "list.csv"))


def test_a_copy_has_the_same_fingerprint_and_other_labels_another(tmp_path):
    one, other = (films(tmp_path / name, "run/a.mp4", "walk/b.mp4") for name in ("one", "other"))
    assert open_source(str(one)).fingerprint() == open_source(str(other)).fingerprint()
    (other / "walk" / "b.mp4").rename(other / "run" / "b.mp4")
    assert open_source(str(one)).fingerprint() != open_source(str(other)).fingerprint()


def test_a_list_finds_its_videos_in_all_tars_beside_it(tmp_path):
    for name in ("a", "b"):
        with tarfile.open(tmp_path / f"{name}.tar", "w") as archive:
            archive.add(clip("one.mp4"), f"{name}.mp4")
    (tmp_path / "list.txt").write_text("a.mp4 1\nb.mp4 0\n")
    source = open_source(str(tmp_path / "list.txt"))
    assert [item.name for item in source.items] == ["a.mp4", "b.mp4"] and not source.skipped
    assert len(Video(source.file(1))) == 1


def test_a_folder_of_gifs_alone_may_be_videos(tmp_path):
    films(tmp_path, "run/a.gif", "walk/b.GIF")
    assert told(open_source(str(tmp_path))) == [("run/a.gif", "run"), ("walk/b.GIF", "walk")]
    films(tmp_path, "run/c.rmvb")
    source = open_source(str(tmp_path))
    assert [item.name for item in source.items] == ["run/c.rmvb"] and source.skipped == {".gif": 2}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("v_Run_g01_c02.avi", "v_Run_g01"),
        ("party_c12.mp4", "party"),
        ("v_biking_01_02.mpg", "v_biking_01"),
        ("-Ab_cdefgh1_000010_000020.mp4", "-Ab_cdefgh1"),
        ("walk_01.mp4", ""),
        ("abc_000010_000020.mp4", ""),
    ],
)
def test_names_tell_what_was_cut_from_one_video(tmp_path, name, group):
    assert open_source(str(films(tmp_path, name))).items[0].group == group
