"""Random numbers as a function of (seed, epoch or step, index), never of a process's history."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF


def derive(seed: int, *keys: int | str) -> int:
    """A 63-bit seed from a seed and any keys; different keys give unrelated seeds."""
    text = "\x1f".join([str(seed), *map(str, keys)]).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int, *keys: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh torch generator for (seed, keys)."""
    return torch.Generator(device=device).manual_seed(derive(seed, *keys))


def uniforms(index: Tensor, count: int, seed: int, *keys: int | str) -> Tensor:
    """`count` uniform draws for every index, each a pure function of (seed, keys, index, position).

    index: int64 (B,). Returns float32 (B, count) in [0, 1), on the device of `index` and the same on every device:
    32-bit integer mixing (Wellons' lowbias32) in int64 arithmetic, two rounds over key, index and position.
    """
    key = derive(seed, *keys)
    position = torch.arange(count, device=index.device, dtype=torch.int64)
    state = _mix((index & _MASK) ^ (key & _MASK))
    state = _mix(state ^ ((index >> 32) & _MASK) ^ ((key >> 32) & _MASK))
    state = _mix(state[:, None] ^ _mix(position * 2 + 1)[None, :])
    return (state >> 8).to(torch.float32) * (1.0 / (1 << 24))


def _mix(x: Tensor) -> Tensor:
    x = (x ^ (x >> 16)) & _MASK
    x = (x * 0x7FEB352D) & _MASK
    x = (x ^ (x >> 15)) & _MASK
    x = (x * 0x846CA68B) & _MASK
    return x ^ (x >> 16)
