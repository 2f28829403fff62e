"""MLflow with a store of files and one of SQLite: what it holds of a run, its resumption and a later measurement."""

from __future__ import annotations

import json

import pytest

from twofold.page import keep_results
from twofold.runs.folder import RunFolder
from twofold.runs.tracking import TRACKERS_FILE

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow")
ENTRY = {"protocol": "lines", "metric": "recall@20", "name": "moco+co2", "value": 0.5}


@pytest.fixture(params=["file", "sqlite"])
def client(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        pytest.importorskip("sqlalchemy")
    uri = {"file": f"file:{tmp_path}/runs", "sqlite": f"sqlite:///{tmp_path}/runs.db"}[request.param]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tried out")
    monkeypatch.chdir(tmp_path)
    return mlflow.MlflowClient(uri)


def opened(folder, **more):
    config = {"method": "moco+co2", "report": False, "log": "mlflow", "method_options": {"moco.queue": 64}}
    return RunFolder.open(folder, config | more, trackers="mlflow", harmless=("devices",))


def history(client, number, name):
    return [(found.step, found.value) for found in client.get_metric_history(number, name)]


def test_a_run_goes_on_under_its_id_and_later_results_come_to_it(client, tmp_path):
    folder = tmp_path / "run"
    run = opened(folder)
    run.restore(0)
    for step in (1, 2):
        run.log({"step": step, "loss": 1.0 / step, "recall@20": 0.5})
    run.finish("stopped")
    run.close()
    number = json.loads((folder / TRACKERS_FILE).read_text())["mlflow"]["id"]
    assert client.get_run(number).info.status == "KILLED"
    run = opened(folder, devices=2)
    run.restore(1)
    for step in (2, 4):
        run.log({"step": step, "loss": 1.0 / step})
    run.add_evaluation([ENTRY])
    run.trackers.attach("evaluation.json")
    run.finish("finished")
    run.close()
    keep_results(folder, [ENTRY | {"name": "chance", "value": 0.25, "floor": True}], None)

    (found,) = client.search_runs([client.get_experiment_by_name("tried out").experiment_id])
    assert (found.info.run_id, found.info.status, found.info.run_name) == (number, "FINISHED", "run")
    settings = {"method": "moco+co2", "report": "False", "log": "mlflow", "method_options.moco.queue": "64"}
    assert found.data.params == settings
    assert history(client, number, "loss") == [(1, 1.0), (2, 0.5), (4, 0.25)]
    assert history(client, number, "recall_20") == [(1, 0.5), (2, 0.5)]
    assert history(client, number, "evaluation/lines/recall_20/moco_co2") == [(4, 0.5)]
    assert history(client, number, "floors/lines/recall_20/chance") == [(4, 0.25)]
    assert {file.path for file in client.list_artifacts(number)} == {"config.yaml", "evaluation.json"}


def test_an_error_marks_the_run_as_failed(client, tmp_path):
    run = opened(tmp_path / "run")
    run.restore(0)
    run.log({"step": 1, "loss": float("inf")})
    run.leave_trackers()
    run.close()
    number = json.loads((tmp_path / "run" / TRACKERS_FILE).read_text())["mlflow"]["id"]
    assert client.get_run(number).info.status == "FAILED"
