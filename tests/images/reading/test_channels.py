"""Channels kept as they are: how many, by which levels, decoded, batched and kept in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from reading_samples import album, deep_png

from twofold.errors import UserError
from twofold.images.reading import DecodeError, Images, decode, examine, images, open_source
from twofold.images.reading.channels import channels_of
from twofold.images.reading.decode import decode_centre, stored
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.memory import DeviceMemory
from twofold.images.reading.pixels import PixelRule

RNG = np.random.default_rng(0)


def opened(folder, array, **options):
    np.save(folder / "a.npy", array)
    channels = options.get("channels")
    source = open_source(str(folder / "a.npy"), channels=channels if isinstance(channels, int) else None)
    return source, settle_pixels(source, **options)


def seen(source, **options):
    return Images(source, short_side=None, workers=1, **options).batch(torch.arange(len(source))).pixels.numpy()


@pytest.mark.parametrize(
    ("counts", "channels"),
    [
        ([5, 5], 5),
        ([5, 4], None),
        ([3, 3], None),
        ([1], None),
        ([4], None),
        ([2], 2),
        ([16], 16),
        ([17], None),
        ([], None),
    ],
)
def test_only_sets_of_one_number_that_is_not_that_of_pictures_are_kept(counts, channels):
    assert channels_of(counts) == channels


@pytest.mark.parametrize("layout", ["first", "last"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2"])
@pytest.mark.parametrize("channels", [2, 5, 13, 16])
def test_every_level_of_8_and_16_bits_is_kept(tmp_path, channels, dtype, layout):
    array = RNG.integers(0, np.iinfo(dtype).max + 1, (4, channels, 20, 24)).astype(dtype)
    source, notes = opened(tmp_path, array if layout == "first" else array.transpose(0, 2, 3, 1))
    bits = 8 * array.dtype.itemsize
    assert notes == [f"channels: {channels} channels of {bits} bits, kept as they are (a guess; --channels sets it)"]
    assert (seen(source) == array).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_are_kept_where_that_is_asked_for_and_made_rgb_else(tmp_path, channels):
    array = RNG.integers(0, 65536, (4, 20, 24, channels), dtype=np.uint16)
    source, notes = opened(tmp_path, array, channels=channels)
    assert "a guess" not in notes[0] and (seen(source) == array.transpose(0, 3, 1, 2)).all()
    for channels in ("auto", "rgb"):
        settle_pixels(source, channels=channels)
        assert source.pixels.channels is None and seen(source).dtype == np.uint8


def test_grey_colour_and_palette_files_of_pillow_are_kept(tmp_path):
    deep, colour = RNG.integers(0, 65536, (2, 20, 24, 3), dtype=np.uint16), RNG.integers(0, 256, (20, 24, 3), np.uint8)
    rule = PixelRule(65535.0, channels=3, deep=True)
    assert (decode(deep_png(deep[0]), None, rule).numpy() == deep[0].transpose(2, 0, 1)).all()
    Image.fromarray(colour).save(tmp_path / "a.png")
    Image.fromarray(deep[0, :, :, 0]).save(tmp_path / "b.png")
    found = decode((tmp_path / "a.png").read_bytes(), None, rule).numpy()
    assert (found == colour.transpose(2, 0, 1).astype(int) * 257).all()
    one = PixelRule(65535.0, channels=1, deep=True)
    assert (decode((tmp_path / "b.png").read_bytes(), None, one).numpy()[0] == deep[0, :, :, 0]).all()
    with pytest.raises(DecodeError, match="without an axis of 1 channels"):
        decode((tmp_path / "a.png").read_bytes(), None, one)


@pytest.mark.parametrize(
    ("least", "most", "dtype", "black", "white"),
    [
        (0, 1, "float32", 0, 1),
        (0.0, 0.3, "float64", 0, 1),
        (-80, 0, "float32", -80, 0),
        (-3.5, 2.5, "float32", -3.5, 2.5),
        (0, 900, "float32", 0, 900),
        (-1024, 3071, "int16", -1024, 3071),
        (0, 4095, "int16", 0, 65535),
        (0, 100_000, "int32", 0, 100_000),
    ],
)
def test_other_numbers_are_16_bits_between_black_and_white(tmp_path, least, most, dtype, black, white):
    array = np.linspace(least, most, 3 * 5 * 20 * 24).reshape(3, 5, 20, 24).astype(dtype)
    source, notes = opened(tmp_path, array)
    assert (source.pixels.black, source.pixels.white, source.pixels.deep) == (black, white, True)
    assert len(notes) == (1 if (black, white) in ((0, 1), (0, 65535)) else 2)
    exact = (array.astype(float) - black) / (white - black) * 65535
    assert np.abs(seen(source) - exact).max() <= 0.51
    settle_pixels(source, white=most + 1, black=least - 1, channels=5)
    assert (source.pixels.black, source.pixels.white) == (least - 1, most + 1)


def test_black_and_white_that_are_no_range_and_other_numbers_of_channels_are_refused(tmp_path):
    array = RNG.integers(0, 256, (4, 5, 20, 24), dtype=np.uint8)
    with pytest.raises(UserError, match="The white level 3 is not above the black level 7"):
        opened(tmp_path, array, white=3, black=7)
    with pytest.raises(UserError, match="no axis of 4 channels"):
        opened(tmp_path, array, channels=4)
    album(tmp_path / "photos", 3)
    with pytest.raises(UserError, match="none of the 3 images looked at can be read as 5 channels"):
        settle_pixels(open_source(str(tmp_path / "photos")), channels=5)


def test_values_that_are_no_numbers_are_named(tmp_path):
    array = np.zeros((4, 5, 20, 24), np.float32)
    array[0, 0, 0, 0] = -np.inf
    source, _ = opened(tmp_path, array)
    with pytest.raises(DecodeError, match="NaN or infinity"):
        decode(source.fetch(0), None, source.pixels)
    array[:, 2] = np.nan
    with pytest.raises(UserError, match=r"can be read as 5 channels \(NaN or infinity among its values\)"):
        opened(tmp_path, array)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_broken_file_is_a_decode_error_when_it_is_looked_at():
    for data in (b"", b"\x89PNG\r\n", b"II*\0 no more", b"plain text"):
        with pytest.raises(DecodeError):
            stored(data, 5)


def test_what_differs_from_the_sample_is_unreadable_and_counted(tmp_path):
    for i in range(8):
        np.save(tmp_path / f"{i}.npy", RNG.integers(0, 256, (5, 20, 24)).astype(np.uint8 if i < 7 else np.uint16))
    np.save(tmp_path / "odd.npy", np.zeros((6, 20, 24), np.uint8))
    source = open_source(str(tmp_path))
    settle_pixels(source, channels=5)
    source.pixels = PixelRule(channels=5)  # as if the sample had none of the others
    read = Images(source, short_side=None, workers=1, max_unreadable=0.5)
    read.batch(torch.arange(len(source)))
    assert set(read.unreadable) == {"7.npy", "odd.npy"}
    assert "more than 8 bits a channel" in read.unreadable["7.npy"] and "5 channels" in read.unreadable["odd.npy"]


@pytest.mark.parametrize("size", [(60, 40), (41, 90)])
def test_shrinking_rounds_to_16_bits_and_the_centre_is_cut_like_that_of_rgb(size):
    array = RNG.integers(0, 65536, (*size, 5), dtype=np.uint16)
    rule = PixelRule(65535.0, channels=5, deep=True)
    x = torch.from_numpy(array.transpose(2, 0, 1).astype(np.float32))
    high, wide = (round(side * 32 / min(size)) for side in size)
    want = F.interpolate(x[None], (high, wide), mode="bilinear", antialias=True)[0]
    got = decode(array, 32, rule)
    assert got.dtype == torch.uint16 and (got.float() - want).abs().max() <= 0.5
    assert decode_centre(array, 24, rule).shape == (5, 24, 24)


@pytest.mark.parametrize("store", ["host", "device", "none"])
def test_batches_are_the_same_wherever_images_are_kept(tmp_path, monkeypatch, store):
    array = [RNG.integers(0, 65536, (5, 20 + i, 24 - i), dtype=np.uint16) for i in range(6)]
    for i, one in enumerate(array):
        np.save(tmp_path / f"{i}.npy", one)
    source = open_source(str(tmp_path))
    settle_pixels(source)
    if store == "device":
        monkeypatch.setattr(images, "_device_budget", lambda device, memory_bytes: 1 << 40)
    read = Images(source, short_side=None, workers=2, memory_bytes=0 if store == "none" else None)
    assert read.expected_bytes == sum(one.nbytes for one in array) and "as uint16" in read.describe()
    for order in (torch.tensor([4, 0, 4]), torch.tensor([1, 2, 3, 5]), torch.tensor([0, 5])):
        batch = read.batch(order)
        for i, pixels, (high, wide) in zip(order.tolist(), batch.pixels, batch.size.tolist(), strict=True):
            assert (pixels.numpy()[:, :high, :wide] == array[i]).all()
            assert (pixels.numpy()[:, high:] == 0).all() and (pixels.numpy()[:, :, wide:] == 0).all()
    assert isinstance(read._on_device, DeviceMemory) == (store == "device")


def test_a_look_says_channels_levels_and_what_is_broken(tmp_path):
    for i in range(9):
        np.save(tmp_path / f"{i}.npy", np.linspace(-80, 0, 3 * 20 * 24, dtype=np.float32).reshape(2, 36, 20))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "0.npy").read_bytes()[:500])
    found = examine(str(tmp_path))
    text = "\n".join(found.lines())
    assert found.channels == {"2 of 32 bits": 9} and list(found.broken) == ["cut.npy"]
    assert "channels: 2 channels of 16 bits, kept as they are (a guess; --channels sets it)" in text
    assert "-80 counts as black and 0 as white (a guess; --black and --white would say it)" in text
    assert found.decoded_bytes(None) == round(10 / 10 * 9 * 2 * 2 * 36 * 20)


def test_arrays_of_bands_are_no_rgb(tmp_path):
    source, notes = opened(tmp_path, np.zeros((4, 5, 20, 24), np.uint8), channels="rgb")
    assert notes[0].startswith("bands: 4 of 4 images looked at are arrays of 5 bands, which cannot be read")
    with pytest.raises(UserError, match="are arrays of 5 bands, which are not known to be red, green and blue"):
        settle_pixels(source, channels="rgb", refuse=True)
    assert len(examine(str(tmp_path / "a.npy"), channels="rgb").broken) == 4


def test_pages_and_a_fourth_channel_that_are_not_kept_say_how_they_would_be(tmp_path):
    pages = [Image.fromarray(RNG.integers(0, 256, (20, 24), np.uint8)) for _ in range(5)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    (note,) = settle_pixels(open_source(str(tmp_path)))
    assert "pages: 1 of 1 images looked at are TIFFs of 5 pages, of which the first is read (--channels 5 takes" in note
    source = open_source(str(tmp_path), channels=5)
    pytest.importorskip("tifffile")
    settle_pixels(source, channels=5)
    assert (seen(source)[0] == np.stack([np.asarray(page) for page in pages])).all()
