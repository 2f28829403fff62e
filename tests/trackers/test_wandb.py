"""Weights & Biases without a network: what its own files hold of a run, its resumption and a later measurement."""

from __future__ import annotations

import json
import struct
import time

import pytest

from twofold.page import keep_results
from twofold.runs.folder import RunFolder
from twofold.runs.tracking import TRACKERS_FILE

wandb = pytest.importorskip("wandb", reason="the extra wandb")
BLOCK = 2**15
ENTRY = {"protocol": "lines", "metric": "length", "name": "moco", "value": 0.5}


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    for name in ("CACHE_DIR", "CONFIG_DIR", "DATA_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / name))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")


def stored(file):
    """The records of an offline run: a log of LevelDB's layout, chunks in blocks, after a heading of 7 bytes."""
    whole, at, record = file.read_bytes(), 7, b""
    while at + 7 <= len(whole):
        length, part = struct.unpack("<HB", whole[at + 4 : at + 7])
        record += whole[at + 7 : at + 7 + length]
        if part in (1, 4):  # all of a record, or its last chunk
            yield record
            record = b""
        at += 7 + length
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK


def records(folder):
    """Of each offline run, in the order of its start, what was logged: run id, history rows, names of files."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for file in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"), key=lambda file: file.stat().st_mtime_ns):
        run = {"rows": [], "files": []}
        for data in stored(file):
            record = Record()
            record.ParseFromString(data)
            if record.HasField("run"):
                run |= {"id": record.run.run_id, "settings": {item.key for item in record.run.config.update}}
            if record.HasField("history"):
                row = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                run["rows"].append({name: json.loads(value) for name, value in row.items() if name[0] != "_"})
            run["files"] += [file.path for file in record.files.files]
            if record.HasField("exit"):
                run["exit"] = record.exit.exit_code
        found.append(run)
    return found


def ended(folder):
    """The same, once all of them are on the disk: wandb writes in a process of its own."""
    deadline = time.monotonic() + 60
    while not all("exit" in run for run in records(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return records(folder)


def opened(folder):
    return RunFolder.open(folder, {"method": "moco", "report": False, "log": "wandb"}, trackers="wandb")


def test_a_run_goes_on_under_its_id_and_later_results_come_to_it(tmp_path):
    folder = tmp_path / "run"
    run = opened(folder)
    run.restore(0)
    for step in (1, 2):
        run.log({"step": step, "loss": 0.5})
    run.finish("stopped")
    run.close()
    run = opened(folder)
    run.restore(1)
    for step in (2, 3):
        run.log({"step": step, "loss": 0.5})
    run.add_evaluation([ENTRY])
    run.trackers.attach("evaluation.json")
    run.finish("finished")
    run.close()
    keep_results(folder, [ENTRY | {"name": "chance", "value": 0.25, "floor": True}], None)

    first, second, third = ended(folder)
    kept = json.loads((folder / TRACKERS_FILE).read_text())["wandb"]["id"]
    assert {first["id"], second["id"], third["id"]} == {kept}
    assert first["rows"] == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.5}]
    assert second["rows"] == [{"step": 3, "loss": 0.5}, {"step": 3, "evaluation/lines/length/moco": 0.5}]
    assert third["rows"] == [{"step": 3, "floors/lines/length/chance": 0.25}]
    assert {"method", "report", "log"} <= first["settings"]
    assert "config.yaml" in first["files"] and "evaluation.json" in second["files"]
    assert [run["exit"] for run in (first, second, third)] == [0, 0, 0]


def test_an_error_marks_the_run_as_failed(tmp_path):
    run = opened(tmp_path / "run")
    run.restore(0)
    run.leave_trackers()
    run.close()
    assert [found["exit"] for found in ended(tmp_path / "run")] == [1]
