"""What an image backbone is worth: features, protocols, fine-tuning, floors."""

from twofold.images.evaluation.features import InputSettings, extract, readable, stream_features
from twofold.images.evaluation.protocols import PROTOCOLS, Score, evaluate
from twofold.images.evaluation.splits import Split, few_labels, hold_out, labelled

__all__ = [
    "PROTOCOLS",
    "InputSettings",
    "Score",
    "Split",
    "evaluate",
    "extract",
    "few_labels",
    "hold_out",
    "labelled",
    "readable",
    "stream_features",
]
