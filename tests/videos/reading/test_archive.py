"""Tar files as they come: with hidden files, links, older copies, holes, cut short, several beside each other."""

import io
import tarfile
from collections import Counter

import pytest

from tests.videos.clips import HERE
from twofold.errors import UserError
from twofold.pixels.reading.places import place
from twofold.videos.reading.archive import members_of
from twofold.videos.reading.opening import open_source

ONE = (HERE / "one.mp4").read_bytes()


def tar(path, *names, **special):
    """A tar of copies of one video; special: members of another type, by name with __ for slash and _ for dot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(ONE)
            archive.addfile(member, io.BytesIO(ONE))
        for name, (kind, target) in special.items():
            member = tarfile.TarInfo(name.replace("__", "/").replace("_", "."))
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return str(path)


def test_hidden_files_are_counted_and_make_no_class(tmp_path):
    path = tar(tmp_path / "a.tar", "./run/a.mp4", "./walk/b.mp4", "./run/._a.mp4", "__MACOSX/run/._a.mp4", "./read.me")
    source = open_source(path)
    assert [item.name for item in source.items] == ["run/a.mp4", "walk/b.mp4"] and source.classes == ["run", "walk"]
    assert source.skipped == {"hidden": 2, ".me": 1}


def test_links_within_are_followed_and_others_counted(tmp_path):
    path = tar(
        tmp_path / "a.tar",
        "run/a.mp4",
        run__b_mp4=(tarfile.LNKTYPE, "run/a.mp4"),
        run__c_mp4=(tarfile.SYMTYPE, "a.mp4"),
    )
    source = open_source(path)
    assert [item.name for item in source.items] == ["run/a.mp4", "run/b.mp4"]
    assert source.opened(1).read() == ONE and source.skipped == {"links and devices": 1}
    with pytest.raises(UserError, match=r"holds a link to .*gone.mp4.*, which it does not hold"):
        members_of(place(tar(tmp_path / "b.tar", "a.mp4", b_mp4=(tarfile.LNKTYPE, "gone.mp4"))))


def test_of_a_member_added_again_the_last_one_counts(tmp_path):
    skipped: Counter[str] = Counter()
    found = members_of(place(tar(tmp_path / "a.tar", "a.mp4", "b.mp4", "a.mp4")), skipped)
    assert [item.name for item in found] == ["a.mp4", "b.mp4"] and found[0].offset > found[1].offset
    assert +skipped == {"older copies of members": 1}


def test_one_that_is_cut_short_is_not_called_packed(tmp_path):
    path = tar(tmp_path / "a.tar", "a.mp4", "b.mp4")
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: 512 + len(ONE)])
    with pytest.raises(UserError, match="is cut short"):
        open_source(path)


def test_a_tar_of_other_things_says_what_it_holds(tmp_path):
    with pytest.raises(UserError, match=r"holds no videos but only \.jpg 1"):
        open_source(tar(tmp_path / "a.tar", "a.jpg"))


@pytest.mark.parametrize(
    ("tars", "names", "classes"),
    [
        ({"0.tar": ["run/a.mp4"], "1.tar": ["walk/b.mp4"]}, ["run/a.mp4", "walk/b.mp4"], ["run", "walk"]),
        ({"run.tar": ["1.mp4"], "walk.tar": ["1.mp4"]}, ["run/1.mp4", "walk/1.mp4"], ["run", "walk"]),
        ({"0.tar": ["run/1.mp4"], "1.tar": ["run/1.mp4", "walk/1.mp4"]}, None, ["run", "walk"]),
        ({"train.tar": ["run/1.mp4", "walk/1.mp4"], "test.tar": ["run/1.mp4"]}, None, ["run", "walk"]),
        ({"run/x.tar": ["1.mp4"], "walk/x.tar": ["1.mp4"]}, ["run/1.mp4", "walk/1.mp4"], ["run", "walk"]),
    ],
)
def test_a_folder_of_tars_is_all_of_them(tmp_path, tars, names, classes):
    for name, members in tars.items():
        tar(tmp_path / name, *members)
    source = open_source(str(tmp_path))
    found = [item.name for item in source.items]
    assert found == (names or found) and source.classes == classes
    assert len(set(found)) == len(found)
    if "train.tar" in tars:
        assert len(found) == 2 and len(open_source(str(tmp_path), role="test")) == 1
    else:
        assert len(found) == sum(map(len, tars.values()))
