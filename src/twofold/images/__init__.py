"""The images wing: photographs and other still pictures."""

from twofold.images.options import Compare, Embed, Evaluate, Export, Prepare, Pretrain

__all__ = ["Compare", "Embed", "Evaluate", "Export", "Prepare", "Pretrain"]
