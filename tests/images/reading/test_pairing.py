"""Which images of a folder are masks of others, by their names."""

import pytest
from reading_samples import write

from twofold.images.reading import open_source
from twofold.images.reading.pairing import masks_among

TWO = ("1", "2")


@pytest.mark.parametrize(
    ("picture", "masks"),
    [
        ("images/{}.jpg", ["masks/{}.png"]),
        ("images/{}.jpg", ["masks/{}.jpg"]),
        ("{}.jpg", ["{}_mask.png"]),
        ("{}.jpg", ["{}.png"]),
        ("train/JPEGImages/{}.jpg", ["train/SegmentationClass/{}.png", "train/SegmentationObject/{}.png"]),
        (
            "leftImg8bit/train/ulm/ulm_{}_leftImg8bit.png",
            ["gtFine/train/ulm/ulm_{}_gtFine_labelIds.png", "gtFine/train/ulm/ulm_{}_gtFine_color.png"],
        ),
        ("{}/images/{}.png", ["{}/masks/a.png", "{}/masks/b.png"]),
        ("val2017/{}.jpg", ["panoptic_val2017/{}.png"]),
        ("train2017/{}.jpg", ["stuffthingmaps/train2017/{}.png"]),
        ("imagesTr/{}.png", ["labelsTr/{}.png"]),
        ("images_test/{}.png", ["masks_test/{}.png"]),
    ],
)
def test_masks_beside_pictures_are_found(picture, masks):
    pictures = [picture.replace("{}", number) for number in TWO]
    expected = [mask.replace("{}", number) for mask in masks for number in TWO]
    assert sorted(masks_among(pictures + expected)) == sorted(expected)


@pytest.mark.parametrize(
    "names",
    [
        ["mask/1.jpg", "mask/2.jpg", "no_mask/3.jpg"],
        ["with_mask/1.png", "without_mask/1.png"],
        ["cats/1.png", "label/1.png", "dogs/2.png", "label/7.png", "label/8.png"],
        ["cats/1.jpg", "masks/1.jpg"],
        ["a_L.png", "a_R.png", "b_L.png", "b_R.png"],
        ["seg_train/sea/1.png", "seg_train/ice/1.png", "seg_test/sea/2.png"],
        ["1.png", "2.png"],
    ],
)
def test_classes_of_photographs_are_none(names):
    assert masks_among(names) == []


def test_a_folder_is_read_without_its_masks_which_is_said_and_can_be_overruled(tmp_path):
    for name in ("images/1.jpg", "images/2.jpg", "masks/1.png", "masks/2.png"):
        write(tmp_path / name)
    source = open_source(str(tmp_path))
    assert [source.names[i] for i in range(len(source))] == ["images/1.jpg", "images/2.jpg"]
    assert source.labels is None
    (note,) = source.notes
    assert "2 masks of its pictures (such as masks/1.png), which are left out; --part none reads all" in note
    assert len(open_source(str(tmp_path), part="none")) == 4
