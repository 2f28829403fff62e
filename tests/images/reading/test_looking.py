"""White level and fourth channel of a set: guessed for all alike, said, and overruled."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from reading_samples import album, deep_png, encoded, tiff

from twofold.errors import UserError
from twofold.images.reading import Images, decode, open_source
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.pixels import PixelRule

KINDS = ("folder", "parquet", "tar", "npy", "npz")


def noise(top, *shape, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(dtype)


def stored(folder, array, kind):
    """(n, H, W) or (n, H, W, C) as a set of images of some kind, opened."""
    if kind in ("npy", "npz"):
        path = folder / f"a.{kind}"
        np.save(path, array) if kind == "npy" else np.savez(path, images=array)
        return open_source(str(path))
    colour = array.ndim == 4
    data = [
        deep_png(one) if colour and one.dtype == np.uint16 else encoded(Image.fromarray(one), "PNG") for one in array
    ]
    if kind == "parquet":
        pq.write_table(pa.table({"image": data}), folder / "a.parquet")
        return open_source(str(folder / "a.parquet"))
    for i, one in enumerate(data):
        (folder / f"{i}.png").write_bytes(one)
    if kind == "folder":
        return open_source(str(folder))
    with tarfile.open(folder / "a.tar", "w") as file:
        for i, one in enumerate(data):
            entry = tarfile.TarInfo(f"{i}.png")
            entry.size = len(one)
            file.addfile(entry, io.BytesIO(one))
    return open_source(str(folder / "a.tar"))


def seen(source):
    """The pixels of all images as training gets them."""
    batch = Images(source, short_side=None, workers=1).batch(torch.arange(len(source)))
    return batch.pixels.numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_twelve_bits_in_sixteen_have_all_their_grey_levels(tmp_path, kind, channels):
    array = noise(4095, 6, 20, 24, *channels)
    source = stored(tmp_path, array, kind)
    (line,) = settle_pixels(source)
    assert "6 of 6 images looked at have more than 8 bits" in line and "4,095 counts as white (a guess; --white" in line
    want = np.round(array * (255 / 4095))
    got = seen(source)
    assert (got == (want if channels else want[..., None])).all() and len(np.unique(got)) == 256
    settle_pixels(source, white=65535)
    assert source.pixels.white == 65535 and len(np.unique(seen(source))) <= 17
    assert "a guess" not in settle_pixels(source, white=2000)[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_near_infrared_is_dropped_and_cut_outs_are_laid_over_white(tmp_path, kind, dtype):
    top = np.iinfo(dtype).max
    array = noise(top, 5, 12, 14, 4, dtype=dtype)
    source = stored(tmp_path, array, kind)
    lines = settle_pixels(source)
    assert source.pixels.fourth == "drop"
    assert "fourth channel: 5 of 5 images looked at have one, which is left out (a guess; --fourth-channel" in lines[-1]
    assert np.abs(seen(source) - array[..., :3] * (255 / top)).max() <= 1
    settle_pixels(source, fourth="alpha")
    assert np.abs(seen(source) - array[..., :3] * (255 / top)).max() > 100
    array[:, :, :7, 3], array[:, :, 7:, 3] = 0, top
    (tmp_path / "b").mkdir()
    source = stored(tmp_path / "b", array, kind)
    assert "laid over white (a guess" in settle_pixels(source)[-1] and source.pixels.fourth == "alpha"
    assert (seen(source)[:, :, :7] == 255).all()


@pytest.mark.parametrize("fourth", [0, 130])
def test_a_fourth_channel_that_would_hide_everything_is_no_transparency(tmp_path, fourth):
    array = noise(255, 4, 8, 8, 4, dtype=np.uint8)
    array[..., 3] = fourth
    source = stored(tmp_path, array, "npy")
    settle_pixels(source)
    assert source.pixels.fourth == "drop"
    array[..., 3] = 255
    source = stored(tmp_path, array, "npy")
    settle_pixels(source)
    assert source.pixels.fourth == "alpha" and (seen(source) == array[..., :3]).all()


@pytest.mark.parametrize(
    ("least", "most", "white"),
    [(0, 200, 255), (3, 900, 1023), (0, 4095, 4095), (0, 4096, 16383), (0, 60000, 65535), (0, 70000, None)],
)
def test_the_least_usual_depth_that_covers_the_sample_is_white(tmp_path, least, most, white):
    array = noise(most - least, 3, 9, 9, dtype=np.int32) + least
    array[0, 0, :2] = least, most
    source = stored(tmp_path, array, "npy")
    line = settle_pixels(source)[0]
    assert source.pixels.white == white and f"{least} to {most:,}" in line
    assert ("give it by --white" in line) == (white is None)


@pytest.mark.parametrize(
    ("least", "most", "white"), [(0, 1, 1), (0, 0.4, 1), (0, 1.4, None), (-1, 1, None), (0, 900, 1023)]
)
def test_floats_end_at_one_or_at_a_usual_depth_and_else_are_asked_about(tmp_path, least, most, white):
    array = np.linspace(least, most, 300, dtype=np.float32).reshape(3, 10, 10)
    source = stored(tmp_path, array, "npz")
    settle_pixels(source)
    assert source.pixels.white == white


def test_plain_images_have_nothing_said_of_them_and_are_not_decoded(tmp_path, monkeypatch):
    album(tmp_path, 5)
    monkeypatch.setattr(Image.Image, "load", None)
    source = open_source(str(tmp_path))
    assert settle_pixels(source) == [] and source.pixels == PixelRule()
    assert settle_pixels(source, white=4095) == [] and source.pixels.white == 4095


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tiffs_of_bands_alone_are_refused_at_once_and_among_others_said_once(tmp_path, capfd):
    for i in range(9):
        (tmp_path / f"{i}.tif").write_bytes(tiff(noise(4095, 9, 9, 18), extra=(0,) * 17, photometric=1))
    said = "9 of 9 images looked at are TIFFs of 18 bands of 16 bits, which"
    with pytest.raises(UserError, match=f": {said} are not known to be red, green and blue: save three as RGB, or"):
        settle_pixels(open_source(str(tmp_path)), refuse=True)
    assert said in settle_pixels(open_source(str(tmp_path)))[0]
    album(tmp_path, 3)
    (line,) = settle_pixels(open_source(str(tmp_path)), refuse=True)
    assert line.startswith("bands: 9 of 12 images looked at") and capfd.readouterr() == ("", "")


def test_one_rule_holds_for_images_of_other_depths_and_for_broken_ones(tmp_path):
    album(tmp_path, 3)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Image.fromarray(noise(100, 9, 9)).save(tmp_path / "dark.png")
    Image.fromarray(noise(4000, 9, 9)).save(tmp_path / "bright.png")
    (tmp_path / "colour.tif").write_bytes(tiff(noise(3000, 9, 9, 3)))
    source = open_source(str(tmp_path))
    assert "3 of 6 images looked at" in settle_pixels(source)[0]
    dark = source.names.index("dark.png")
    assert decode(source.fetch(dark), None, source.pixels).max() <= 7  # not stretched by itself
