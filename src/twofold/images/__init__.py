"""The images wing: photographs and other still pictures."""

from twofold.images.options import Check, Compare, Embed, Evaluate, Export, Prepare, Pretrain

__all__ = ["Check", "Compare", "Embed", "Evaluate", "Export", "Prepare", "Pretrain"]
