"""Tiny protocols: 64 px, resnet10, a handful of steps."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.images.finetuning.truths import scenes
from twofold.images.finetuning.detectors import Input
from twofold.images.finetuning.presets import DETECTION, DETECTORS, SEGMENTATION, changed
from twofold.images.finetuning.protocol import Situation

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GIVEN = Input(MEAN, STD)


def tiny_detection(name="quick", **changes):
    settings = {
        "short_sides": (64,),
        "long_side": 96,
        "anchors": (8, 16, 32, 64, 128),
        "channels": 16,
        "hidden": 32,
        "roi_batch": 16,
        "rpn_batch": 32,
        "before": (60, 60),
        "after": (30, 30),
        "calibration": 4,
        "iterations": 4,
        "batch": 2,
    }
    return replace(DETECTION[name], **{**settings, **changes})


def tiny_segmentation(name="quick", **changes):
    settings = {"crop": 64, "scale": (256, 64), "iterations": 4, "batch": 2}
    return replace(SEGMENTATION[name], **{**settings, **changes})


def situation(protocol, preset=None, *, train=None, test=None, count=5, device="cpu", given=GIVEN):
    """A protocol on scenes of squares and bars."""
    detects = protocol in DETECTORS
    usual = (DETECTION if detects else SEGMENTATION)["quick"]
    preset = preset or (tiny_detection() if detects else tiny_segmentation())
    which = 0 if detects else 1
    train = train or scenes(count, name="train")[which]
    test = test or scenes(3, seed=1, name="test")[which]
    return Situation(protocol, preset, usual, train, test, given, torch.device(device), 0)


__all__ = ["GIVEN", "MEAN", "STD", "changed", "situation", "tiny_detection", "tiny_segmentation"]
