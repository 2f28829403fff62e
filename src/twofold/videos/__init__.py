"""Videos: files in, clips and motion vectors out, networks over space and time, and what they are worth."""

from twofold.videos.options import Compare, Embed, Evaluate, Export, Prepare, Pretrain

__all__ = ["Compare", "Embed", "Evaluate", "Export", "Prepare", "Pretrain"]
