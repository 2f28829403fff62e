"""Backbones to start from, small and with seeded weights."""

from __future__ import annotations

import functools

import torch

from twofold.images.backbones import build_backbone
from twofold.images.finetuning.bodies import start_of


@functools.cache
def backbone(name="resnet10", size=96, stem="auto"):
    torch.manual_seed(0)
    return build_backbone(name, image_size=size, stem=stem).eval()


def start(name="resnet10", size=96, stem="auto"):
    return start_of(backbone(name, size, stem), name)
