"""A run is a folder: its settings, environment, metrics, checkpoints and results."""
