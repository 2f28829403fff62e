"""Damaged and foreign files of a run folder: the file is named, what still works works, nothing ends in a trace."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import twofold
from twofold import wings
from twofold.cli import main
from twofold.comparison.folder import ComparisonFolder
from twofold.errors import UserError
from twofold.interactions.jobs.monitor import BestEpoch
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.config import read_settings
from twofold.runs.metrics import MetricsFile
from twofold.runs.results import add_results, read_results

OLD = Path(__file__).parent.parent / "old_runs"
DEEP = "{a: " * 5000 + "1" + "}" * 5000
LAUGHS = "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n"


@pytest.fixture
def run(tmp_path):
    return shutil.copytree(OLD / "interactions-finished", tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (DEEP, "nested too deeply"),
        (LAUGHS, "references"),
        ("- 1\n- 2\n", "no settings"),
        ("1: 2\n", "no settings"),
        ("a: 2020-99-99\n", "cannot be read"),
        ("a: !!python/object/apply:os.system [ls]\n", "cannot be read"),
        ("{[a]: b}\n", "cannot be read"),
        ("a: b: c\n", "cannot be read"),
        ("a: " + "x" * 300_000, "at most"),
        ("\xff", "no settings"),
    ],
)
def test_settings(run, text, says):
    (run / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        read_settings(run / "config.yaml")
    assert "\n" not in str(caught.value)
    for verb in (wings.of_run, twofold.report, twofold.recommend):
        with pytest.raises(UserError, match=r"config\.yaml"):
            verb(str(run))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("name", ["config.yaml", "evaluation.json", "environment.json"])
def test_pipes_hold_nobody(run, name):
    (run / name).unlink()
    os.mkfifo(run / name)
    if name == "config.yaml":
        with pytest.raises(UserError):
            twofold.report(str(run))
    else:
        assert read_results(run) == [] or name != "evaluation.json"
        assert twofold.report(str(run)).is_file()


@pytest.mark.parametrize("line", ["seed: [1]", "seed: x", "data: 3", "data:", "seed: 1.5"])
def test_settings_that_evaluate_needs(run, line):
    name = line.split(":")[0]
    kept = [old for old in (run / "config.yaml").read_text().splitlines() if not old.startswith(f"{name}:")]
    (run / "config.yaml").write_text("\n".join([*kept, line]))
    with pytest.raises(UserError, match=rf"config.yaml is damaged \(its {name}"):
        twofold.evaluate(str(run), "pairs.csv")
    assert twofold.recommend(str(run), k=2, quiet=True).is_file()


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "[[]]", "null", "[" * 100_000, "\0", '[{"protocol": 1}]'])
def test_results(run, text, capsys):
    good = {"protocol": "knn", "metric": "top1", "name": "x", "value": 0.5, "floor": False}
    (run / "evaluation.json").write_text(text)
    assert read_results(run) == []
    assert twofold.report(str(run)).is_file()
    add_results(run, [good])
    assert read_results(run) == [good]
    assert (run / "evaluation.json.damaged").read_text() == text
    assert "is damaged" in capsys.readouterr().err
    add_results(run, [good])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["[1]", "3", "{" * 10_000, '{"a": ' * 900 + "1" + "}" * 900, '{"versions": 3, "started": []}']
)
def test_the_page_without_an_environment(run, text):
    (run / "environment.json").write_text(text)
    assert "Finished at step 40" in twofold.report(str(run)).read_text()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step", "3"),
        ("step", -1),
        ("step", True),
        ("step", 2**70),
        ("steps", None),
        ("method", [1]),
        ("optimizer", {1: 2}),
        ("row", {"loss": "x"}),
        ("seconds", "x"),
        ("seconds", float("nan")),
        ("versions", {"torch": 2}),
        ("config", 5),
        ("enough", "no"),
        ("count", [1]),
        ("meter", "x"),
    ],
)
def test_checkpoints(tmp_path, field, value):
    file = tmp_path / "last.ckpt"
    Checkpoint({}, {}, step=1, steps=2, count=3).write(file)
    content = torch.load(file, weights_only=True)
    assert Checkpoint.read(file).step == 1
    torch.save({**content, field: value}, file)
    with pytest.raises(UserError, match=rf"last.ckpt is damaged \(its {field}"):
        Checkpoint.read(file)
    del content[field]
    torch.save(content, file)
    if field in ("step", "steps", "method", "optimizer", "count"):
        with pytest.raises(UserError, match="is damaged"):
            Checkpoint.read(file)


def test_a_checkpoint_that_is_packed_or_a_list(tmp_path):
    torch.save([1, 2], tmp_path / "list.ckpt")
    torch.save({"x": torch.zeros(10)}, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt") as plain, zipfile.ZipFile(tmp_path / "b.ckpt", "w") as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name), zipfile.ZIP_DEFLATED)
    for name in ("list.ckpt", "b.ckpt"):
        with pytest.raises(UserError, match=name):
            Checkpoint.read(tmp_path / name)


@pytest.mark.parametrize("where", ["method", "optimizer", "meter", "group", "state"])
def test_a_checkpoint_of_other_parts_does_not_go_on(tmp_path, monkeypatch, where, capsys):
    shutil.copytree(OLD, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")
    for name, seconds in json.loads((OLD / "mtimes.json").read_text()).items():
        os.utime(name, (seconds, seconds))
    file = Path("interactions-stopped/checkpoints/last.ckpt")
    content = torch.load(file, weights_only=True)
    if where == "group":
        content["optimiser"]["param_groups"][0]["lr"] = "x"
    elif where == "state":
        content["optimiser"]["state"] = {0: {"exp_avg": torch.zeros(3, 3), "step": "x"}}
    else:
        content["optimiser" if where == "optimizer" else where] = {
            "state": 3,
            "param_groups": [1],
            "sums": {"a": 1},
            "counts": 3,
            "x": [1],
        }
    torch.save(content, file)
    command = (
        "pretrain sgl pairs.csv --batch-size 16 --patience 0 --log-every 7 --save-every 0 --no-report --method.dim 8"
    )
    assert main([*command.split(), "--epochs", "20", "--out", "interactions-stopped"]) == 2
    assert "last.ckpt does not fit the method as it is now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("pairs", {"user": [0, 10**6], "item": [0, 0]}),
        ("pairs", {"user": [-1], "item": [0]}),
        ("pairs", {"user": ["a"], "item": ["b"]}),
        ("pairs", {"user": [0.5], "item": [0.5]}),
        ("pairs", {"user": [None, 1], "item": [0, 0]}),
        ("held_out", {"x": [1]}),
        ("user_ids", {"user": []}),
        ("user_ids", {"user": ["a"]}),
        ("item_ids", {"item": [[1], [2]]}),
        ("item_ids", {"items": ["a"]}),
    ],
)
def test_tables(run, name, table):
    pq.write_table(pa.table(table), run / f"{name}.parquet")
    for verb in (lambda: twofold.recommend(str(run), k=2), lambda: twofold.similar(str(run), "i1", k=2)):
        with pytest.raises(UserError, match="is damaged") as caught:
            verb()
        assert ".parquet" in str(caught.value) or "safetensors" in str(caught.value)
    assert twofold.report(str(run)).is_file()


def test_a_table_that_is_none_and_embeddings_of_others(run):
    whole = (run / "pairs.parquet").read_bytes()
    (run / "pairs.parquet").write_bytes(b"PAR1" * 30)
    with pytest.raises(UserError, match=r"pairs.parquet is damaged"):
        twofold.recommend(str(run))
    (run / "pairs.parquet").write_bytes(whole)
    shutil.copy(run / "best.safetensors", run / "model.safetensors")
    with pytest.raises(UserError, match=r"model.safetensors is damaged"):
        twofold.recommend(str(run))


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"epoch": "x", "value": 1}]', '[{"epoch": 1}]', "[" * 99_999, "nan"])
def test_best_epochs(run, text):
    (run / "best.json").write_text(text)
    with pytest.raises(UserError, match=r"best.json is damaged"):
        BestEpoch(run, None, None, None, every_epochs=1, patience=1).best()


@pytest.mark.parametrize(
    "text", ["step,loss\n1,2\n²,3\n", "loss\n1\n", 'step,loss\n1,2\n"' + "x" * 200_000 + '",1\n', "step\n\n1,2,3\n"]
)
def test_metrics(run, text):
    (run / "metrics.csv").write_text(text)
    MetricsFile(run / "metrics.csv").restore(5)
    assert twofold.report(str(run)).is_file()


@pytest.mark.parametrize("text", ["methods: 3\n", "seeds: [x]\n", "settings: [1]\n", "steps: {moco: x}\n", "[1]\n"])
def test_the_settings_of_a_comparison(tmp_path, text):
    (tmp_path / "compare.yaml").write_text(text)
    with pytest.raises(UserError, match=r"compare\.yaml"):
        ComparisonFolder.open(tmp_path, {}, ["moco"], [0])


def test_options_of_a_damaged_run_are_named(run):
    kept = [old for old in (run / "config.yaml").read_text().splitlines() if not old.startswith(("core:", "data:"))]
    (run / "config.yaml").write_text("\n".join([*kept, "core: x", f"data: {OLD / 'pairs.csv'}"]))
    with pytest.raises(UserError, match=r"config.yaml is damaged \(--core takes"):
        twofold.evaluate(str(run), str(OLD / "pairs.csv"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_of_interactions(tmp_path):
    os.mkfifo(tmp_path / "pairs.csv")
    with pytest.raises(UserError, match="is a pipe"):
        twofold.check(str(tmp_path / "pairs.csv"), kind="interactions")


def test_arrays_of_interactions(tmp_path, monkeypatch):
    def write(count: int) -> None:
        with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as members:
            for name in ("user", "item"):
                head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({count},), }}".ljust(117) + "\n"
                members.writestr(f"{name}.npy", b"\x93NUMPY\x01\0\x76\0" + head.encode() + bytes(800_000))

    write(10**14)
    with pytest.raises(UserError, match=r"not a whole .npz file"):
        twofold.check(str(tmp_path / "a.npz"), kind="interactions")
    write(100_000)
    monkeypatch.setattr("twofold.bounded.LARGE", 10**5)
    with pytest.raises(UserError, match="which no data do"):
        twofold.check(str(tmp_path / "a.npz"), kind="interactions")
