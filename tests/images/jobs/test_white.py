"""White level and fourth channel from pretrain to embed: said, kept with the run, and used on other data."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as parquet
import pytest
import yaml
from PIL import Image
from safetensors import safe_open

import twofold

TINY = {"backbone": "convnet", "image_size": 16, "batch_size": 4, "epochs": 1, "precision": "fp32", "report": False}


def album(folder, most, count=12, channels=(), dtype=np.uint16, seed=0):
    """Two classes of noise up to a level."""
    drawn = np.random.default_rng(seed)
    for i in range(count):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, most + 1, (20, 20, *channels)).astype(dtype)).save(path)
    return str(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on 12-bit images in 16-bit files, and what it printed."""
    from contextlib import redirect_stdout
    from io import StringIO

    folder = tmp_path_factory.mktemp("white")
    with redirect_stdout(StringIO()) as out:
        path = twofold.pretrain("moco", album(folder / "in", 4095), out=str(folder / "run"), **TINY)
    return path, out.getvalue()


def vectors(file):
    return np.array(parquet.read_table(file)["embedding"].to_pylist())


def about(file):
    return json.loads(parquet.read_schema(file).metadata[b"twofold"])


def test_the_guess_is_in_the_header_the_settings_and_the_weights(run):
    path, printed = run
    assert "12 of 12 images looked at have more than 8 bits" in printed and "4,095 counts as white (a guess" in printed
    assert yaml.safe_load((path / "config.yaml").read_text())["white"] == 4095
    with safe_open(path / "backbone.safetensors", "pt") as file:
        assert json.loads(file.metadata()["white"]) == 4095 and json.loads(file.metadata()["precision"]) == "fp32"
        assert "image = Image.fromarray" in file.metadata()["transform"]
    again = twofold.pretrain("moco", str(path.parent / "in"), out=str(path), **TINY)
    assert again == path


def test_other_data_is_read_by_the_white_level_of_the_run(run, tmp_path, capsys):
    path, _ = run
    dark, plain = album(tmp_path / "dark", 900), tmp_path / "plain"
    for file in sorted((tmp_path / "dark").rglob("*.png")):
        (plain / file.parent.name).mkdir(parents=True, exist_ok=True)
        level = np.round(np.asarray(Image.open(file)) * (255 / 4095)).astype(np.uint8)
        Image.fromarray(level).save(plain / file.parent.name / file.name)
    by_run = twofold.embed(str(path), dark, out=str(tmp_path / "a.parquet"), precision="fp32")
    assert "0 to 900; 4,095 counts as white\n" in capsys.readouterr().out
    as_bytes = twofold.embed(str(path), str(plain), out=str(tmp_path / "b.parquet"), precision="fp32", quiet=True)
    np.testing.assert_allclose(vectors(by_run), vectors(as_bytes), rtol=1e-4, atol=1e-5)
    assert about(by_run)["white"] == 4095 and about(by_run)["precision"] == "fp32"
    other = twofold.embed(str(path), dark, out=str(tmp_path / "c.parquet"), precision="fp32", white=1023, quiet=True)
    assert about(other)["white"] == 1023 and np.abs(vectors(other) - vectors(by_run)).max() > 1e-3
    twofold.evaluate(str(path), dark, protocols="5nn", floors=False)
    assert "4,095 counts as white\n" in capsys.readouterr().out


def test_a_network_that_saw_no_such_images_has_the_data_looked_at(tmp_path, capsys):
    nir = album(tmp_path / "nir", 255, channels=(4,), dtype=np.uint8)
    made = twofold.embed("random:convnet", nir, out=str(tmp_path / "a.parquet"), image_size=16)
    assert "which is left out (a guess; --fourth-channel" in capsys.readouterr().out
    assert about(made)["fourth_channel"] == "drop" and about(made)["white"] is None
    over = twofold.embed("random:convnet", nir, out=str(tmp_path / "b.parquet"), image_size=16, fourth_channel="alpha")
    assert about(over)["fourth_channel"] == "alpha" and "laid over white\n" in capsys.readouterr().out


def test_check_says_what_a_run_would_do(tmp_path, capsys):
    folder = album(tmp_path / "in", 4095)
    found = twofold.check(folder)
    printed = capsys.readouterr().out
    assert found["channels"] == {"1 of 16 bits": 12} and found["settings"]["white"] == 4095
    assert "channels: 1 of 16 bits in 12" in printed and "4,095 counts as white (a guess; --white sets it)" in printed
    assert twofold.check(folder, white=65535)["settings"]["white"] == 65535


def test_export_prints_the_lines_and_keeps_them(run, tmp_path, capsys):
    path, _ = run
    out = twofold.export(str(path), format="safetensors", out=str(tmp_path / "b.safetensors"))
    printed = capsys.readouterr().out
    assert "An image becomes x with (checked on a JPEG turned by EXIF" in printed and "v2.CenterCrop(16)" in printed
    with safe_open(out, "pt") as file:
        lines = json.loads(file.metadata()["transform"])
        assert json.loads(file.metadata()["white"]) == 4095
    assert "\n".join(lines) in printed and "numpy.asarray(image).astype(float).clip(0, 4095)" in printed
