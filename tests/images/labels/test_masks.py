"""Masks in every way they are stored: two values (field row 4), colours (5), void and shifts (17), modes (25)."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.errors import UserError
from twofold.images.labels import IGNORE, open_labelled, open_pair

from .samples import DISC, mask, masks, noted, photo

PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
COLOURS = np.array(PALETTE, np.uint8).reshape(-1, 3)
QUARTERS = np.repeat(np.repeat(np.array([[0, 1], [2, 3]], np.uint8), 20, 0), 30, 1)  # (40, 60)


def disc(inside: int, outside: int = 0) -> np.ndarray:
    return np.where(DISC, inside, outside).astype(np.uint8)


def ring(values: np.ndarray) -> np.ndarray:
    """The values with a border of 255, two pixels wide, around their 1s."""
    out = values.copy()
    one = values == 1
    near = np.zeros_like(one)
    for y in (-1, 0, 1):
        for x in (-1, 0, 1):
            near |= np.roll(np.roll(one, y, 0), x, 1)
    out[near & ~one] = 255
    return out


def test_0_and_255_are_two_classes_said_in_a_line(tmp_path):
    data = open_labelled(masks(tmp_path, disc(255)))
    assert data.classes == ("background", "object") and noted(data, "0 and 255 are read as two classes")
    np.testing.assert_array_equal(data.mask(0).numpy(), DISC.astype(int))


def test_names_may_be_given_for_0_and_255(tmp_path):
    folder = masks(tmp_path, disc(255))
    for given, classes in (
        ("skin,polyp", ("skin", "polyp")),
        ("polyp", ("background", "polyp")),
        ("0=skin,255=polyp", ("skin", "polyp")),
    ):
        data = open_labelled(folder, classes=given)
        assert data.classes == classes
        np.testing.assert_array_equal(data.mask(0).numpy(), DISC.astype(int))


def test_0_and_255_follow_the_user_where_255_is_to_be_ignored(tmp_path):
    data = open_labelled(masks(tmp_path, disc(255)), ignore_id=255)
    assert data.classes == ("0",) and data.mask(0).unique().tolist() == [IGNORE, 0]


def test_a_border_of_255_is_ignored_and_more_than_a_border_is_asked_about(tmp_path):
    data = open_labelled(masks(tmp_path / "border", ring(disc(1))))
    assert data.classes == ("0", "1") and noted(data, "255 is ignored")
    assert (data.mask(0)[torch.from_numpy(ring(disc(1))) == 255] == IGNORE).all()
    thick = disc(255)
    thick[:5] = 1
    folder = masks(tmp_path / "thick", thick)
    with pytest.raises(UserError, match=r"values 0 .*255 is more than a border.*--ignore-id 255, or --classes"):
        open_labelled(folder)
    assert open_labelled(folder, ignore_id=255).classes == ("0", "1")
    assert open_labelled(folder, classes="0=a,1=b,255=c").classes == ("a", "b", "c")


def test_files_of_0_1_beside_files_of_0_255_are_asked_about(tmp_path):
    with pytest.raises(UserError, match="255 is more than a border"):
        open_labelled(masks(tmp_path, disc(1), disc(255)))


@pytest.mark.parametrize("few", [[[0] * 60] * 39 + [[255] * 60]])
def test_masks_with_255_and_without_1_are_no_borders(tmp_path, few):
    with pytest.raises(UserError, match="255 is more than a border"):
        open_labelled(masks(tmp_path, disc(1), np.array(few, np.uint8)))


def test_training_and_test_decide_together(tmp_path):
    train, test = masks(tmp_path / "train", disc(255)), masks(tmp_path / "test", np.zeros((40, 60), np.uint8))
    ours, theirs = open_pair(train, test, want="masks")
    assert ours.classes == theirs.classes == ("background", "object")
    assert theirs.mask(0).unique().tolist() == [0] and noted(theirs, "1 of 2 classes never occur", "object")


def test_lists_of_training_and_test_that_differ_are_refused(tmp_path):
    train, test = masks(tmp_path / "train", QUARTERS), masks(tmp_path / "test", QUARTERS)
    (train / "classes.txt").write_text("a\nb\nc\nd\n")
    assert open_pair(train, test)[1].classes == ("a", "b", "c", "d")
    (test / "classes.txt").write_text("b\na\nc\nd\n")
    with pytest.raises(UserError, match=r"train/classes\.txt and .*test/classes\.txt list different classes"):
        open_pair(train, test)
    assert open_pair(train, test, classes="a,b,c,d")[0].classes == ("a", "b", "c", "d")


def test_splits_that_are_read_together_are_named(tmp_path):
    for side in ("train", "valid"):
        masks(tmp_path / side, QUARTERS)
    assert noted(open_labelled(tmp_path), "train and valid are read together")
    assert not noted(open_labelled(tmp_path / "train"), "read together")


def test_a_palette_is_read_by_its_numbers(tmp_path):
    data = open_labelled(masks(tmp_path, QUARTERS, palette=PALETTE))
    np.testing.assert_array_equal(data.mask(0).numpy(), QUARTERS)


def test_a_palette_that_changes_between_files_is_named(tmp_path):
    folder = masks(tmp_path, QUARTERS, palette=PALETTE)
    photo(folder / "images" / "9.jpg")
    mask(folder / "masks" / "9.png", QUARTERS, PALETTE[::-1])
    assert noted(open_labelled(folder), "palette has other colours", "9.png")


LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:128,0,0::\ndog:0,128,0::\ncow:128,128,0::\n"


def test_colours_are_read_by_a_labelmap(tmp_path):
    folder = masks(tmp_path, COLOURS[QUARTERS])
    (tmp_path / "labelmap.txt").write_text(LABELMAP)
    data = open_labelled(folder)
    assert data.classes == ("background", "cat", "dog", "cow")
    np.testing.assert_array_equal(data.mask(0).numpy(), QUARTERS)
    assert [tally.value for tally in data.tallies] == ["0,0,0", "128,0,0", "0,128,0", "128,128,0"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\nbackground,0,0,0\ncat,128,0,0\ndog,0,128,0\ncow,128,128,0\n"),
        ("label_colors.txt", "0 0 0\tbackground\n128 0 0\tcat\n0 128 0\tdog\n128 128 0\tcow\n"),
        ("labelmap.txt", "background: 0, 0, 0\ncat: 128, 0, 0\ndog: 0, 128, 0\ncow: 128, 128, 0\n"),
    ],
)
def test_colours_are_read_by_other_lists(tmp_path, name, text):
    folder = masks(tmp_path, COLOURS[QUARTERS])
    (tmp_path / name).write_text(text)
    assert open_labelled(folder).mask(0).unique().tolist() == [0, 1, 2, 3]


def test_palettes_written_anew_are_read_by_their_colours_where_a_labelmap_has_them(tmp_path):
    turned = (3 - QUARTERS).astype(np.uint8)
    folder = masks(tmp_path, turned, palette=COLOURS[::-1].ravel().tolist())
    (tmp_path / "labelmap.txt").write_text(LABELMAP)
    np.testing.assert_array_equal(open_labelled(folder).mask(0).numpy(), QUARTERS)


def test_colours_without_a_list_are_shown_with_counts_and_need_a_yes(tmp_path):
    with pytest.raises(UserError, match=r"4 colours and no labelmap\.txt .*0,0,0 25\.00%, 0,128,0 25\.00%.*--classes"):
        open_labelled(masks(tmp_path, COLOURS[QUARTERS]))


def test_colours_that_the_labelmap_lacks_are_named_and_not_snapped_silently(tmp_path):
    other = COLOURS[QUARTERS]
    other[0, :7] = (127, 1, 0)
    folder = masks(tmp_path, other)
    (tmp_path / "labelmap.txt").write_text(LABELMAP)
    with pytest.raises(
        UserError, match=r"1 colours .*0\.29% of the pixels \(such as 127,1,0, 7 pixels, in masks/0\.png\)"
    ):
        open_labelled(folder)
    data = open_labelled(folder, snap=True)
    assert data.mask(0)[0, :8].tolist() == [1] * 7 + [0] and noted(data, "given to the nearest", ": 7 ")


def test_numbers_in_the_red_channel_are_recognised(tmp_path):
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = QUARTERS
    data = open_labelled(masks(tmp_path, red))
    np.testing.assert_array_equal(data.mask(0).numpy(), QUARTERS)
    assert noted(data, "red channel") and [tally.count for tally in data.tallies] == [600] * 4


def test_grey_in_three_channels_is_read_as_numbers(tmp_path):
    data = open_labelled(masks(tmp_path, np.repeat(QUARTERS[..., None], 3, 2)))
    np.testing.assert_array_equal(data.mask(0).numpy(), QUARTERS)
    assert noted(data, "three channels")


def test_one_colour_of_full_red_is_no_class_number(tmp_path):
    with pytest.raises(UserError, match="2 colours"):
        open_labelled(masks(tmp_path, COLOURS[disc(1)]))


def test_names_for_all_but_0_shift_the_values_once(tmp_path):
    data = open_labelled(masks(tmp_path, QUARTERS), classes="a,b,c")
    assert data.classes == ("a", "b", "c") and noted(data, "0 is read as void")
    np.testing.assert_array_equal(data.mask(0).numpy(), QUARTERS.astype(int) - 1)
    assert data.tallies[-1].name == "ignored" and data.tallies[-1].count == 600
    assert data.tallies[2].count == 600  # the last class


def test_names_for_all_values_shift_nothing(tmp_path):
    data = open_labelled(masks(tmp_path / "0", np.minimum(QUARTERS, 2)), classes="a,b,c")
    assert data.mask(0).unique().tolist() == [0, 1, 2] and not data.findings
    shifted = open_labelled(masks(tmp_path / "1", np.maximum(QUARTERS, 1)), classes="a,b,c")
    assert shifted.mask(0).unique().tolist() == [0, 1, 2] and noted(shifted, "without 0", "count from 1")


@pytest.mark.parametrize("void", ["void", "ignore", "Unlabeled"])
def test_a_class_called_void_is_ignored_and_may_be_learned(tmp_path, void):
    folder = masks(tmp_path, QUARTERS)
    (tmp_path / "classes.txt").write_text(f"a\nb\nc\n{void}\n")
    data = open_labelled(folder)
    assert data.classes == ("a", "b", "c") and noted(data, "by name", f"{void} (3)")
    assert open_labelled(folder, ignore_id=0).classes == ("b", "c", void)


def test_a_void_of_number_0_shifts_the_classes(tmp_path):
    data = open_labelled(masks(tmp_path, QUARTERS), classes="void,a,b,c")
    assert data.classes == ("a", "b", "c") and data.mask(0).unique().tolist() == [IGNORE, 0, 1, 2]


def test_values_beyond_the_names_are_named_with_the_table(tmp_path):
    strange = QUARTERS.copy()
    strange[0, :3] = 254
    folder = masks(tmp_path, strange)
    with pytest.raises(
        UserError, match=r"values that --classes lacks \(254; 254 in 3 pixels, .*0\.png\).*--ignore-id 254"
    ):
        open_labelled(folder, classes="a,b,c,d")
    data = open_labelled(folder, classes="a,b,c,d", ignore_id=254)
    assert data.mask(0)[0, :4].tolist() == [IGNORE] * 3 + [0]


def test_minus_1_is_ignored(tmp_path):
    values = QUARTERS.astype(np.int32)
    values[0, 0] = -1
    photo(tmp_path / "images" / "0.jpg")
    (tmp_path / "masks").mkdir()
    Image.fromarray(values).save(tmp_path / "masks" / "0.tif")
    data = open_labelled(tmp_path)
    assert data.mask(0)[0, 0] == IGNORE and noted(data, "-1 is ignored")


def test_a_class_that_never_occurs_is_named_before_training(tmp_path):
    data = open_labelled(masks(tmp_path, np.minimum(QUARTERS, 2)), classes="a,b,c,d,e")
    assert noted(data, "2 of 5 classes never occur", "d, e")


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "I", "LA", "RGBA", "F"])
def test_every_mode_is_read_exactly(tmp_path, mode):
    photo(tmp_path / "images" / "0.jpg")
    (tmp_path / "masks").mkdir()
    values = disc(1)
    alike = {
        "L": Image.fromarray(values),
        "P": Image.fromarray(values, "P"),
        "1": Image.fromarray(DISC),
        "I;16": Image.fromarray(values.astype(np.uint16)),
        "I": Image.fromarray(values.astype(np.int32)),
        "LA": Image.merge("LA", (Image.fromarray(values), Image.new("L", (60, 40), 255))),
        "RGBA": Image.merge("RGBA", (*[Image.fromarray(values)] * 3, Image.new("L", (60, 40), 200))),
        "F": Image.fromarray(values.astype(np.float32)),
    }[mode]
    if mode == "P":
        alike.putpalette(PALETTE)
    alike.save(tmp_path / "masks" / ("0.tif" if mode in ("F", "I") else "0.png"))
    assert Image.open(next((tmp_path / "masks").iterdir())).mode == mode
    np.testing.assert_array_equal(open_labelled(tmp_path).mask(0).numpy(), DISC.astype(int))


def test_16_bits_are_not_clipped(tmp_path):
    data = open_labelled(masks(tmp_path, np.where(DISC, 300, 0).astype(np.uint16)), classes="0=a,300=b")
    np.testing.assert_array_equal(data.mask(0).numpy(), DISC.astype(int))


def test_16_bits_in_several_channels_are_refused(tmp_path):
    photo(tmp_path / "images" / "0.jpg", 4, 3)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\0\5" * 12) * 3  # class 5 in 16 bits, of which the upper 8 are 0
    header = struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "0.png").write_bytes(data)
    with pytest.raises(UserError, match="16 bits in each of several channels"):
        open_labelled(tmp_path)


def test_an_alpha_channel_with_a_shape_is_refused(tmp_path):
    photo(tmp_path / "images" / "0.jpg")
    (tmp_path / "masks").mkdir()
    Image.merge("LA", (Image.fromarray(disc(1)), Image.fromarray(disc(255, 3)))).save(tmp_path / "masks" / "0.png")
    with pytest.raises(UserError, match="alpha channel has a shape of its own"):
        open_labelled(tmp_path)


def test_jpeg_masks_are_refused_with_their_values_and_may_be_snapped(tmp_path):
    folder = masks(tmp_path, disc(3), ending="jpg")
    assert len(np.unique(np.array(Image.open(folder / "masks" / "0.jpg")))) > 2
    with pytest.raises(UserError, match=r"1 masks are stored .*JPEG.*masks/0\.jpg \(values 0 .*--snap and --classes"):
        open_labelled(folder)
    with pytest.raises(UserError, match="give --classes, too"):
        open_labelled(folder, snap=True)
    data = open_labelled(folder, snap=True, classes="0=a,3=b")
    assert data.mask(0).unique().tolist() == [0, 1] and noted(data, "given to the nearest")
    assert (data.mask(0).numpy() == DISC).mean() > 0.97


def test_lossy_webp_is_refused_and_lossless_read(tmp_path):
    for name, lossless in (("lossy", False), ("lossless", True)):
        photo(tmp_path / name / "images" / "0.jpg")
        (tmp_path / name / "masks").mkdir()
        Image.fromarray(np.repeat(disc(1)[..., None], 3, 2)).save(
            tmp_path / name / "masks" / "0.webp", lossless=lossless
        )
    with pytest.raises(UserError, match="lossy WebP"):
        open_labelled(tmp_path / "lossy")
    np.testing.assert_array_equal(open_labelled(tmp_path / "lossless").mask(0).numpy(), DISC.astype(int))


def blurred(mode: str = "L") -> Image.Image:
    """A mask of 0 and 255 that was resized smoothly."""
    small = Image.fromarray(disc(255)).resize((30, 20), Image.Resampling.BILINEAR)
    return small.resize((60, 40), Image.Resampling.BILINEAR).convert(mode)


@pytest.mark.parametrize(("mode", "ending"), [("L", "png"), ("RGB", "png"), ("L", "jpg"), ("RGB", "jpg")])
@pytest.mark.parametrize("given", [None, "skin,polyp"])
def test_two_values_with_blurred_edges_are_asked_about_and_snapped(tmp_path, mode, ending, given):
    photo(tmp_path / "images" / "0.jpg", 600, 400)
    (tmp_path / "masks").mkdir()
    blurred(mode).resize((600, 400), Image.Resampling.BILINEAR).save(tmp_path / "masks" / f"0.{ending}", quality=95)
    with pytest.raises(
        UserError, match=r"0 and 255 with .* values between .* give --snap|JPEG.*or give --snap to take"
    ):
        open_labelled(tmp_path, classes=given)
    data = open_labelled(tmp_path, classes=given, snap=True)
    assert data.classes == (("background", "object") if given is None else ("skin", "polyp"))
    wanted = np.array(Image.fromarray(disc(255)).resize((600, 400), Image.Resampling.BILINEAR)) > 127
    assert (data.mask(0).numpy() == wanted).mean() > 0.98 and noted(data, "given to the nearest")


def test_values_between_whole_numbers_are_refused(tmp_path):
    photo(tmp_path / "images" / "0.jpg")
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.where(DISC, 0.5, 0).astype(np.float32)).save(tmp_path / "masks" / "0.tif")
    with pytest.raises(UserError, match="between whole numbers"):
        open_labelled(tmp_path)


LAYOUTS = {
    "parallel": ("images/a.jpg", "masks/a.png"),
    "parallel with a split": ("train/images/a.jpg", "train/masks/a.png"),
    "labels": ("imgs/a.jpg", "labels/a.png"),
    "voc": ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
    "beside, by its ending": ("a.jpg", "a_mask.png"),
    "beside, by its name": ("a.jpg", "a.png"),
    "cityscapes": ("leftImg8bit/val/city/a_leftImg8bit.png", "gtFine/val/city/a_gtFine_labelTrainIds.png"),
    "another suffix in folders": ("images/a.tif", "annotations/a.bmp"),
    "camvid": ("images/a.png", "labels/a_L.png"),
    "split and kind in one name": ("train_images/a.png", "train_masks/a.png"),
    "segnet": ("train/a.png", "trainannot/a.png"),
    "ade20k": ("images/training/a.jpg", "annotations/training/a.png"),
    "pets": ("images/a.jpg", "annotations/trimaps/a.png"),
    "carvana": ("train/a.jpg", "train_masks/a_mask.gif"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_are_found_in_every_usual_layout(tmp_path, layout):
    picture, name = LAYOUTS[layout]
    photo(tmp_path / picture)
    mask(tmp_path / name, QUARTERS)
    if layout == "cityscapes":
        mask(tmp_path / name.replace("labelTrainIds", "labelIds"), QUARTERS * 5)
        mask(tmp_path / name.replace("labelTrainIds", "color"), COLOURS[QUARTERS])
        mask(tmp_path / name.replace("labelTrainIds", "instanceIds"), QUARTERS.astype(np.uint16) * 1000)
    data = open_labelled(tmp_path)
    assert list(data.names) == [picture]
    np.testing.assert_array_equal(data.mask(0).numpy(), QUARTERS)


def test_one_side_of_a_parallel_tree_means_that_side_of_both(tmp_path):
    for k, side in enumerate(("train", "val")):
        photo(tmp_path / "images" / side / f"{k}.jpg")
        mask(tmp_path / "masks" / side / f"{k}.png", QUARTERS)
    for given in ("images/val", "masks/val"):
        assert list(open_labelled(tmp_path / given).names) == ["images/val/1.jpg"]


def test_voc_lists_choose_the_masks(tmp_path):
    for k in range(3):
        photo(tmp_path / "JPEGImages" / f"{k}.jpg", seed=k)
        mask(tmp_path / "SegmentationClass" / f"{k}.png", QUARTERS)
        mask(tmp_path / "SegmentationObject" / f"{k}.png", QUARTERS)
    (tmp_path / "ImageSets" / "Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Segmentation" / "train.txt").write_text("0\n2\n7\n")
    data = open_labelled(tmp_path / "ImageSets" / "Segmentation" / "train.txt")
    assert len(data) == 2 and noted(data, "names of the list without labels", "7")
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_text("8\n9\n")
    with pytest.raises(UserError, match="names 2 pictures, and none of them has masks"):
        open_labelled(tmp_path / "ImageSets" / "Segmentation" / "val.txt")


def test_pictures_elsewhere_are_named_by_the_user(tmp_path):
    photo(tmp_path / "raw" / "a.jpg")
    mask(tmp_path / "drawn" / "a.png", QUARTERS)
    data = open_labelled(tmp_path / "drawn", images=str(tmp_path / "raw"))
    np.testing.assert_array_equal(data.mask(0).numpy(), QUARTERS)


def test_what_has_no_counterpart_is_counted(tmp_path):
    folder = masks(tmp_path, QUARTERS)
    photo(folder / "images" / "alone.jpg")
    mask(folder / "masks" / "lost.png", QUARTERS)
    (folder / "images" / "broken.jpg").write_bytes(b"x")
    mask(folder / "masks" / "broken.png", QUARTERS)
    photo(folder / "images" / "bad.jpg")
    (folder / "masks" / "bad.png").write_bytes(b"x")
    data = open_labelled(folder)
    assert len(data) == 1
    left_out = {"without a mask": "alone", "without a picture": "lost", "pictures that cannot": "broken"}
    for kind, name in (left_out | {"masks that cannot": "bad"}).items():
        assert noted(data, kind, name)


def test_several_masks_of_one_picture_are_refused(tmp_path):
    folder = masks(tmp_path, QUARTERS)
    mask(folder / "masks" / "0_mask.png", QUARTERS)
    with pytest.raises(UserError, match=r"images/0\.jpg has several masks"):
        open_labelled(folder)


def test_numbers_of_objects_are_no_classes(tmp_path):
    many = np.arange(2400, dtype=np.uint16).reshape(40, 60)
    with pytest.raises(UserError, match="2,399 different values"):
        open_labelled(masks(tmp_path, many))


def test_masks_have_no_boxes(tmp_path):
    data = open_labelled(masks(tmp_path, QUARTERS))
    with pytest.raises(UserError, match="has masks but no boxes"):
        data.instances(0)
    with pytest.raises(UserError, match="--boxes is about boxes"):
        open_labelled(tmp_path, boxes="xyxy")
    assert data.for_segmentation() is data
