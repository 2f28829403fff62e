"""Labels follow the stored or the turned picture (field row 1), or one that was shrunk after labelling (row 31)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.errors import UserError
from twofold.images.labels import open_labelled
from twofold.images.labels.pictures import Frame, frame_of, turned_back
from twofold.images.labels.turning import fit
from twofold.images.reading import decode, open_source

from .samples import coco, image, mask, noted, one, photo, thing, voc, voc_object


def shown(folder, *, width, height, box, turn=6):
    """The picture and the box of one labelled picture with an EXIF turn."""
    data = open_labelled(one(folder, [thing(1, box)], turn=turn, width=width, height=height))
    return data, tuple(data.picture(0).shape[1:]), data.instances(0).boxes.tolist()


def test_labels_of_the_turned_picture_get_it_turned(tmp_path):
    data, size, boxes = shown(tmp_path, width=40, height=60, box=[0, 0, 20, 30])
    assert size == (60, 40) and boxes == [[0, 0, 20, 30]]
    assert noted(data, "turned by EXIF: 1", "1 labelled turned")


def test_labels_of_the_stored_picture_get_it_as_stored(tmp_path):
    data, size, boxes = shown(tmp_path, width=60, height=40, box=[30, 10, 20, 30])
    assert size == (40, 60) and boxes == [[30, 10, 50, 40]]
    assert noted(data, "1 labelled as stored")
    upright = decode((tmp_path / "a.jpg").read_bytes(), None)
    assert torch.equal(data.picture(0), upright.transpose(1, 2).flip(1))


def test_boxes_that_only_fit_the_turned_picture_go_over_a_size_that_was_written_unturned(tmp_path):
    photo(tmp_path / "a.jpg", turn=6)
    photo(tmp_path / "b.jpg", turn=6)
    file = coco(
        tmp_path / "x.json",
        [image(1, "a.jpg"), image(2, "b.jpg")],
        [thing(1, [0, 40, 20, 20]), *(thing(2, [k, k, 5, 5]) for k in range(30))],
    )
    data = open_labelled(file)
    assert data.picture(0).shape[1:] == (60, 40) and data.instances(0).boxes.tolist() == [[0, 40, 20, 60]]
    assert data.picture(1).shape[1:] == (60, 40)  # by the same tool
    assert noted(data, "2 with the stored size but boxes of the turned picture")


@pytest.mark.parametrize("turn", [3, 2, 4])
def test_a_turn_that_keeps_the_sides_is_ambiguous_and_taken_as_turned(tmp_path, turn):
    data, size, _ = shown(tmp_path, width=60, height=40, box=[0, 0, 20, 30], turn=turn)
    assert size == (40, 60) and noted(data, "1 ambiguous and taken as turned")
    assert torch.equal(data.picture(0), decode((tmp_path / "a.jpg").read_bytes(), None))


def test_a_square_is_ambiguous(tmp_path):
    photo(tmp_path / "a.jpg", 40, 40, turn=6)
    data = open_labelled(coco(tmp_path / "x.json", [image(1, "a.jpg", 40, 40)], [thing(1, [0, 0, 9, 9])]))
    assert noted(data, "1 ambiguous")


@pytest.mark.parametrize("turn", range(2, 9))
def test_every_turn_can_be_taken_back(tmp_path, turn):
    file = photo(tmp_path / "a.png", turn=turn)
    source = open_source(str(tmp_path))
    stored = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
    assert torch.equal(turned_back(decode(file.read_bytes(), None), turn), stored)
    assert frame_of(source, 0) == Frame(40, 60, turn)


def test_a_turn_behind_the_pixels_of_a_png_is_known(tmp_path):
    data = photo(tmp_path / "a.png", turn=6).read_bytes()
    at = data.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(data[at : at + 4], "big")
    last = data.index(b"IEND") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + data[end:last] + data[at:end] + data[last:])
    assert frame_of(open_source(str(tmp_path)), 0) == Frame(40, 60, 6)


def test_tiff_gives_its_turned_size_and_its_stored_one_is_known(tmp_path):
    photo(tmp_path / "a.tif", turn=6)
    found = frame_of(open_source(str(tmp_path)), 0)
    assert decode((tmp_path / "a.tif").read_bytes(), None).shape[1:] == found.upright == (60, 40)


def test_voc_and_masks_follow_the_same_rule(tmp_path):
    photo(tmp_path / "voc" / "a.jpg", turn=6)
    voc(tmp_path / "voc" / "a.xml", voc_object("dog", 1, 1, 20, 30))  # says 60x40: as stored
    assert open_labelled(tmp_path / "voc").picture(0).shape[1:] == (40, 60)
    for name, shape in (("stored", (40, 60)), ("turned", (60, 40))):
        photo(tmp_path / name / "images" / "a.jpg", turn=6)
        values = np.zeros(shape, np.uint8)
        values[:5, :9] = 1
        mask(tmp_path / name / "masks" / "a.png", values)
        data = open_labelled(tmp_path / name)
        assert data.picture(0).shape[1:] == shape and noted(data, f"1 labelled {'as stored' * (name == 'stored')}")
        assert torch.equal(data.mask(0), torch.from_numpy(values).short())


def test_without_a_size_the_boxes_may_tell(tmp_path):
    data = open_labelled(one(tmp_path, [thing(1, [0, 45, 20, 15])], turn=6))
    assert data.picture(0).shape[1:] == (60, 40) and noted(data, "1 labelled turned")


def test_labels_of_a_larger_picture_are_scaled_with_it(tmp_path):
    photo(tmp_path / "a.png", 636, 764)
    rle = {"size": [1528, 1272], "counts": [0, 1528 * 636, 1528 * 636]}
    file = coco(
        tmp_path / "x.json",
        [image(1, "a.png", 1272, 1528)],
        [thing(1, [0, 0, 636, 1528], segmentation=s) for s in ([[0, 0, 636, 0, 636, 1528, 0, 1528]], rle)],
    )
    data = open_labelled(file)
    assert noted(data, "another size", "same shape", "1272x1528 labelled, 636x764 stored")
    found = data.instances(0)
    assert found.boxes.tolist() == [[0, 0, 318, 764]] * 2
    assert found.masks is not None and torch.equal(found.masks[0], found.masks[1])
    assert found.masks[0][:, :318].all() and not found.masks[0][:, 318:].any()


def test_labels_of_a_picture_of_another_shape_are_refused_with_three_names(tmp_path):
    images = []
    for k in range(5):
        photo(tmp_path / f"{k}.png", 51, 51)
        images.append(image(k, f"{k}.png", 127, 153))
    with pytest.raises(UserError, match=r"5 of 5 pictures .*0\.png is 51x51 and labelled as 127x153, 1\.png.*2 more"):
        open_labelled(coco(tmp_path / "x.json", images, [thing(k, [0, 0, 9, 9]) for k in range(5)]))


def test_masks_of_half_the_size_are_laid_on_their_pictures(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    values = np.zeros((20, 30), np.uint8)
    values[:10] = 1
    mask(tmp_path / "masks" / "a.png", values)
    data = open_labelled(tmp_path)
    assert data.mask(0).shape == (40, 60) and data.mask(0)[:20].all() and not data.mask(0)[20:].any()
    assert noted(data, "another size")


@pytest.mark.parametrize(
    ("frame", "declared", "size", "scale"),
    [
        (Frame(75, 100), (748, 1000), (75, 100), (0.1, 75 / 748)),  # rounded
        (Frame(40, 60, 6), (120, 80), (60, 40), (0.5, 0.5)),  # shrunk and turned
        (Frame(40, 60, 6), (80, 120), (40, 60), (0.5, 0.5)),  # shrunk, as stored
    ],
)
def test_sizes_may_be_rounded_and_turned(frame, declared, size, scale):
    found = fit(frame, declared, None)
    assert found is not None and found.size == size and found.scale == pytest.approx(scale)
