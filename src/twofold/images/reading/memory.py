"""Where decoded images are kept: in the memory of the machine, or on the device where they are used."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from twofold.pixels.batch import RGB, indexable

CHUNK = 1 << 24  # positions gathered at once, which bounds the index tensor to 128 MB


class HostMemory:
    """Decoded images as arrays, kept while they fit a budget in bytes; what does not fit is not kept."""

    def __init__(self, count: int, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._kept: list[np.ndarray | None] = [None] * count
        self._lock = threading.Lock()

    def get(self, i: int) -> np.ndarray | None:
        """The image, or None."""
        return self._kept[i]

    def put(self, i: int, image: np.ndarray) -> None:
        """Keep an image if there is room. Safe to call from threads."""
        with self._lock:
            if self._kept[i] is None and self.used + image.nbytes <= self.budget:
                self.used += image.nbytes
                self._kept[i] = image


class DeviceMemory:
    """Decoded images one after another in one buffer on a device, gathered into batches there.

    capacity: bytes. All images have as many channels of the same type as the first. Not for several threads.
    """

    def __init__(self, count: int, capacity: int, device: torch.device) -> None:
        self.channels = RGB
        self.flat = torch.zeros(capacity + capacity % 2, dtype=torch.uint8, device=device)  # may hold 16 bits
        self.used = 0  # values
        self.full = False
        self.stored = np.zeros(count, bool)
        self.size = np.zeros((count, 2), np.int64)
        self._start = np.zeros(count, np.int64)

    def put(self, indices: Sequence[int], images: Sequence[np.ndarray]) -> None:
        """Copy images to the device in one transfer. From the first that does not fit, none is kept."""
        fresh = {i: image for i, image in zip(indices, images, strict=True) if not self.stored[i]}
        for image in list(fresh.values())[:1]:
            self.channels, self.flat = len(image), self.flat.view(torch.from_numpy(image).dtype)
        if self.full or self.used + sum(image.size for image in fresh.values()) > len(self.flat):
            self.full = self.full or bool(fresh)
            return
        if not fresh:
            return
        packed = pack(list(fresh.values()), self.flat.device)
        self.flat[self.used : self.used + len(packed)] = packed
        for i, image in fresh.items():
            self.stored[i], self.size[i], self._start[i] = True, image.shape[1:], self.used
            self.used += image.size

    def batch(self, indices: Sequence[int], height: int, width: int) -> Tensor:
        """Images that are stored, as (B, C, height, width) on the device, zeros right of and below each."""
        start, size = torch.from_numpy(self._start[indices]), torch.from_numpy(self.size[indices])
        start, size = to_device(start, self.flat.device), to_device(size, self.flat.device)
        return gather(self.flat, start, size, height, width, self.channels)


def gather(flat: Tensor, start: Tensor, size: Tensor, height: int, width: int, channels: int = RGB) -> Tensor:
    """Images of different sizes out of one buffer, as a padded block.

    flat: uint8 or uint16 (values,), each image as contiguous (C, h, w). start: int64 (B,), where each begins. size:
    int64 (B, 2), its h and w. Returns (B, C, height, width) of the same type, zeros outside each image.
    """
    y = torch.arange(height, device=flat.device)[None, :, None]
    x = torch.arange(width, device=flat.device)[None, None, :]
    out = flat.new_empty((len(start), channels, height, width))
    rows, values = max(1, CHUNK // (height * width)), indexable(flat)
    nothing = values.new_zeros(())
    for a in range(0, len(start), rows):
        h, w = size[a : a + rows, 0, None, None], size[a : a + rows, 1, None, None]
        inside = (y < h) & (x < w)
        where = (start[a : a + rows, None, None] + y * w + x) * inside  # outside: the first value, blanked below
        plane = h * w * inside
        for c in range(channels):
            indexable(out)[a : a + rows, c] = torch.where(inside, values[where + c * plane], nothing)
    return out


def pad(images: Sequence[np.ndarray], height: int, width: int, pinned: bool) -> Tensor:
    """Images (C, h, w) as one block (B, C, height, width) of their type, zeros right of and below each; numpy does the
    copying, for in a thread beside training torch's copies would start a team of threads of their own."""
    same = all(image.shape[1:] == (height, width) for image in images)
    like = images[0] if images else np.empty((RGB, 0, 0), np.uint8)
    shape = len(images), len(like), height, width
    if not pinned:
        block = (np.empty if same else np.zeros)(shape, like.dtype)
        tensor = torch.from_numpy(block)
    else:
        tensor = torch.empty(shape, dtype=torch.from_numpy(like).dtype, pin_memory=True)
        block = tensor.numpy()
        if not same:
            block[:] = 0
    if same:
        np.stack(images, out=block)
    else:
        for row, image in zip(block, images, strict=True):
            row[:, : image.shape[1], : image.shape[2]] = image
    return tensor


def pack(images: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """The values of some images one after another, on the device."""
    return to_device(torch.from_numpy(np.concatenate([image.reshape(-1) for image in images])), device)


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """A copy on the device; to a GPU by way of pinned memory, so that the host need not wait."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
