"""The printed lines make of an image file what twofold makes of it, and the vectors of `embed` are theirs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image

from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.images.embed import embed
from twofold.images.evaluation import InputSettings
from twofold.images.evaluation.transform import can_be_checked, check_lines, run_lines, transform_lines
from twofold.images.reading import Images, open_source
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.pixels import PixelRule

SIZES = [(40, 53), (64, 40), (96, 96), (140, 333), (333, 500), (500, 375), (799, 241), (600, 800), (100, 790)]


def photograph(height, width, number=0):
    """A real photograph, of those that come with scikit-learn, of so many pixels."""
    folder = Path(pytest.importorskip("sklearn.datasets").__file__).parent / "images"
    image = Image.open(folder / ("china.jpg", "flower.jpg")[number % 2])
    return image.resize((width, height), Image.Resampling.BICUBIC)


def with_fourth(image):
    """A fourth channel of clear, half clear and opaque parts."""
    grey = np.asarray(image.convert("L"))
    return np.dstack([image, np.where(grey > 128, 255, np.where(grey < 90, 0, grey))]).astype(np.uint8)


def written(folder):
    """Photographs of 40 to 800 px: JPEG, PNG, WebP, TIFF; grey, palette, CMYK, transparent, turned by EXIF."""
    folder.mkdir()
    for i, size in enumerate(SIZES):
        image = photograph(*size, i)
        image.save(folder / f"{i}.jpg", quality=85)
        exif = Image.Exif()
        exif[0x0112] = i % 8 + 1
        image.save(folder / f"{i}-turned.{('jpg', 'png', 'webp', 'tif')[i % 4]}", exif=exif)
    plain = photograph(333, 500)
    Image.fromarray(with_fourth(plain)).save(folder / "cut-out.png")
    others = {"L": "grey.png", "P": "palette.gif", "CMYK": "print.jpg", "1": "fax.png", "LA": "la.png"}
    for mode, name in others.items():
        plain.convert(mode).save(folder / name)
    return folder


@pytest.mark.parametrize("size", [32, 112])
def test_the_vectors_of_embed_are_those_of_the_lines_in_their_metadata(tmp_path, size):
    folder = written(tmp_path / "in")
    torch.manual_seed(0)
    backbone = build_backbone("convnet", image_size=size).eval()
    source = open_source(str(folder))
    settle_pixels(source, fourth="alpha")
    inputs = InputSettings(size, (0.5, 0.4, 0.3), (0.25, 0.2, 0.3), batch_size=4)
    done = embed(backbone, Images(source, short_side=2 * size, workers=1), tmp_path / "v.parquet", inputs)
    table = parquet.read_table(done.path)
    about = json.loads(table.schema.metadata[b"twofold"])
    assert about["precision"] == "fp32" and about["fourth_channel"] == "alpha" and about["white"] is None
    five = [line.strip().split("(")[0] for line in about["transform"] if line.startswith("    ")]
    assert five == ["v2.PILToTensor", "v2.Resize", "v2.CenterCrop", "v2.ToDtype", "v2.Normalize"]
    assert f"    v2.Resize({128 if size == 112 else 32}, antialias=True)," in about["transform"]
    assert table.num_rows == 2 * len(SIZES) + 6
    for name, vector in zip(table["name"].to_pylist(), table["embedding"].to_pylist(), strict=True):
        with torch.no_grad():
            want = backbone(run_lines(about["transform"], folder / name)).pooled[0]
        assert (torch.tensor(vector) - want).norm() < 1e-3 * want.norm(), name


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_the_lines_hold_the_white_level_and_the_channels_that_are_dropped(tmp_path, dtype):
    deep = np.asarray(photograph(120, 150).convert("L")).astype(dtype) * 16
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    Image.fromarray(with_fourth(photograph(120, 150))).save(tmp_path / "nir.png")
    backbone, inputs = build_backbone("convnet", image_size=32).eval(), InputSettings(32, (0.5,) * 3, (0.2,) * 3)
    for name, rule in (("deep.tif", PixelRule(4095.0)), ("nir.png", PixelRule(fourth="drop"))):
        lines = transform_lines(inputs, rule)
        assert check_lines(lines, (tmp_path / name).read_bytes(), backbone, inputs, rule) < 1e-3
        with pytest.raises(UserError):  # by other lines it is another vector, or none
            check_lines(transform_lines(inputs, PixelRule()), (tmp_path / name).read_bytes(), backbone, inputs, rule)
    assert can_be_checked((tmp_path / "nir.png").read_bytes())
    assert not any(can_be_checked(data) for data in ((tmp_path / "deep.tif").read_bytes(), b"", deep))


def test_lines_that_slip_by_a_pixel_are_found(tmp_path):
    photograph(333, 500).save(tmp_path / "a.png")
    backbone, inputs = build_backbone("convnet", image_size=112).eval(), InputSettings(112, (0.5,) * 3, (0.2,) * 3)
    lines = transform_lines(inputs, PixelRule())
    assert check_lines(lines, (tmp_path / "a.png").read_bytes(), backbone, inputs, PixelRule()) < 1e-3
    slipped = [line.replace("v2.Resize(128", "v2.Resize(130") for line in lines]
    with pytest.raises(UserError, match="give another vector"):
        check_lines(slipped, (tmp_path / "a.png").read_bytes(), backbone, inputs, PixelRule())
