"""Losses as pure functions: tensors in, per-row losses out; no state, no modules, no device code.

What is named here takes two batches and gives one number; the modules hold the forms that the methods use, a loss for
each row.
"""

from twofold.objectives.plain import barlow_twins, byol, info_nce, negative_cosine, nt_xent, vicreg

__all__ = ["barlow_twins", "byol", "info_nce", "negative_cosine", "nt_xent", "vicreg"]
