"""A run as an object: a path, its numbers, its model, its verbs."""

import copy
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import twofold
from twofold.errors import UserError
from twofold.run import Run

SETTINGS = {"backbone": "convnet", "image_size": 16, "batch_size": 8, "steps": 4, "quiet": True}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for i in range(24):
        name = ("red", "a<b")[i % 2]
        (folder / name).mkdir(exist_ok=True)
        pixels = drawn.integers(0, 200, (20, 20, 3), np.uint8)
        pixels[..., i % 2] += 50
        Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    return twofold.pretrain("simclr", photos, out=tmp_path_factory.mktemp("runs") / "run", **SETTINGS)


def test_it_is_a_path(run, tmp_path):
    assert isinstance(run, Run) and Path(run) == run.path and os.fspath(run) == str(run) and run == run.path
    assert (run / "metrics.csv").is_file() and repr(run) == f"Run({str(run)!r})"
    assert twofold.open_run(run.path) == run and len({run, twofold.open_run(str(run))}) == 1 and run != tmp_path
    assert os.path.isdir(run) and run != str(run)
    assert run.is_dir() and run.name == "run" and run.parent == run.path.parent
    assert copy.copy(run) == pickle.loads(pickle.dumps(run)) == run
    with pytest.raises(AttributeError, match="evalute"):
        assert run.evalute
    with pytest.raises(UserError, match="is not a run folder: it holds no config"):
        twofold.open_run(tmp_path)


def test_its_numbers_are_tables(run):
    assert run.config["method"] == "simclr"
    metrics = run.metrics
    assert metrics["step"].to_pylist()[-1] == 4 and all(np.isfinite(metrics["loss"].drop_null()))
    rows = run.evaluations.to_pylist()
    assert {"simclr", "untrained network"} <= {row["name"] for row in rows}
    assert all(isinstance(row["value"], float) for row in rows) and any(row["floor"] for row in rows)
    assert "size 16 px" in rows[0]["conditions"]


def test_its_model_and_its_verbs(run, photos, tmp_path):
    assert run.model is run.model
    assert run.model.encode(photos, quiet=True).shape == (24, run.model.width)
    before = len(run.evaluations)
    found = run.evaluate(photos, protocols="5nn", floors=False)
    assert found[0]["protocol"] == "5nn" and len(run.evaluations) == before + 1
    assert run.embed(photos, out=tmp_path / "v.parquet", quiet=True) == tmp_path / "v.parquet"
    assert run.export(format="safetensors", out=tmp_path / "b.safetensors").is_file()
    assert run.report() == run / "report.html" and run.report(out=str(tmp_path / "p.html")).is_file()
    with pytest.raises(UserError, match="protocol"):
        run.evaluate(photos, protocols="6nn")


def test_a_notebook_shows_the_numbers_and_where_the_page_lies(run, tmp_path):
    shown = run._repr_html_()
    assert "<b>simclr</b>" in shown and "report.html" in shown and "<td>untrained network</td>" in shown
    bare = Path(shutil.copytree(run, tmp_path / "<bare>"))
    for name in ("report.html", "evaluation.json", "metrics.csv"):
        (bare / name).unlink()
    shown = twofold.open_run(bare)._repr_html_()
    assert "Nothing was measured yet." in shown and "report.html" not in shown and "&lt;bare&gt;" in shown
    (bare / "metrics.csv").write_text('step,"loss\n1,2,3\n4\n')
    with pytest.raises(UserError, match="cannot be read"):
        assert twofold.open_run(bare).metrics
    (bare / "metrics.csv").unlink()
    assert twofold.open_run(bare).metrics.num_rows == 0 and twofold.open_run(bare).evaluations.num_rows == 0
