"""Runs on views that a user changes or brings: by name, as data, as something to call; what is said, kept, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

import twofold
from twofold import given
from twofold.cli import main
from twofold.errors import UserError
from twofold.pixels.views import Augmentation, Crop, Flip

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 20, 20, 3), np.uint8)
SMALL: dict[str, Any] = {
    "backbone": "convnet", "batch_size": 8, "report": False, "precision": "fp32", "floors": False, "knn_every": 0,
    "correspondence_every": 0, "workers": 1,
}  # fmt: skip
VIEWS = v2.Compose([v2.RandomResizedCrop(16), v2.RandomHorizontalFlip()])
RECIPE = Augmentation(((Crop((0.2, 1.0)), Flip()),))
MINE = """
from torchvision.transforms import v2
from twofold.pixels.views import Augmentation, Crop
recipe = Augmentation(((Crop((0.3, 1.0)),),))
views = v2.RandomResizedCrop(16)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "photos.npz"
    np.savez(path, images=PIXELS)
    return str(path)


def learned(run: Any) -> bytes:
    return (Path(run) / "backbone.safetensors").read_bytes()


def test_changes_by_name_are_said_and_kept_and_part_of_the_settings(tmp_path, data, capsys):
    out = tmp_path / "run"
    command = ["pretrain", "simclr", data, "--out", str(out), "--steps", "1", "--backbone", "convnet",
               "--image-size", "16", "--batch-size", "8", "--knn-every", "0",
               "--correspondence-every", "0"]  # fmt: skip
    assert main([*command, "--views.jitter", "0", "--views.crop.area=0.5,1"]) == 0
    assert "by simclr-cifar, changed: jitter.p 0 (was 0.8); crop.area 0.5,1 (was 0.08,1)" in capsys.readouterr().out
    config = twofold.open_run(out).config
    assert config["views"] == "simclr-cifar" and config["view_options"] == {"jitter.p": 0.0, "crop.area": [0.5, 1.0]}
    page = (out / "report.html").read_text()
    assert "Views by simclr-cifar, changed: jitter.p 0.0; crop.area 0.5,1.0" in page and "view_options.jitter.p" in page
    command += ["--no-report", "--no-floors"]
    assert main([*command, "--views.jitter.p", "0", "--views.crop.area", "[0.5, 1]"]) == 0
    assert "This run is finished" in capsys.readouterr().out
    assert main([*command, "--views.jitter", "0.1", "--views.crop.area=0.5,1"]) == 2
    assert "view_options.jitter.p was 0.0 and is now 0.1" in capsys.readouterr().err
    config = str(out / "config.yaml")
    assert main(["pretrain", "--config", config, "--out", str(tmp_path / "again"), "--no-report"]) == 0
    assert learned(tmp_path / "again") == learned(out)
    assert main([*command[:4], str(tmp_path / "plain"), *command[5:]]) == 0
    assert learned(tmp_path / "plain") != learned(out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--views.blur", "0"], "--views.blur changes nothing, simclr-cifar has no blur"),
        (["--views.jitter", "2"], "--views.jitter must be at least 0 and at most 1, not 2"),
        (["--views.jitter"], "--views.jitter needs a value"),
        (["--views", "nowhere.views"], 'The views "nowhere.views" cannot be imported'),
    ],
)
def test_changes_that_cannot_be_meant_are_refused(tmp_path, data, capsys, words, says):
    asked = [data, "--image-size", "16", "--batch-size", "8", *words]
    for command in (["pretrain", "simclr", "--out", str(tmp_path / "run")], ["check", "--method", "simclr"]):
        assert main([*command, *asked]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_changes_belong_to_verbs_and_kinds_that_have_views(tmp_path, capsys):
    assert main(["embed", "run", "photos", "--views.jitter", "0"]) == 2
    assert "--views.jitter belongs to pretrain and check, not to embed" in capsys.readouterr().err
    assert main(["pretrain", "sgl", "plays.csv", "--views.jitter", "0"]) == 2
    assert "--views.NAME belongs to images and videos, and sgl learns from interactions" in capsys.readouterr().err


def test_views_by_import_path(tmp_path, data, monkeypatch):
    (tmp_path / "views_of_a_run.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    words = ["--backbone", "convnet", "--batch-size", "8", "--steps", "2", "--no-report", "--quiet", "--knn-every", "0"]
    for name, views in (("a", "views_of_a_run.recipe"), ("b", "views_of_a_run:views")):
        out = tmp_path / name
        assert main(["pretrain", "simclr", data, "--out", str(out), "--views", views, *words]) == 0
        assert twofold.open_run(out).config["views"] == views
    assert twofold.open_run(tmp_path / "b").config["image_size"] == 16  # that of the views
    assert "RandomResizedCrop(size=(16, 16)" in (tmp_path / "b" / "environment.json").read_text()


def test_a_recipe_as_data_is_the_batched_path(tmp_path):
    settings = {**SMALL, "steps": 2, "image_size": 16, "quiet": True}
    run = twofold.pretrain("simclr", PIXELS, views=RECIPE, view_options={"flip": 0}, out=tmp_path / "run", **settings)
    assert run.config["views"] == "python:Augmentation" and run.config["view_options"] == {"flip.p": 0.0}
    same = Augmentation(((Crop((0.2, 1.0)), Flip()),))
    twofold.pretrain("simclr", PIXELS, views=same, view_options={"flip": 0}, out=tmp_path / "run", **settings)
    with pytest.raises(UserError, match="The data, or what makes its views, has changed since the run"):
        other = Augmentation(((Crop((0.3, 1.0)), Flip()),))
        twofold.pretrain("simclr", PIXELS, views=other, view_options={"flip": 0}, out=tmp_path / "run", **settings)
    assert not given._held


def test_a_callable_goes_on_to_the_same_weights(tmp_path):
    settings = {**SMALL, "steps": 4, "save_every": 0, "quiet": True}
    whole = twofold.pretrain("simclr", PIXELS, transform=VIEWS, out=tmp_path / "whole", **settings)
    assert whole.config["views"] == "python:Compose" and whole.config["image_size"] == 16
    calls = 0

    class Stops(v2.Compose):
        def __call__(self, picture: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 85:  # trials, pictures for the page, two steps and a half
                raise KeyboardInterrupt
            return super().__call__(picture)

    halting = Stops(VIEWS.transforms)
    with pytest.raises(KeyboardInterrupt):
        twofold.pretrain("simclr", PIXELS, views=halting, out=tmp_path / "halves", **settings)
    halves = twofold.pretrain("simclr", PIXELS, views=halting, out=tmp_path / "halves", **settings)
    assert "Going on from step" in (halves / "log.txt").read_text() and learned(halves) == learned(whole)


def test_what_a_callable_costs_and_whether_it_goes_on_exactly_is_said(tmp_path, capsys):
    drawn = np.random.default_rng()

    def noise(picture: Any) -> np.ndarray:
        return drawn.random((16, 16, 3))

    twofold.pretrain("simclr", PIXELS, transform=noise, out=tmp_path / "run", steps=1, **SMALL)
    said = capsys.readouterr().out
    assert "2 of 16 px by python:noise" in said and said.count("slow beside a recipe as data") == 1
    assert "draws by one of its own, and a run that is stopped does not go on exactly" in said
    twofold.pretrain("simclr", PIXELS, transform=VIEWS, out=tmp_path / "steady", steps=1, **SMALL)
    assert "go on exactly" not in capsys.readouterr().out


def test_views_of_several_sizes_are_a_list_of_callables(tmp_path):
    few = {"prototypes": 16, "hidden": 16, "dim": 8, "local_views": 2}
    settings = {**SMALL, "steps": 1, "quiet": True, "recipe": "imagenet", "method_options": few}
    with pytest.raises(UserError, match=r"takes 2 large views and 2 small ones, .* give a list of 4 callables"):
        twofold.pretrain("dino", PIXELS, transform=VIEWS, out=tmp_path / "run", **settings)
    views = [VIEWS, VIEWS, v2.RandomResizedCrop(8), v2.RandomResizedCrop(8)]
    run = twofold.pretrain("dino", PIXELS, transform=views, out=tmp_path / "run", **settings)
    with np.load(run / "views.npz") as samples:
        assert samples["views"].shape == (8, 4, 16, 16, 3)


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("simclr", {"views": VIEWS, "transform": VIEWS}, "Give transform or views, not both"),
        ("simclr", {"views": {"jitter": 0}}, "give single changes as view_options"),
        ("simclr", {"transform": VIEWS, "view_options": {"flip": 0}}, "--views.flip changes a recipe"),
        ("simclr", {"transform": VIEWS, "colour": "linear"}, "--colour is about the jitter of recipes"),
        ("simclr", {"transform": VIEWS, "image_size": 32}, "views of 16 px where the run has 32"),
        ("simclr", {"transform": lambda picture: None}, 'python:<lambda> gives NoneType for "0"'),
        ("scrl", {"transform": v2.RandomResizedCrop(64)}, "scrl needs to know where its views were cut"),
        ("dsc", {"transform": v2.RandomResizedCrop(32), "method_options": {"radius": 1}}, "dsc's radius needs to know"),
    ],
    ids=["both", "mapping", "changes", "colour", "size", "nothing", "scrl", "dsc"],
)
def test_views_that_cannot_be_meant_are_refused(tmp_path, method, options, says):
    with pytest.raises(UserError, match=says):
        twofold.pretrain(method, PIXELS, out=tmp_path / "run", steps=1, **SMALL, **options)
    assert not (tmp_path / "run").exists() and not given._held


def test_methods_on_maps_that_need_no_places_take_callables(tmp_path):
    settings = {**SMALL, "steps": 1, "quiet": True, "method_options": {"dim": 8, "queue": 16}}
    run = twofold.pretrain("densecl", PIXELS, transform=v2.RandomResizedCrop(32), out=tmp_path / "run", **settings)
    assert torch.isfinite(torch.tensor(run.metrics["loss"].to_pylist())).all()


def test_check_takes_them_too():
    assert twofold.check(PIXELS, method="simclr", batch_size=8, transform=VIEWS)["settings"]["image_size"] == 16
