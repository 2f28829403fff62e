"""MLflow: a run of the experiment that MLFLOW_EXPERIMENT_NAME names, or of `twofold`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.trackers.tracker import TrackedRun

STATUS = {"stopped": "KILLED", "failed": "FAILED"}  # others are FINISHED
AT_ONCE = 100  # settings that a request may have
LONGEST = 500  # characters of a setting


class MLflow:
    """Follows MLflow's own environment, such as MLFLOW_TRACKING_URI. No run of the process becomes the active one.

    MLflow allows few signs in names: others become underscores.
    """

    client: Any
    id: str

    def start(self, run: TrackedRun) -> str:
        """Open a run with its settings, or go on with it."""
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self.client = MlflowClient()
        if run.id is not None:
            self.id = run.id
            self.client.update_run(self.id, status="RUNNING")
            return self.id
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "twofold")
        found = self.client.get_experiment_by_name(experiment)
        number = found.experiment_id if found is not None else self.client.create_experiment(experiment)
        self.id = self.client.create_run(number, run_name=run.folder.name).info.run_id
        settings = [Param(_allowed(name), str(value)[:LONGEST]) for name, value in run.config.items()]
        for first in range(0, len(settings), AT_ONCE):
            self.client.log_batch(self.id, params=settings[first : first + AT_ONCE])
        return self.id

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers in one request."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.id, metrics=[Metric(_allowed(n), value, now, step) for n, value in numbers.items()])

    def attach(self, file: Path) -> None:
        """Keep the file among the artifacts of the run."""
        self.client.log_artifact(self.id, str(file))

    def finish(self, ended: str) -> None:
        """Mark how the run ended."""
        self.client.set_terminated(self.id, STATUS.get(ended, "FINISHED"))


def _allowed(name: str) -> str:
    return re.sub(r"[^\w./: -]", "_", name)
