"""Weights & Biases: a run of the project that WANDB_PROJECT names, or of `twofold`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.trackers.tracker import TrackedRun


class WeightsAndBiases:
    """Follows wandb's own environment: WANDB_MODE=offline writes into the run folder, for `wandb sync`."""

    run: Any

    def start(self, run: TrackedRun) -> str:
        """Open a run, or go on with it: numbers are drawn over the training's own steps, which may come late."""
        import wandb

        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "twofold"),
            name=os.environ.get("WANDB_NAME", run.folder.name),
            id=run.id,
            resume="allow",
            dir=os.environ.get("WANDB_DIR", str(run.folder)),
            config=dict(run.config),
            reinit="create_new",
            settings=wandb.Settings(console="off"),
        )
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")
        return str(self.run.id)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers."""
        self.run.log({"step": step, **numbers})

    def attach(self, file: Path) -> None:
        """Save the file among those of the run."""
        self.run.save(str(file), base_path=str(file.parent), policy="now")

    def finish(self, ended: str) -> None:
        """Finish the run; it is marked as failed where an error ended it."""
        self.run.finish(exit_code=int(ended == "failed"))
