"""A toy wing over made-up numbers: what a new kind of data must bring, and no more."""

from tests.toy.options import Pretrain

__all__ = ["Pretrain"]
