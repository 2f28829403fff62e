"""What a run folder keeps of several measurements, what is warned about, and what is never written over."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import twofold
from twofold.cli import main
from twofold.page import read_run
from twofold.page.evaluation import evaluation_rows


def pictures(path: Path, count: int, seed: int, kept: np.ndarray | None = None) -> str:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8)
    pixels = pixels if kept is None else np.concatenate([pixels, kept])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=pixels, labels=np.arange(len(pixels)) % 2)
    return str(path)


@pytest.fixture
def place(tmp_path):
    train, test = pictures(tmp_path / "train.npz", 24, 0), pictures(tmp_path / "test.npz", 12, 1)
    small = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--no-report", "--quiet"]
    assert main(["pretrain", "simsiam", train, "--out", str(tmp_path / "run"), "--steps", "2", *small]) == 0
    return tmp_path, str(tmp_path / "run"), train, test


def linear(run: str) -> list[dict]:
    kept = json.loads((Path(run) / "evaluation.json").read_text())
    return [row for row in kept if (row["protocol"], row["metric"], row["floor"]) == ("5nn", "top1", False)]


def test_a_leaked_number_is_warned_about_and_replaces_no_honest_one(place, capsys):
    folder, run, train, test = place
    asked = ["--test", test, "--protocols", "5nn", "--quiet"]
    assert main(["evaluate", run, train, *asked]) == 0
    assert "byte for byte" not in capsys.readouterr().out
    honest = linear(run)
    assert main(["evaluate", run, test, *asked]) == 0
    assert "12 of the 12 images to test on are also among those to learn from" in capsys.readouterr().out
    assert main(["evaluate", run, train, *asked, "--image-size", "24"]) == 0
    assert linear(run)[0] == honest[0] and len(linear(run)) == 3
    assert [row["conditions"].get("images in both") for row in linear(run)] == [None, 12, None]
    page = evaluation_rows(read_run(run))
    rows = [row for row in page if (row.protocol, row.metric) == ("5NN", "top-1")]
    assert [len(row.floors) for row in rows] == [3, 3, 3]
    assert f"learned from {test}," in rows[1].settings and "images in both 12" in rows[1].settings
    assert "size 24 px" in rows[2].settings and "images in both" not in rows[0].settings
    assert str(twofold.report([run])).endswith("report.html")
    # The same again, and of a copy of the data elsewhere, is the same number.
    copies = [str(folder / "copy" / Path(name).name) for name in (train, test)]
    (folder / "copy").mkdir()
    for name, copy in zip((train, test), copies, strict=True):
        Path(copy).write_bytes(Path(name).read_bytes())
    assert main(["evaluate", run, copies[0], "--test", copies[1], "--protocols", "5nn", "--quiet"]) == 0
    assert len(linear(run)) == 3 and linear(run)[0]["data"] == copies[1]
    # Other content under the same name is another one.
    pictures(Path(test), 12, 5)
    assert main(["evaluate", run, train, *asked]) == 0
    assert len(linear(run)) == 4 and linear(run)[0]["value"] == honest[0]["value"]


def test_images_of_the_online_knn_that_are_trained_on_are_counted(place, tmp_path, capsys):
    train = place[2]
    with np.load(train) as stored:
        val = pictures(tmp_path / "val.npz", 6, 7, kept=stored["images"][:4])
    small = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--steps", "1", "--no-report"]
    assert main(["pretrain", "simsiam", train, "--val", val, "--out", str(tmp_path / "other"), *small]) == 0
    assert "4 of the 10 images to test on are also among those to learn from" in capsys.readouterr().out


def test_vectors_of_other_data_are_never_written_over(place, capsys):
    folder, run, train, _ = place
    one = pictures(folder / "photos.v1" / "a.npz", 5, 2)
    pictures(folder / "photos.v2" / "a.npz", 5, 3)
    for version in ("v1", "v2"):
        assert main(["embed", run, str(folder / f"photos.{version}" / "a.npz"), "--quiet"]) == 0
    said = capsys.readouterr().out
    found = sorted(file.name for file in Path(run).glob("*.parquet"))
    assert len(found) == 2 and "a-embeddings.parquet" in found
    assert "is not known to be of the same data and stays: these vectors go to" in said and found[0] in said
    before = (Path(run) / found[0]).read_bytes()
    assert main(["embed", run, one, "--quiet"]) == 0  # the same data: the same file
    assert sorted(file.name for file in Path(run).glob("*.parquet")) == found
    assert (Path(run) / found[0]).read_bytes() == before
    # Vectors of version 0.1.0 do not say of what they are.
    strange = pq.read_table(Path(run) / "a-embeddings.parquet").replace_schema_metadata({})
    pq.write_table(strange, Path(run) / "train-embeddings.parquet")
    assert main(["embed", run, train, "--quiet"]) == 0
    assert pq.read_table(Path(run) / "train-embeddings.parquet").num_rows == 5


def test_exports_of_two_files_beside_one_another_are_two(place):
    folder, run, *_ = place
    for name in ("a", "b"):
        (folder / f"{name}.safetensors").write_bytes((Path(run) / "backbone.safetensors").read_bytes())
        assert main(["export", str(folder / f"{name}.safetensors"), "--format", "safetensors"]) == 0
    assert (folder / "a-safetensors.safetensors").is_file() and (folder / "b-safetensors.safetensors").is_file()


def test_the_page_that_cannot_be_made_is_said(place, capsys):
    _, run, train, _ = place
    (Path(run) / "report.html" / "report.html").mkdir(parents=True)
    assert main(["evaluate", run, train, "--protocols", "5nn", "--quiet"]) == 0
    assert "report.html" in capsys.readouterr().err and linear(run)


@pytest.mark.parametrize("kind", ["images", "interactions"])
def test_a_comparison_goes_on_with_a_copy_of_its_data(tmp_path, capsys, kind):
    if kind == "images":
        data = pictures(tmp_path / "here" / "data.npz", 24, 0)
        what = ["simsiam", "--epochs", "1", "--protocols", "5nn", "--backbone", "convnet", "--no-supervised"]
    else:
        data, what = str(tmp_path / "here" / "data.csv"), ["popularity"]
        (tmp_path / "here").mkdir()
        Path(data).write_text("user,item\n" + "".join(f"u{u},i{(u + k) % 12}\n" for u in range(10) for k in range(5)))

    def compare(path):
        command = ["compare", what[0], path, *what[1:], "--seeds", "1", "--no-report", "--out", str(tmp_path / "c")]
        code = main(command)
        return code, capsys.readouterr(), json.loads((tmp_path / "c" / "compare.json").read_text())["rows"]

    (tmp_path / "there").mkdir()
    copy = tmp_path / "there" / Path(data).name
    copy.write_bytes(Path(data).read_bytes())
    code, _, rows = compare(data)
    assert code == 0 and rows[0]["numbers"]
    code, said, again = compare(str(copy))
    assert code == 0 and "1 of 1 runs were finished before" in said.out
    assert f"data was {data} and is now {copy}: the content is the same, so the comparison goes on." in said.out
    assert [row["numbers"] for row in again] == [row["numbers"] for row in rows]
    copy.write_bytes(copy.read_bytes() + b"x,i1\n") if kind == "interactions" else pictures(copy, 24, 9)
    code, said, _ = compare(str(copy))
    assert code == 2 and "The data has changed since the comparison" in said.err
