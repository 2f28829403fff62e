"""Every verb in one Python process, whatever has been imported before."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import twofold
from twofold import api, wings
from twofold.cli import main
from twofold.errors import UserError
from twofold.run import Run

SMALL = {"backbone": "convnet", "image_size": 16, "batch_size": 8, "quiet": True}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for i in range(32):
        name = ("red", "blue")[i % 2]
        (folder / name).mkdir(exist_ok=True)
        pixels = drawn.integers(0, 200, (20, 20, 3), np.uint8)
        pixels[..., i % 2] += 50
        Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return str(folder)


@pytest.fixture(scope="module")
def plays(tmp_path_factory):
    file = tmp_path_factory.mktemp("plays") / "plays.csv"
    drawn = np.random.default_rng(0)
    pairs = [f"u{drawn.integers(20)},i{drawn.integers(30)}" for _ in range(300)]
    file.write_text("\n".join(["user,item", *pairs]) + "\n")
    return str(file)


@pytest.fixture(scope="module", autouse=True)
def everything_imported():
    for found in pkgutil.walk_packages(twofold.__path__, "twofold."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def test_every_verb_can_be_called_after_everything_was_imported(photos, plays, tmp_path):
    run = twofold.pretrain("moco", photos, out=str(tmp_path / "run"), steps=2, report=False, **SMALL)
    assert isinstance(run, Run) and (run / "backbone.safetensors").is_file()
    same = twofold.images.Pretrain(out=str(tmp_path / "same"), steps=2, report=False, **SMALL)
    assert twofold.pretrain("moco", photos, same) == tmp_path / "same"
    assert twofold.evaluate(str(run), photos, protocols="5nn", floors=False)[0]["protocol"] == "5nn"
    assert twofold.embed(str(run), photos, quiet=True).is_file()
    assert twofold.export(str(run), format="safetensors").is_file()
    assert twofold.report([str(run)]).is_file() and twofold.report(str(run), out=str(tmp_path / "p.html")).is_file()
    assert twofold.check(photos, method="moco", batch_size=8)["usable"] == 32
    assert twofold.prepare(photos, str(tmp_path / "small"), short_side=8).is_dir()
    compared = twofold.compare(
        "simclr", photos, out=str(tmp_path / "compared"), seeds=1, steps=2, protocols="none", report=False, **SMALL
    )
    assert compared["rows"][0]["name"] == "simclr"

    ranked = twofold.pretrain("lightgcn", plays, out=str(tmp_path / "ranked"), epochs=2, report=False, quiet=True)
    assert twofold.recommend(str(ranked), k=2, quiet=True).is_file()
    assert twofold.similar(str(ranked), "i1", k=2).is_file()
    assert twofold.evaluate(str(ranked), plays, quiet=True)[0]["protocol"] == "ranking"
    assert twofold.check(plays)["users"] == 20


def test_methods_are_listed_as_records_and_described():
    listed = {method.name: method for method in twofold.list_methods()}
    assert listed["moco"].kinds == ("images", "videos") and "2003.04297" in listed["moco"].paper
    assert listed["tkc"].reconstruction and listed["sgl"].kinds == ("interactions",)
    described = twofold.describe("moco+co2")
    assert list(described.parts) == ["MoCo", "CO2"] and {"moco", "co2"} == set(described.settings)
    assert "queue" in str(described) and "Recipe cifar for images" in str(described)
    with pytest.raises(UserError, match='Did you mean "moco"'):
        twofold.describe("mocco")


def test_the_public_names_are_the_verbs_of_the_api_and_every_wing_names_verbs_of_it():
    own = {name for name, f in vars(api).items() if inspect.isfunction(f) and f.__module__ == api.__name__}
    verbs = {name for name in own if not name.startswith("_")}
    assert set(twofold.__all__) == {"__version__", *verbs}, "a function of api.py is public by its name in __init__.py"
    assert {verb for wing in wings.WINGS for verb in wing.verbs} <= verbs
    assert all(callable(getattr(twofold, name)) for name in twofold.__all__ if not name.startswith("_"))
    with pytest.raises(AttributeError, match="no attribute 'pretrian'"):
        twofold.pretrian  # noqa: B018


def test_paths_come_as_objects_or_with_a_tilde_and_choices_are_checked(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    run = twofold.pretrain("moco", Path(photos), out="~/run", steps=1, report=False, **SMALL)
    assert run == tmp_path / "run" and not Path("~").exists()
    assert twofold.evaluate(run, Path(photos), protocols="5nn", floors=False, out="~/rows.json")
    assert (tmp_path / "rows.json").is_file()
    assert twofold.embed(run, Path(photos), out=tmp_path / "v.parquet", quiet=True) == tmp_path / "v.parquet"
    assert twofold.export(run, format="safetensors").is_file()
    assert twofold.report([run], out="~/page.html") == tmp_path / "page.html"
    assert main(["pretrain", "--config=~/run/config.yaml", "--out=~/again", "--quiet", "--no-report"]) == 0
    assert (tmp_path / "again" / "backbone.safetensors").is_file()
    with pytest.raises(UserError, match="precision"):
        twofold.pretrain("moco", photos, out=tmp_path / "other", precision="fp8", **SMALL)
    with pytest.raises(UserError) as caught:
        twofold.embed(np.zeros((7, 3, 16, 16)), photos)
    assert "(7, 3, 16, 16)" in str(caught.value) and len(str(caught.value)) < 300
