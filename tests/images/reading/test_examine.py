"""examine: every kind of trouble counted and named, and nothing else."""

from __future__ import annotations

import io
import os
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from reading_samples import album, bomb, deep_png, encoded, picture, tiff, write

from twofold.errors import UserError
from twofold.images.reading import decode, examine, open_source


@pytest.fixture
def troubled(tmp_path):
    """A folder with one of every trouble, and what each should be found as."""
    folder = album(tmp_path / "set", 12, 40, 52)
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encoded(picture(64, 64, seed=99))
    frames = [Image.new("RGB", (20, 20), c) for c in ("red", "blue")]
    odd = {
        "grey.jpg": encoded(picture().convert("L")),
        "rgba.png": encoded(picture().convert("RGBA"), "PNG"),
        "cmyk.jpg": encoded(picture().convert("CMYK")),
        "palette.gif": encoded(picture().convert("P"), "GIF"),
        "bit.png": encoded(picture().convert("1"), "PNG"),
        "deep.png": encoded(Image.new("I;16", (64, 64), 3000), "PNG"),
        "turned.jpg": encoded(picture(30, 60), exif=exif),
        "anim.webp": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "png.jpg": encoded(picture(), "PNG"),
        "tiny.png": encoded(picture(4, 4), "PNG"),
        "long.png": encoded(picture(20, 400), "PNG"),
        "plain.tif": encoded(picture(seed=5), "TIFF"),
        "plain.bmp": encoded(picture(seed=6), "BMP"),
        "copy.jpg": (folder / "003.jpg").read_bytes(),
        "trailer.jpg": encoded(picture(seed=7)) + b"camera notes" * 20,
    }
    broken = {
        "x_cut.jpg": whole[: len(whole) * 2 // 3],
        "x_cut.png": encoded(picture(seed=8), "PNG")[:-40],
        "x_cut.webp": encoded(picture(seed=9), "WEBP")[:-40],
        "x_cut.gif": encoded(picture(seed=10), "GIF")[:-400],
        "x_cut.tif": encoded(picture(seed=11), "TIFF")[:5000],
        "x_cut.bmp": encoded(picture(seed=12), "BMP")[:5000],
        "x_zero.jpg": b"",
        "x_text.jpg": b"I am not a JPEG",
        "x_bomb.png": bomb(),
    }
    for name, data in {**odd, **broken}.items():
        (folder / name).write_bytes(data)
    (folder / "notes.txt").write_text("x")
    return folder, odd, broken


def test_every_trouble_is_found(troubled):
    folder, odd, broken = troubled
    found = examine(str(folder))
    assert sorted(found.broken) == sorted(broken)
    assert found.broken["x_zero.jpg"] == "the file is empty" and "bomb" in found.broken["x_bomb.png"]
    assert found.total == found.examined == 12 + len(odd) + len(broken) and found.usable == 12 + len(odd)
    assert found.odd == {
        "grey": 1,
        "transparent, laid over white": 1,
        "colour space CMYK": 1,
        "palette": 1,
        "black and white": 1,
        "16 or 32 bits a channel": 1,
        "turned by EXIF": 1,
        "animated, first frame used": 1,
        "named as another format": 1,
        "tiny, short side below 16 px": 1,
        "over 8 times as long as wide": 1,
    }
    assert found.duplicates == ["copy.jpg"] and found.skipped == {".txt": 1}
    assert found.formats == {"JPEG": 17, "PNG": 6, "GIF": 1, "WEBP": 1, "TIFF": 1, "BMP": 1}
    text = "\n".join(found.lines(most=9))
    assert all(name in text for name in broken) and "copy.jpg" in text and ".txt 1" in text


def test_it_agrees_with_decoding_everything(troubled):
    folder, _, _ = troubled
    found = examine(str(folder))
    source = open_source(str(folder))
    sizes, broken = [], set()
    for i, name in enumerate(source.names):
        try:
            sizes.append(tuple(decode(source.fetch(i), None).shape[1:]))
        except Exception:
            broken.add(name)
    assert broken == set(found.broken)
    assert sizes == list(zip(found.height.tolist(), found.width.tolist(), strict=True))
    assert found.decoded_bytes(None) == sum(3 * h * w for h, w in sizes)
    assert found.short_side(0) == min(min(s) for s in sizes) and found.short_side(100) == max(min(s) for s in sizes)
    assert found.smaller_than(30) == sum(min(s) < 30 for s in sizes)
    assert found.stored_bytes == sum(os.path.getsize(folder / n) for n in source.names)


def test_tables_arrays_and_labels(tmp_path):
    data = [encoded(picture(seed=i % 4)) for i in range(6)]
    pq.write_table(pa.table({"image": data, "label": [0, 0, 0, 1, 1, None]}), tmp_path / "a.parquet")
    found = examine(str(tmp_path / "a.parquet"))
    assert found.usable == 6 and found.duplicates == ["a.parquet[4]", "a.parquet[5]"]
    assert found.per_class == {"0": 3, "1": 2} and "2 classes of 2 to 3" in "\n".join(found.lines())
    np.save(tmp_path / "a.npy", np.zeros((3, 9, 8), np.uint8))
    found = examine(str(tmp_path / "a.npy"))
    assert found.formats == {"array": 3} and len(found.duplicates) == 2 and found.height.tolist() == [9] * 3


def test_samples_of_webdataset_are_not_misnamed_and_notes_are_told(tmp_path):
    members = {"Train/0.jpg": encoded(picture()), "Train/0.cls": b"1", "Train/1.png": encoded(picture(), "PNG")}
    members |= {"Train/1.json": b"{}", "Train/2.jpg": encoded(picture(), "PNG"), "Test/0.jpg": encoded(picture())}
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    found = examine(str(tmp_path / "a.tar"))
    assert found.odd == {"named as another format": 1} and found.examples == {"named as another format": "Train/2"}
    assert found.lines()[1] == found.notes[0] and "train (3 images) is read, test (1 image) left out" in found.notes[0]
    assert "labels: 1 class of 1 to 1 images (1)" in found.lines()


def test_a_sample_of_the_set(tmp_path):
    album(tmp_path, 30)
    found = examine(str(tmp_path), most=10)
    assert found.total == 30 and found.examined == 10 and found.duplicates is None
    assert "a sample of 30" in found.lines()[0]
    assert abs(found.decoded_bytes(None) - examine(str(tmp_path)).decoded_bytes(None)) < 3000


def test_channels_and_range_are_named(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(deep_png(rng.integers(0, 4096, (20, 20, 3), np.uint16)))
        (tmp_path / f"{i}.tif").write_bytes(tiff(rng.integers(0, 256, (20, 20, 4), np.uint8), extra=(0,)))
        Image.fromarray(rng.integers(0, 256, (20, 20, 4), np.uint8)).save(tmp_path / f"nir-{i}.png")
    found = examine(str(tmp_path))
    assert found.channels == {"3 of 16 bits": 4, "4 of 8 bits": 8} and found.usable == 12
    text = "\n".join(found.lines())
    assert "channels: 4 of 8 bits in 8, 3 of 16 bits in 4" in text and "4,095 counts as white (a guess" in text
    assert "fourth channel, left out: 4 (such as nir-0.png)" in text
    assert "of 4 channels the first 3 used: 4 (such as 0.tif)" in text
    text = "\n".join(examine(str(tmp_path), white=65535.0, fourth_channel="alpha").lines())
    assert "65,535 counts as white\n" in text and "transparent, laid over white: 4" in text
    np.save(tmp_path / "a.npy", rng.integers(0, 256, (3, 9, 8, 4), np.uint8))
    assert "fourth channel, left out: 3" in "\n".join(examine(str(tmp_path / "a.npy")).lines())


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_many_bands_are_one_line_with_a_count(tmp_path, capfd):
    for i in range(40):
        (tmp_path / f"{i:02d}.tif").write_bytes(tiff(np.zeros((20, 20, 18), np.uint16), extra=(0,) * 17, photometric=1))
    text = "\n".join(examine(str(tmp_path)).lines())
    assert "broken: 40: 00.tif and 39 others (a TIFF of 18 bands of 16 bits, not known to be red" in text
    assert text.count("18 bands") == 2 and capfd.readouterr() == ("", "")


def test_nothing_usable_and_nothing_there(tmp_path):
    write(tmp_path / "a" / "1.jpg").write_bytes(b"")
    found = examine(str(tmp_path / "a"))
    assert found.usable == 0 and found.short_side(50) == 0 and found.lines()
    with pytest.raises(UserError):
        examine(str(tmp_path / "none"))
