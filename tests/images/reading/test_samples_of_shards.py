"""Samples of tar members: what stands beside an image, and names with dots."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from twofold.images.reading.samples import gather


class Member(NamedTuple):
    name: str
    shard: int = 0


def gathered(*names):
    """Name, image, endings beside it and further images of each sample."""
    members = [Member(name) for name in names]
    images = [m for m in members if m.name.endswith((".jpg", ".png"))]
    found = gather(images, [m for m in members if m not in images])
    return [(s.name, s.image.name, "".join(sorted(s.beside)), s.further) for s in found]


@pytest.mark.parametrize("other", ["README.txt", "a/README.md", "labels.csv"])
def test_a_file_that_stands_beside_no_image_changes_nothing(other):
    names = [f"photo.{i}.jpg" for i in range(3)]
    assert gathered(other, *names) == [(name, name, "", 0) for name in names]


def test_the_convention_of_webdataset():
    found = gathered("0.cls", "0.seg.png", "0.jpg", "1.jpg", "1.json", "1.cls", "README.txt", "2.jpg")
    assert found == [("0", "0.jpg", ".cls", 1), ("1", "1.jpg", ".cls.json", 0), ("2", "2.jpg", "", 0)]
    assert gathered("d/0.jpg", "e/0.txt", "e/0.jpg") == [("d/0", "d/0.jpg", "", 0), ("e/0", "e/0.jpg", ".txt", 0)]


def test_dotted_names_with_a_file_each_are_samples_each():
    found = gathered("photo.1.jpg", "photo.1.json", "photo.2.jpg", "photo.2.json", "photo.3.jpg")
    assert found == [(f"photo.{i}", f"photo.{i}.jpg", ".json" if i < 3 else "", 0) for i in (1, 2, 3)]


def test_a_file_beside_numbered_images_belongs_to_all():
    found = gathered("IMG.txt", "IMG.2021.1.jpg", "IMG.2021.2.jpg")
    assert found == [("IMG.2021.1", "IMG.2021.1.jpg", ".txt", 0), ("IMG.2021.2", "IMG.2021.2.jpg", ".txt", 0)]


def test_shards_have_samples_of_their_own():
    images = [Member("0.jpg", 0), Member("0.jpg", 1)]
    found = gather(images, [Member("0.cls", 1)])
    assert [sorted(sample.beside) for sample in found] == [[], [".cls"]]
