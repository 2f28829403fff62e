"""Control: agents that act and learn, what they remember, and what is learned from logged episodes."""

from twofold.control.options import Compare, Embed, Evaluate, Export, Pretrain

__all__ = ["Compare", "Embed", "Evaluate", "Export", "Pretrain"]
