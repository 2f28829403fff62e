"""Where decoded images are kept: budgets, padding, and the gather of ragged images, against naive loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from twofold.images.reading import memory
from twofold.images.reading.memory import DeviceMemory, HostMemory, gather, pad


def ragged(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(1, 256, (3, *rng.integers(1, 9, 2)), dtype=np.uint8) for _ in range(count)]


def naive(images, height, width):
    out = np.zeros((len(images), 3, height, width), np.uint8)
    for b, image in enumerate(images):
        for c in range(3):
            for y in range(image.shape[1]):
                for x in range(image.shape[2]):
                    out[b, c, y, x] = image[c, y, x]
    return out


def test_host_memory_keeps_within_its_budget():
    images = ragged(20)
    host = HostMemory(20, budget=sum(i.nbytes for i in images[:10]))
    for i, image in enumerate(images):
        host.put(i, image)
        host.put(i, image)
    kept = [i for i in range(20) if host.get(i) is not None]
    assert kept[:10] == list(range(10)) and host.used == sum(images[i].nbytes for i in kept) <= host.budget
    assert HostMemory(1, 0).get(0) is None


@pytest.mark.parametrize("chunk", [1, 100, 1 << 24])
def test_gather_is_the_naive_loop(monkeypatch, chunk):
    monkeypatch.setattr(memory, "CHUNK", chunk)
    images = ragged(9)
    flat = torch.from_numpy(np.concatenate([i.reshape(-1) for i in images]))
    start = np.cumsum([0] + [i.size for i in images])[:-1]
    order = [4, 0, 8, 8, 2]
    size = torch.tensor([images[i].shape[1:] for i in order])
    got = gather(flat, torch.from_numpy(start)[order], size, 8, 10)
    assert (got.numpy() == naive([images[i] for i in order], 8, 10)).all()


@pytest.mark.parametrize("same", [True, False])
def test_pad_is_the_naive_loop(same):
    images = [ragged(1)[0]] * 4 if same else ragged(7)
    height, width = (max(i.shape[a] for i in images) for a in (1, 2))
    assert (pad(images, height, width, pinned=False).numpy() == naive(images, height, width)).all()
    assert pad(images, height + 1, width, pinned=False).shape[2] == height + 1


def test_device_memory():
    images = ragged(12)
    store = DeviceMemory(12, sum(i.nbytes for i in images[:8]), torch.device("cpu"))
    store.put([3, 1, 3], [images[3], images[1], images[3]])
    store.put([0, 3, 2], [images[0], images[3], images[2]])
    assert store.stored.tolist() == [True] * 4 + [False] * 8 and store.used == sum(i.nbytes for i in images[:4])
    got = store.batch([2, 0, 2, 3], 9, 9)
    assert (got.numpy() == naive([images[i] for i in (2, 0, 2, 3)], 9, 9)).all()
    store.put(range(4, 12), images[4:])  # more than fits: refused whole
    assert store.full and store.stored.sum() == 4
    store.put([4], [images[4]])
    assert not store.stored[4]
