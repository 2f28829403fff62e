"""Where else the numbers of a run go: TensorBoard, Weights & Biases, MLflow, or a tracker of another package."""

from twofold.trackers.tracker import TrackedRun, Tracker

__all__ = ["TrackedRun", "Tracker"]
