"""The interactions wing: who used what."""

from twofold.interactions.options import Compare, Evaluate, Export, Pretrain, Recommend, Similar

__all__ = ["Compare", "Evaluate", "Export", "Pretrain", "Recommend", "Similar"]
