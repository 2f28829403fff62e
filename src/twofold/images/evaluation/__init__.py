"""What an image backbone is worth: features, splits, linear probes, fine-tuning, floors."""

from twofold.images.evaluation.features import InputSettings, extract, readable, stream_features
from twofold.images.evaluation.splits import Split, few_labels, hold_out, labelled

__all__ = ["InputSettings", "Split", "extract", "few_labels", "hold_out", "labelled", "readable", "stream_features"]
