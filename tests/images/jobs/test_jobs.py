"""The verbs on real files: from a folder of pictures to a run, and from the run to everything made of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
import yaml
from PIL import Image

from twofold.cli import main
from twofold.images.jobs.model import open_model
from twofold.images.jobs.online import SHOWN
from twofold.images.reading import open_source
from twofold.runs.screen import numbers

CELLS = Path(__file__).parents[3] / "examples" / "cells"
SMALL = ["--backbone", "convnet", "--image-size", "32", "--batch-size", "16", "--log-every", "2"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes of 24 pictures: red-ish and blue-ish noise, in JPEG and PNG, of several sizes."""
    folder = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for name, channel in (("red", 0), ("blue", 2)):
        (folder / name).mkdir()
        for i in range(24):
            pixels = drawn.integers(0, 120, (int(drawn.integers(20, 60)), int(drawn.integers(20, 60)), 3), np.uint8)
            pixels[..., channel] += 120
            Image.fromarray(pixels).save(folder / name / f"{i}.{'png' if i % 2 else 'jpg'}")
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A finished run of two epochs."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["pretrain", "moco+co2", str(photos), "--out", str(out), "--epochs", "2", *SMALL]) == 0
    return out


def test_a_run_folder_holds_what_it_should(run):
    stored = {path.name for path in run.iterdir()}
    assert stored >= {
        "config.yaml", "environment.json", "metrics.csv", "checkpoints", "backbone.safetensors",
        "views.npz", "gallery.npz", "evaluation.json", "report.html", "log.txt", "tensorboard",
    }  # fmt: skip
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["recipe"] == "cifar" and config["views"] == "moco-cifar" and config["base_lr"] == 0.03
    assert config["method_options"]["moco.queue"] == 16 and config["method_options"]["moco.key_bn"] == "plain"
    rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    assert len(set(rows[0])) == len(rows[0])
    columns = {"step", "loss", "loss/base", "loss/co2", "lr", "spread", "effective_rank", "knn", "pretext_top1"}
    assert {*columns, "correspondence"} <= set(rows[0])
    assert rows[-1][rows[0].index("step")] == "6"
    with np.load(run / "views.npz", allow_pickle=False) as views:
        assert views["views"].shape == (8, 2, 32, 32, 3) and views["views"].std() > 0
    with np.load(run / "gallery.npz", allow_pickle=False) as gallery:
        assert len(gallery["features"]) == len(gallery["thumbnails"]) == 48
        assert sorted(gallery["classes"]) == ["blue", "red"]
    entries = json.loads((run / "evaluation.json").read_text())
    shared = {"moco+co2": False, "raw pixels": True, "untrained network": True}
    for protocol, names, settings in (
        ("knn", {**shared, "majority class": True}, "k 10, T 0.1"),
        ("correspondence", {**shared, "chance": True}, "crops of 32 px, cells of 8 px, 32 pairs"),
    ):
        own = [row for row in entries if row["protocol"] == protocol]
        assert {row["name"]: row["floor"] for row in own} == names
        assert {row["settings"] for row in own} == {settings}


def test_the_same_command_again_says_that_it_is_finished(run, photos, capsys):
    before = (run / "backbone.safetensors").read_bytes()
    assert main(["pretrain", "moco+co2", str(photos), "--out", str(run), "--epochs", "2", *SMALL]) == 0
    assert "is finished" in capsys.readouterr().out
    assert (run / "backbone.safetensors").read_bytes() == before


def test_other_settings_or_other_data_are_refused(run, photos, tmp_path, capsys):
    assert main(["pretrain", "moco+co2", str(photos), "--out", str(run), "--epochs", "3", *SMALL]) == 2
    assert "cannot go on from 2 epochs to 3" in capsys.readouterr().err
    grown = tmp_path / "photos"
    grown.symlink_to(photos)
    Image.new("RGB", (30, 30)).save(photos / "red" / "new.png")
    try:
        assert main(["pretrain", "moco+co2", str(photos), "--out", str(run), "--epochs", "2", *SMALL]) == 2
    finally:
        (photos / "red" / "new.png").unlink()
    assert "data has changed" in capsys.readouterr().err


def test_a_configuration_makes_the_same_run(run, tmp_path):
    again = tmp_path / "again"
    assert main(["pretrain", "--config", str(run / "config.yaml"), "--out", str(again), "--no-report"]) == 0
    one, other = (open_model(str(folder)).backbone.state_dict() for folder in (run, again))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_evaluate_prints_every_number_beside_its_floors(run, photos, capsys):
    protocols = "knn,5nn,linear,linear-simclr-cifar,finetune"
    arguments = ["--protocols", protocols, "--epochs", "2", "--labels", "0.5"]
    assert main(["evaluate", str(run), str(photos), *arguments]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in (*protocols.split(","), "raw pixels", "untrained network"))
    kept = json.loads((run / "evaluation.json").read_text())
    assert {row["protocol"] for row in kept} == {*protocols.split(","), "correspondence"}
    assert all(0 <= row["value"] <= 1 for row in kept)
    assert main(["evaluate", str(run), str(photos), "--protocols", "kn"]) == 2
    assert 'no protocol "kn". Did you mean "knn"' in capsys.readouterr().err


def arrays(path: Path, labels: list[int]) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), 16, 16, 3), np.uint8)
    np.savez(path, images=pixels, labels=np.array(labels))
    return str(path)


def test_classes_are_counted_by_the_labels_that_occur(tmp_path, capsys):
    network = ["random:convnet", "--image-size", "16"]
    seven = arrays(tmp_path / "seven.npz", [7] * 20)
    assert main(["evaluate", network[0], seven, *network[1:]]) == 2
    assert "one class only" in capsys.readouterr().err
    run = tmp_path / "run"
    assert main(["pretrain", "simsiam", seven, "--out", str(run), "--steps", "2", *SMALL, "--no-report"]) == 0
    printed = capsys.readouterr().out
    assert ", 1 class (7);" in printed and "one class only: no kNN during the run." in printed
    gapped, out = arrays(tmp_path / "gapped.npz", [3] * 30 + [9] * 10), tmp_path / "out.json"
    arguments = ["--protocols", "knn,5nn,linear", "--epochs", "5", "--out", str(out)]
    assert main(["evaluate", network[0], gapped, *network[1:], *arguments]) == 0
    rows = json.loads(out.read_text())
    printed = capsys.readouterr().out
    assert {row["metric"] for row in rows} == {"top1", "balanced"} and ", 2 classes" in printed
    assert "\nknn: k 4, T 0.1\n" in printed
    majority = {row["metric"]: row["value"] for row in rows if row["name"] == "majority class"}
    assert majority == {"top1": 0.75, "balanced": 0.5}
    assert {row["settings"] for row in rows if row["protocol"] == "knn"} == {"k 4, T 0.1"}


def test_data_in_parts_serve_every_verb(run, tmp_path, capsys):
    """One folder as data and as --test: train is learned from, test is asked, and all of it is embedded."""
    data = tmp_path / "pets"
    drawn = np.random.default_rng(1)
    for name, count in (("Train/cat", 9), ("Train/dog", 9), ("TEST/cat/2020", 4), ("unlabeled", 3)):
        (data / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(drawn.integers(0, 256, (30, 30, 3), np.uint8)).save(data / name / f"{i}.png")
    assert main(["check", str(data), *SMALL[:4]]) == 0
    printed = capsys.readouterr().out
    assert f"{data} is in parts: train (18 images) and unlabelled (3 images) are read, test (4 images) left" in printed
    assert "labels: 2 classes of 9 to 9 images (cat, dog)" in printed
    out = tmp_path / "run"
    arguments = ["--val", str(data), "--out", str(out), "--steps", "1", *SMALL, "--no-report"]
    assert main(["pretrain", "simsiam", str(data), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "21 image files, 2 classes (cat, dog);" in printed and "unlabelled (3 images) are read" in printed
    assert f"{data} is in parts: test (4 images) is read to test on" in printed
    assert f"classes of {data} are the folders named as those of the training images (cat)" in printed
    assert main(["evaluate", str(run), str(data), "--test", str(data), "--protocols", "knn"]) == 0
    assert "18 images to learn from, 4 to test on, 2 classes" in capsys.readouterr().out
    assert main(["embed", str(run), str(data), "--out", str(tmp_path / "v.parquet")]) == 0
    assert parquet.read_table(tmp_path / "v.parquet").num_rows == 25
    assert main(["prepare", str(data), str(tmp_path / "small"), "--short-side", "20", "--part", "test"]) == 0
    assert "test (4 images) is read" in capsys.readouterr().out
    assert len(open_source(str(tmp_path / "small"))) == 4
    assert main(["check", str(data), "--part", "tset"]) == 2
    assert 'There is no part "tset". Did you mean "test"?' in capsys.readouterr().err


def test_embed_writes_a_vector_for_every_image(run, photos, tmp_path, capsys):
    out = tmp_path / "vectors.parquet"
    assert main(["embed", str(run), str(photos), "--out", str(out)]) == 0
    table = parquet.read_table(out)
    assert table.num_rows == 48 and len(table["embedding"][0]) == open_model(str(run)).backbone.width
    assert "48 vectors" in capsys.readouterr().out


def test_export_prints_lines_that_load_the_file(run, tmp_path, capsys):
    assert main(["export", str(run), "--format", "safetensors", "--out", str(tmp_path / "b.safetensors")]) == 0
    printed = capsys.readouterr().out
    lines = printed.split("It loads with:\n")[1]
    scope = {"x": torch.zeros(2, 3, 32, 32)}
    exec(lines, scope)
    assert scope["features"].shape == (2, open_model(str(run)).backbone.width)


def test_the_line_while_a_run_goes_on():
    row = {"epoch": 1.5, "loss": 2.25, "images_per_second": 1234.5, "wait_share": 0.031, "knn": 0.875}
    assert numbers(row, SHOWN) == "epoch 1.5, loss 2.25, kNN 87.5%, 1,234 images/s, 3% waiting for data"


WRITING = {
    "embed": ["embed", "{run}", "{data}"],
    "export": ["export", "{run}", "--format", "safetensors"],
    "evaluate": ["evaluate", "{run}", "{data}", "--protocols", "knn", "--no-floors"],
    "report": ["report", "{run}"],
    "pretrain": ["pretrain", "simclr", "{data}"],
    "compare": ["compare", "simclr", "{data}"],
    "prepare": ["prepare", "{data}"],
}
ENDING = {"embed": ".parquet", "export": ".safetensors"}


@pytest.mark.parametrize("verb", WRITING)
def test_a_place_that_cannot_be_written_is_one_sentence(run, photos, tmp_path, capsys, verb):
    command = [argument.replace("{run}", str(run)).replace("{data}", str(photos)) for argument in WRITING[verb]]
    (tmp_path / "file").write_text("x")
    out = tmp_path / "file" / f"out{ENDING.get(verb, '')}"
    assert main([*command, *([] if verb == "prepare" else ["--out"]), str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(out) in error and error.endswith(".\n")
    assert "file is a file" in error or "Not a directory" in error
    assert (tmp_path / "file").read_text() == "x"


def test_check_says_what_would_happen(photos, capsys):
    (photos / "red" / "broken.jpg").write_bytes(b"no picture")
    try:
        assert main(["check", str(photos), "--method", "byol", "--batch-size", "16"]) == 0
    finally:
        (photos / "red" / "broken.jpg").unlink()
    printed = capsys.readouterr().out
    assert "broken: 1" in printed and "broken.jpg" in printed
    assert "by byol at 32 px" in printed and "steps of 16 images" in printed


def test_a_loss_that_is_not_finite_ends_the_run_in_words(photos, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = [
        "--out",
        str(out),
        "--epochs",
        "3",
        "--optimizer",
        "sgd",
        "--lr",
        "1e30",
        "--precision",
        "fp32",
        *SMALL,
    ]
    assert main(["pretrain", "simclr", str(photos), *arguments]) == 2
    assert "not finite" in capsys.readouterr().err and "not finite" in (out / "log.txt").read_text()
    assert not (out / "backbone.safetensors").exists()


def test_check_refuses_data_that_a_run_would_refuse(tmp_path, capsys):
    for i in range(4):
        Image.new("RGB", (40, 40), (i, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "empty.png").write_bytes(b"")
    assert main(["check", str(tmp_path)]) == 2
    assert "20% of the images cannot be read" in capsys.readouterr().err


def test_prepared_images_are_data(photos, tmp_path, capsys):
    out = tmp_path / "small"
    assert main(["prepare", str(photos), str(out), "--short-side", "24"]) == 0
    assert main(["check", str(out)]) == 0
    assert "48 images examined" in capsys.readouterr().out


def test_unreadable_images_are_counted_listed_and_replaced(photos, tmp_path, capsys):
    (photos / "red" / "cut.jpg").write_bytes((photos / "red" / "0.jpg").read_bytes()[:300])
    out = tmp_path / "run"
    try:
        arguments = ["pretrain", "simclr", str(photos), "--out", str(out), "--epochs", "2", "--no-report", *SMALL]
        assert main(arguments) == 0
        assert "cut.jpg" in (out / "unreadable.txt").read_text()
        assert "1 of 49 images could not be read" in capsys.readouterr().out
        assert main([*arguments[:4], str(tmp_path / "strict"), *arguments[5:], "--max-unreadable", "0"]) == 2
    finally:
        (photos / "red" / "cut.jpg").unlink()
    error = capsys.readouterr().err
    assert "cut.jpg" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "1"], "nothing to compare"),
        (["--batch-size", "500"], "at most 48"),
        (["--image-size", "4"], "--image-size must be at least 8"),
        (["--backbone", "resnet19"], 'Did you mean "resnet18"'),
        (["--views", "simclr-cifer"], "simclr-cifar"),
        (["--optimizer", "adam"], "needs --lr or --base-lr"),
        (["--method.temperature", "warm"], "takes a number"),
        (["--accumulate", "3"], "accumulate"),
        (["--weights", "nowhere.pt"], "nowhere.pt"),
        (["--lr", "0.1", "--base-lr", "0.1"], "not both"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(photos, tmp_path, capsys, arguments, message):
    small = SMALL if "--batch-size" not in arguments else [*SMALL[:4], *SMALL[6:]]
    code = main(
        ["pretrain", "simclr", str(photos), "--out", str(tmp_path / "out"), "--epochs", "1", *small, *arguments]
    )
    error = capsys.readouterr().err
    assert code == 2 and error.startswith("twofold: ") and error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_an_untrained_network_is_drawn_by_the_seed(photos, tmp_path, capsys):
    found = []
    for seed in ("0", "0", "1"):
        command = ["evaluate", "random:convnet", str(photos), "--protocols", "knn", "--image-size", "32", "--no-floors"]
        assert main([*command, "--seed", seed, "--out", str(tmp_path / "rows.json")]) == 0
        assert f"untrained (seed {seed})" in capsys.readouterr().out
        model = open_model("random:convnet", image_size=32, seed=int(seed))
        weights = torch.cat([weight.detach().flatten() for weight in model.backbone.parameters()])
        found.append((json.loads((tmp_path / "rows.json").read_text()), weights))
    assert found[0][0] == found[1][0] and torch.equal(found[0][1], found[1][1])
    assert not torch.equal(found[0][1], found[2][1])
