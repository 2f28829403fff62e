"""A path of labelled pictures -> pictures with masks or boxes, whatever form the labels have."""

from twofold.images.labels.leaks import Leak, groups_of, hold_out, near_copies
from twofold.images.labels.opening import form_of, open_labelled, open_pair
from twofold.images.labels.records import BACKGROUND, IGNORE, Instances, Labelled, Tally

__all__ = [
    "BACKGROUND", "IGNORE", "Instances", "Labelled", "Leak", "Tally", "form_of", "groups_of", "hold_out", "near_copies",
    "open_labelled", "open_pair",
]  # fmt: skip
