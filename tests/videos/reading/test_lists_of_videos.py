"""Lists as others write them: columns in any order, labels of several words, parts, repeated rows, paths of another
machine."""

import shutil
import unicodedata

import pytest

from tests.videos.clips import clip
from twofold.errors import UserError
from twofold.videos.reading.opening import ListOptions, open_source

NAMES = ("Run/a.mp4", "Run/b.mp4", "Walk/c.mp4", "Walk/d.mp4")


@pytest.fixture
def videos(tmp_path):
    for name in NAMES:
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip("one.mp4"), tmp_path / "videos" / name)
    return tmp_path


def opened(videos, text, name="list.csv", **wanted):
    (videos / name).write_text(text, "utf-8")
    return open_source(str(videos / name), options=ListOptions(videos=str(videos / "videos")), **wanted)


def told(source):
    """(name, class) of each video."""
    return [(item.name, source.classes[item.label] if item.label >= 0 else None) for item in source.items]


@pytest.mark.parametrize("between", [",", " ", ";", ", ", "\t"])
def test_labels_of_several_words_stay_whole(videos, between):
    lines = [f"Run/a.mp4{between}riding a bike", f"Walk/c.mp4{between}riding mountain bike"]
    assert told(opened(videos, "\n".join(lines))) == [
        ("Run/a.mp4", "riding a bike"),
        ("Walk/c.mp4", "riding mountain bike"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "label,file\nrun,Run/a.mp4\nwalk,Walk/c.mp4\n",
        ",label,file\n0,run,Run/a.mp4\n1,walk,Walk/c.mp4\n",
        "file;label\nRun/a.mp4;run\nWalk/c.mp4;walk\n",
        "video_id\tlabel\nRun/a.mp4\trun\nWalk/c.mp4\twalk\n",
        "file label\nRun/a.mp4 run\nWalk/c.mp4 walk\n",
        'file,label\n"Run/a.mp4","run"\nWalk/c.mp4,walk\n',
    ],
)
def test_columns_may_stand_in_any_order_and_between_any_marks(videos, text):
    source = opened(videos, text)
    assert told(source) == [("Run/a.mp4", "run"), ("Walk/c.mp4", "walk")] and not source.skipped


def test_a_column_of_parts_keeps_test_videos_out(videos):
    text = (
        "file,label,split\nRun/a.mp4,run,train\nRun/b.mp4,run,validate\nWalk/c.mp4,walk,train\nWalk/d.mp4,walk,test\n"
    )
    train, test = opened(videos, text), opened(videos, text, role="test")
    assert [item.name for item in train.items] == ["Run/a.mp4", "Walk/c.mp4"]
    assert [item.name for item in test.items] == ["Walk/d.mp4"] and len(opened(videos, text, role="all")) == 4
    assert "test (1 video) and valid (1 video) left out" in train.notes[0]
    assert [item.name for item in opened(videos, text, part="valid").items] == ["Run/b.mp4"]
    with pytest.raises(UserError, match="has no part test but no parts"):
        opened(videos, "Run/a.mp4 1\nWalk/c.mp4 0\n", part="test")


def test_numbers_mean_the_classes_of_these_numbers(videos):
    (videos / "classInd.txt").write_text("1 Jump\n2 Run\n3 Walk\n4 Yoga\n")
    assert told(opened(videos, "Run/a.mp4 2\nWalk/c.mp4 3\n")) == [("Run/a.mp4", "Run"), ("Walk/c.mp4", "Walk")]


@pytest.mark.parametrize(
    ("index", "text", "classes"),
    [
        ("Jump\nRun\nWalk\nYoga\n", "Run/a.mp4 2\nWalk/c.mp4 3\n", ["Run", "Walk"]),  # as the folders say
        ("Jump\nRun\nWalk\nYoga\n", "Run/a.mp4 1\nWalk/c.mp4 2\n", ["Run", "Walk"]),
        ("id,name\n0,jogging\n1,dancing\n", "Run/a.mp4 0\nWalk/c.mp4 1\n", ["jogging", "dancing"]),
        ("jogging 1\ndancing 0\n", "Run/a.mp4 0\nWalk/c.mp4 1\n", ["dancing", "jogging"]),
        ("one\ntwo\nthree\n", "Run/a.mp4 3\nWalk/c.mp4 2\n", ["three", "two"]),  # they go beyond a count from 0
        ("3 jogging\n7 dancing\n", "Run/a.mp4 3\nWalk/c.mp4 7\n", ["jogging", "dancing"]),
    ],
)
def test_where_numbers_begin_follows_from_names_folders_and_bounds(videos, index, text, classes):
    (videos / "classes.txt").write_text(index)
    assert [name for _, name in told(opened(videos, text))] == classes


def test_labels_that_the_names_do_not_hold_are_said(videos):
    (videos / "classes.txt").write_text("Run\nWalk\n")
    beyond = opened(videos, "Run/a.mp4 3\nWalk/c.mp4 9\n")
    assert "labels go beyond the 2 names" in beyond.notes[0] and [name for _, name in told(beyond)] == ["3", "9"]
    strange = opened(videos, "Run/a.mp4 run\nRun/b.mp4 wolk\nWalk/c.mp4 walk\n")
    assert "labels that are no class of" in strange.notes[0] and "1 without a label" in strange.describe()


def test_a_file_that_is_listed_again_counts_once(videos):
    source = opened(videos, "file,label\nRun/a.mp4,run\nWalk/c.mp4,walk\nRun/a.mp4,run\n./Walk/c.mp4,run\n")
    assert told(source) == [("Run/a.mp4", "run"), ("Walk/c.mp4", "walk")] and source.skipped == {"listed again": 2}
    assert "name a file again, with another label or part: 1 (such as Walk/c.mp4)" in source.notes[0]


@pytest.mark.parametrize(
    "name", ["/mnt/data/Run/a.mp4", "Run/a", "Run/a.avi", "C:\\clips\\Run\\a.mp4", "data/Run/a", "a.mp4", "a"]
)
def test_files_are_found_by_the_end_of_their_path(videos, name):
    assert told(opened(videos, f"{name} 14 0\nWalk/c.mp4 14 1\n")) == [("Run/a.mp4", "0"), ("Walk/c.mp4", "1")]


def test_names_that_several_folders_have_are_not_guessed(videos):
    shutil.copy(clip("one.mp4"), videos / "videos" / "Walk" / "a.mp4")
    source = opened(videos, "a.mp4 0\nc.mp4 1\n")
    assert len(source) == 1 and source.skipped == {"listed without a folder and there in several": 1}


def test_letters_with_marks_may_be_spelled_either_way(videos):
    spelled = [unicodedata.normalize(form, "Läufer/é.mp4") for form in ("NFD", "NFC")]
    (videos / "videos" / spelled[0]).parent.mkdir()
    shutil.copy(clip("one.mp4"), videos / "videos" / spelled[0])
    assert len(opened(videos, f"{spelled[1]} 1\nRun/a.mp4 0\n")) == 2


def test_the_folder_that_is_the_class_may_be_said(videos):
    text = "Run/a.mp4 5\nWalk/c.mp4 5\n"
    assert [name for _, name in told(opened(videos, text, class_level=1))] == ["Run", "Walk"]
    assert opened(videos, text, class_level=0).classes is None


def test_times_within_files_are_said_to_be_passed_over(videos):
    source = opened(videos, "file,label,start,end\nRun/a.mp4,run,0,5\nWalk/c.mp4,walk,5,9\n")
    assert "whole files are read" in source.notes[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,label\n" + "x" * 200_000 + ",1\n", r"is no list of videos \(field larger than field limit"),
        ("file,label\n", "names no video that lies in"),
        ("youtube_id,split\n,train\n", "names no video that lies in"),
    ],
)
def test_what_is_no_list_gets_a_sentence(videos, text, sentence):
    with pytest.raises(UserError, match=sentence):
        opened(videos, text)


def test_odd_numbers_are_none(videos):
    (videos / "classes.txt").write_text("²\n" + "9" * 5000 + " x\n")
    source = opened(videos, "file,label,fold\nRun/a.mp4,0,²\nWalk/c.mp4,1,-1\n")
    assert [item.fold for item in source.items] == [None, None] and source.class_count() == 2
