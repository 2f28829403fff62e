"""A gallery is read whole or refused; its sections say why there is nothing to show."""

import numpy as np
import pytest

from twofold.page.gallery import gallery_parts, read_gallery
from twofold.page.words import Noun

from ..images.report.runs import CLASSES, make_run, write_gallery

CLIP = Noun("clip", "clips")


def test_a_whole_gallery(tmp_path):
    gallery = read_gallery(make_run(tmp_path / "run") / "gallery.npz")
    assert gallery.classes == CLASSES and gallery.thumbnails.shape == (90, 40, 40, 3)
    parts = gallery_parts(gallery, 3, 1.0, CLIP)
    assert [section.id for section in parts.sections] == ["map", "neighbours"]
    assert len(parts.data["maps"]["3"]["x"]) == 90 and parts.style.startswith(".sheet3 ")
    assert len(parts.sections[1].content.rows) == 8


@pytest.mark.parametrize(
    "replaced",
    [
        {"names": np.array(["one"])},
        {"thumbnails": np.zeros((90, 40, 40), np.uint8)},
        {"thumbnails": np.zeros((90, 40, 40, 3), np.float32)},
        {"features": np.zeros((3, 8), np.float32)},
        {"names": np.array([{"an": "object"}] * 90, dtype=object)},
    ],
)
def test_a_gallery_that_does_not_fit_together(tmp_path, replaced):
    write_gallery(tmp_path, **replaced)
    with pytest.raises(ValueError):
        read_gallery(tmp_path / "gallery.npz")


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    write_gallery(tmp_path, classes=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError):
        read_gallery(tmp_path / "gallery.npz")
    assert not (tmp_path / "sprung").exists()


def test_labels_without_class_names_get_numbers(tmp_path):
    write_gallery(tmp_path, classes=np.array(["RBC"]))
    assert read_gallery(tmp_path / "gallery.npz").classes == ["RBC", "1", "2"]


def test_the_words_are_those_of_the_kind(tmp_path):
    assert "No gallery was kept" in gallery_parts(None, 0, 1.0, CLIP).sections[0].content.missing
    write_gallery(tmp_path, features=np.r_[np.full((3, 8), np.inf), np.ones((87, 8))].astype(np.float32))
    parts = gallery_parts(read_gallery(tmp_path / "gallery.npz"), 0, 1.0, CLIP)
    missing = parts.sections[0].content.missing
    assert missing.startswith("3 clips were left out") and "The clips are too few" in missing and not parts.data
