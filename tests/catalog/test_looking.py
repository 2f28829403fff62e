"""A first look at a path by names alone."""

import io
import tarfile

import pytest

from twofold import wings
from twofold.catalog.looking import IMAGES, VIDEOS, shows
from twofold.errors import UserError


def tar_of(path, names):
    with tarfile.open(path, "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return str(path)


def test_folders_tars_lists_and_files_are_told_by_the_names_in_them(tmp_path):
    deep = tmp_path / "clips" / "train" / "run"
    deep.mkdir(parents=True)
    (deep / "A.MP4").touch()
    (tmp_path / "list.txt").write_text("run/v_1.avi 3\nrun/v_2.avi 4\n")
    (tmp_path / "pictures.txt").write_text("a.jpg\n")
    videos = [tmp_path / "clips", tmp_path / "list.txt", tar_of(tmp_path / "a.tar", ["x/1.webm"]), "anywhere/b.mkv"]
    assert all(shows(str(path), VIDEOS) and not shows(str(path), IMAGES) for path in videos)
    assert shows(str(tmp_path / "pictures.txt"), IMAGES) and not shows(str(tmp_path / "pictures.txt"), VIDEOS)


@pytest.mark.parametrize("made", ["nothing", "empty", "no tar"])
def test_what_cannot_be_looked_into_shows_nothing(tmp_path, made):
    path = tmp_path / {"nothing": "gone", "empty": "folder", "no tar": "x.tar"}[made]
    path.mkdir() if made == "empty" else made == "no tar" and path.write_bytes(b"\0" * 100)
    assert not shows(str(path), VIDEOS)


def test_a_large_folder_does_not_hide_another(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for i in range(150):
        (tmp_path / "a" / f"{i}.dat").touch()
    (tmp_path / "b" / "clip.mov").touch()
    assert shows(str(tmp_path), VIDEOS)


def test_the_wing_of_a_method_of_both_follows_from_the_names(tmp_path):
    for name in ("clips/run/a.mp4", "photos/cats/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    moco = wings.composed("moco")
    found = [wings.of_method(moco, str(tmp_path / name)).kind for name in ("clips", "photos")]
    assert found == ["videos", "images"]
    (tmp_path / "clips/run/poster.jpg").touch()
    with pytest.raises(UserError, match="may be images or videos: say which by --kind"):
        wings.of_method(moco, str(tmp_path / "clips"))


def test_a_tar_in_a_folder_is_looked_into(tmp_path):
    tar_of(tmp_path / "clips.tar", ["fight/a.mp4"])
    (tmp_path / "clips.csv").write_text("file,label")
    assert shows(str(tmp_path), VIDEOS) and not shows(str(tmp_path), IMAGES)
