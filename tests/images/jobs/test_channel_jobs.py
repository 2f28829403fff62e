"""Images of five channels of 16 bits through every verb: what is said, kept and refused, and that a method learns."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stdout

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from torch.testing import assert_close

import twofold
from twofold.errors import UserError
from twofold.images.evaluation.transform import as_npy, run_lines
from twofold.pixels.views.channels import statistics_of
from twofold.runs.folder import RunFolder

SIDE, CHANNELS, TELLING = 16, 5, 3  # the channel that tells the classes apart
TINY = {"backbone": "convnet", "image_size": SIDE, "batch_size": 8, "epochs": 2, "precision": "fp32"}
QUIET = {**TINY, "report": False, "quiet": True}


def stripes(kind: int, draws: np.random.Generator) -> np.ndarray:
    """Stripes of four kinds: narrow or wide, across or down, never twice the same."""
    y, x = np.mgrid[:SIDE, :SIDE]
    angle, period = kind % 2 * np.pi / 2 + draws.uniform(-0.3, 0.3), draws.uniform(*[(3.2, 4.5), (7, 10)][kind // 2])
    return np.sin(2 * np.pi * ((x * np.cos(angle) + y * np.sin(angle)) / period + draws.random()))


def pictures(count: int, seed: int) -> np.ndarray:
    """uint16 (count, 5, 16, 16): noise in all channels but one, which is darker and striped by class (i modulo 4)."""
    draws = np.random.default_rng(seed)
    made = draws.integers(0, 4000, (count, CHANNELS, SIDE, SIDE)).astype(float)
    for i, one in enumerate(made):
        one[TELLING] = 300 + 60 * stripes(i % 4, draws) + draws.normal(0, 6, (SIDE, SIDE))
    return made.round().astype(np.uint16)


def written(folder, arrays):
    for i, one in enumerate(arrays):
        file = folder / "abcd"[i % 4] / f"{i:03d}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, one)
    return str(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the data, a run on them, and what it printed."""
    folder = tmp_path_factory.mktemp("channels")
    written(folder / "in", pictures(32, 0))
    with redirect_stdout(io.StringIO()) as out:
        twofold.pretrain("simclr", str(folder / "in"), out=str(folder / "run"), **TINY)
    return folder, out.getvalue()


def test_the_header_the_settings_and_the_weights_say_what_was_done(made):
    folder, printed = made
    assert "channels: 5 channels of 16 bits, kept as they are (a guess; --channels sets it)" in printed
    assert "views without saturation, hue, grey, which are for red, green and blue" in printed
    assert "as uint16" in printed
    assert "normalised channel by channel: mean 0.03" in printed
    config = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    mean, deviation = statistics_of(config["statistics"], CHANNELS)
    array = pictures(32, 0) / 65535
    np.testing.assert_allclose(mean, array.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(deviation, array.std((0, 2, 3)), rtol=1e-4)
    assert config["channels"] == CHANNELS and config["white"] is config["black"] is None
    with safe_open(folder / "run" / "backbone.safetensors", "pt") as file:
        about = {key: json.loads(value) for key, value in file.metadata().items() if key != "format"}
    assert about["mean"] == list(mean) and about["std"] == list(deviation)
    assert about["backbone"]["channels"] == about["channels"] == CHANNELS and about["deep"] is True


def test_check_says_the_same_and_what_is_given_overrules(made, capsys):
    folder, _ = made
    found = twofold.check(str(folder / "in"), method="byol", **TINY)
    printed = capsys.readouterr().out
    config = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert found["channels"] == {"5 of 16 bits": 32} and found["settings"]["statistics"] == config["statistics"]
    assert "views without saturation, hue, grey" in printed and "normalised channel by channel" in printed
    numbers = "0.1,0.1,0.1,0.1,0.1:0.2,0.2,0.2,0.2,0.2"
    given = twofold.check(str(folder / "in"), statistics=numbers, white=4095, **TINY)["settings"]
    assert given["statistics"] == numbers and given["white"] == 4095
    with pytest.raises(UserError, match="The statistics imagenet are those of RGB, not of 5 channels"):
        twofold.check(str(folder / "in"), statistics="imagenet", **TINY)
    with pytest.raises(UserError, match="none of the 32 images looked at can be read as 4 channels"):
        twofold.check(str(folder / "in"), channels=4, **TINY)


def test_a_run_that_stopped_goes_on_to_the_same_bits(made, tmp_path, monkeypatch):
    folder, _ = made
    save = RunFolder.save

    def copied(run, checkpoint):
        save(run, checkpoint)
        if checkpoint.step == 5:
            shutil.copytree(tmp_path / "straight", tmp_path / "broken")

    options = {**QUIET, "epochs": 2, "save_every": 0, "log_every": 1}
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "save", copied)
        twofold.pretrain("moco", str(folder / "in"), out=str(tmp_path / "straight"), **options)
    twofold.pretrain("moco", str(folder / "in"), out=str(tmp_path / "broken"), **options)
    ours, theirs = (tmp_path / name / "backbone.safetensors" for name in ("broken", "straight"))
    assert "Going on from step 5" in (tmp_path / "broken" / "log.txt").read_text()
    assert ours.read_bytes() == theirs.read_bytes()


def test_vectors_are_the_same_by_embed_encode_transform_and_the_lines(made, tmp_path):
    folder, _ = made
    model, array = twofold.load(str(folder / "run"), precision="fp32"), pictures(32, 0)
    options = {"out": str(tmp_path / "a.parquet"), "precision": "fp32", "quiet": True}
    table = parquet.read_table(twofold.embed(str(folder / "run"), str(folder / "in"), **options))
    order = [int(name[2:5]) for name in table["name"].to_pylist()]
    vectors = torch.tensor(table["embedding"].to_pylist())
    close = {"rtol": 1e-4, "atol": 1e-4}
    assert_close(model.encode(str(folder / "in"), quiet=True), vectors, **close)
    for things in (array, array.transpose(0, 2, 3, 1), list(array), torch.from_numpy(array.astype(np.int32))):
        assert_close(model.encode(things, quiet=True)[order], vectors, **close)
    first = folder / "in" / "a" / "000.npy"
    for one in (array[0], str(first), [first.read_bytes()]):
        assert_close(model.encode(one, quiet=True), vectors[:1], **close)
    assert_close(model(model.transform(array[0])[None]), vectors[:1], **close)
    assert model.map(model.transform(array[0])[None]).shape[:2] == (1, 128)
    lines = json.loads(parquet.read_schema(tmp_path / "a.parquet").metadata[b"twofold"])["transform"]
    assert_close(model(run_lines(lines, io.BytesIO(as_npy(array[0].transpose(1, 2, 0))))), vectors[:1], **close)


def test_every_protocol_on_whole_images_and_its_floors(made, capsys):
    folder, _ = made
    rows = twofold.evaluate(
        str(folder / "run"), str(folder / "in"), protocols="knn,linear,linear-simclr,finetune", epochs=1
    )
    assert {row["protocol"] for row in rows} == {"knn", "linear", "linear-simclr", "finetune"}
    assert {row["name"] for row in rows} >= {"raw pixels", "untrained network", "simclr"}
    assert all(0 <= row["value"] <= 1 for row in rows)
    with pytest.raises(UserError, match=r"Protocols on maps \(correspondence, fcn\) are there for RGB alone"):
        twofold.evaluate(str(folder / "run"), str(folder / "in"), protocols="correspondence,fcn,knn")


def test_exports_and_the_page(made, tmp_path, capsys):
    folder, _ = made
    out = twofold.export(str(folder / "run"), format="safetensors", out=str(tmp_path / "a.safetensors"))
    printed = capsys.readouterr().out
    assert "levels = numpy.load('image.npy')" in printed and "checked on a made array" in printed
    assert twofold.load(str(out)).backbone.channels == CHANNELS
    page = (folder / "run" / "report.html").read_text()
    assert "The images have 5 channels. Pictures show the first three as red, green and blue" in page
    shown = np.load(folder / "run" / "views.npz")
    assert shown["views"].shape == (8, 2, SIDE, SIDE, 3) and 80 < shown["sources"].mean() < 180
    assert np.load(folder / "run" / "gallery.npz")["thumbnails"].shape[-1] == 3


def test_a_comparison_reads_and_normalises_all_alike(made, tmp_path):
    folder, _ = made
    found = twofold.compare(
        "simclr,byol", str(folder / "in"), out=str(tmp_path / "c"), seeds=1, protocols="knn", **QUIET
    )
    configs = [yaml.safe_load(file.read_text()) for file in sorted((tmp_path / "c").glob("*/config.yaml"))]
    assert len(configs) == 2 and len({config["statistics"] for config in configs}) == 1
    assert all(config["channels"] == CHANNELS for config in configs) and found


def test_other_data_and_other_models_are_refused_in_a_sentence(made, tmp_path):
    folder, _ = made
    run, data = str(folder / "run"), str(folder / "in")
    (tmp_path / "rgb").mkdir()
    for i in range(4):
        Image.new("RGB", (20, 20), (i, 0, 0)).save(tmp_path / "rgb" / f"{i}.png")
    with pytest.raises(UserError, match="none of the 4 images looked at can be read as 5 channels"):
        twofold.embed(run, str(tmp_path / "rgb"))
    with pytest.raises(UserError, match="takes 5 channels, not 3: leave --channels out"):
        twofold.embed(run, data, channels="rgb")
    with pytest.raises(UserError, match="prepared images are RGB, and these have 5 channels of 16 bits"):
        twofold.prepare(data, str(tmp_path / "prepared"))
    made = twofold.embed(
        "random:convnet", data, out=str(tmp_path / "a.parquet"), channels=5, image_size=SIDE, quiet=True
    )
    assert parquet.read_table(made).num_rows == 32


def test_arrays_in_python_with_validation_and_grey_of_16_bits(tmp_path):
    array = pictures(32, 0)
    own = twofold.pretrain("byol", array, val=pictures(16, 1), out=str(tmp_path / "a"), channels=5, **QUIET)
    assert own.model.backbone.channels == 5
    grey = twofold.pretrain("simclr", array[:, TELLING], out=str(tmp_path / "b"), channels=1, **QUIET)
    assert grey.model.backbone.channels == 1 and grey.model.pixels.deep
    assert grey.model.encode(array[:3, TELLING], quiet=True).shape == (3, 128)
    decibels = (array[:, :2] / 4000 * 80 - 80).astype(np.float32)
    loud = twofold.pretrain("simclr", decibels, out=str(tmp_path / "c"), **QUIET)
    config = yaml.safe_load((tmp_path / "c" / "config.yaml").read_text())
    assert config["channels"] == 2 and config["black"] == loud.model.pixels.black == float(decibels.min())
    assert config["white"] == loud.model.pixels.white == float(decibels.max())
    measured = twofold.check(array[:, :3] >> 8, statistics="measured", **TINY)["settings"]
    assert measured["channels"] == "auto" and len(statistics_of(measured["statistics"])[0]) == 3


def test_a_method_learns_from_a_channel_beyond_the_third(tmp_path):
    train, test = written(tmp_path / "train", pictures(200, 2)), written(tmp_path / "test", pictures(80, 3))
    options = {**QUIET, "batch_size": 32, "epochs": 12, "optimizer": "adam", "lr": 1e-2, "knn_every": 0}
    run = twofold.pretrain("simclr", train, out=str(tmp_path / "run"), correspondence_every=0, floors=False, **options)
    found = {row["name"]: row["value"] for row in run.evaluate(train, test=test, protocols="knn", quiet=True)}
    assert found["simclr"] > 0.7 > 0.5 > found["untrained network"]
    colours = [written(tmp_path / name, pictures(n, s)[:, :3]) for name, n, s in (("c", 200, 2), ("d", 80, 3))]
    rows = twofold.evaluate(
        "random:convnet", colours[0], test=colours[1], protocols="knn", channels=3, image_size=SIDE, quiet=True
    )
    assert all(row["value"] < 0.4 for row in rows)  # the first three tell nothing


@pytest.mark.slow
def test_two_processes_equal_one(made, tmp_path):
    words = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--steps", "6", "--precision", "fp32"]
    words += ["--no-report", "--quiet", "--log-every", "1", "--correspondence-every", "0"]
    for devices in ("1", "2"):
        command = [sys.executable, "-m", "twofold", "pretrain", "simclr", str(made[0] / "in"), *words]
        subprocess.run([*command, "--out", str(tmp_path / devices), "--devices", devices], check=True, timeout=240)
    one, two = (list(csv.DictReader((tmp_path / n / "metrics.csv").open())) for n in ("1", "2"))
    assert [float(row["loss"]) for row in one] == pytest.approx([float(row["loss"]) for row in two], rel=1e-4)
    assert len(one) == 6
