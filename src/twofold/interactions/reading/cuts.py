"""Which part each pair goes to, as pure functions of arrays; and the k-core."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

TRAIN, VALID, TEST = 0, 1, 2


def ratio(users: np.ndarray, draws: np.ndarray, valid_share: float, test_share: float) -> np.ndarray:
    """Parts int8 (E,): of each user's n pairs those of the smallest draws are test, the next valid, the rest train.

    users: int64 (E,). draws: uint64 (E,), see `pair_draws`. n·share is rounded, halves up; at least one pair of each
    user stays in train.
    """
    order, place, size = _within(users, draws >> np.uint64(32))
    test = np.minimum(np.floor(size * test_share + 0.5), size - 1)
    valid = np.minimum(np.floor(size * valid_share + 0.5), size - 1 - test)
    parts = np.empty(len(users), np.int8)
    parts[order] = np.where(place < test, TEST, np.where(place < test + valid, VALID, TRAIN))
    return parts


def last(users: np.ndarray, time: np.ndarray, valid: bool, test: bool) -> np.ndarray:
    """Parts int8 (E,): of each user the latest pair is test, the one before it valid, as far as one train pair stays.

    Of equal times the pair later in the file is the later one. valid, test: whether there are these parts.
    """
    late = np.argsort(time, kind="stable")
    order = late[np.argsort(users[late], kind="stable")]
    place, size = _places(users[order])
    back = size - 1 - place  # 0 is the latest
    parts = np.empty(len(users), np.int8)
    first_valid = 1 if test else 0
    is_test = (back < first_valid) & (place > 0)
    is_valid = ~is_test & (back < first_valid + (1 if valid else 0)) & (place > 0)
    parts[order] = np.where(is_test, TEST, np.where(is_valid, VALID, TRAIN))
    return parts


def by_time(time: np.ndarray, valid_share: float, test_share: float) -> np.ndarray:
    """Parts int8 (E,): the latest share is test, the share before it valid.

    Pairs of the same time stay together (in the later part), so that every train time lies before every valid time,
    and that before every test time; train may be empty where most times are equal.
    """
    ordered = np.sort(time)
    test = _count(len(time), test_share)
    both = max(test, _count(len(time), test_share + valid_share)) if valid_share else test
    parts = np.zeros(len(time), np.int8)
    if both:
        parts[time >= ordered[-both]] = VALID
    if test:
        parts[time >= ordered[-test]] = TEST
    return parts


def k_core(users: np.ndarray, items: np.ndarray, k: int) -> tuple[np.ndarray, int]:
    """The pairs, bool (E,), whose users and items all have at least k pairs among them, and the rounds it took."""
    keep = np.ones(len(users), bool)
    rounds = 0
    while True:
        few_users = np.bincount(users[keep], minlength=int(users.max(initial=0)) + 1) < k
        few_items = np.bincount(items[keep], minlength=int(items.max(initial=0)) + 1) < k
        bad = keep & (few_users[users] | few_items[items])
        if not bad.any():
            return keep, rounds
        keep &= ~bad
        rounds += 1


def pair_draws(users: np.ndarray, items: np.ndarray, user_ids: pa.Array, item_ids: pa.Array, key: int) -> np.ndarray:
    """uint64 (E,), each a function of (key, the user's id, the item's id) alone: other users, and the order of the
    file, change nothing."""
    key_bits = np.array([key], np.uint64)
    return _mix(_mix(_hashes(user_ids) ^ key_bits)[users] ^ _mix(_hashes(item_ids))[items])


def _hashes(ids: pa.Array) -> np.ndarray:
    if pa.types.is_integer(ids.type):
        return ids.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids.to_pylist())
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _within(users: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order by user, then draw (32 bits); the place of each pair among its user's, and how many that user has."""
    order = np.argsort((users.astype(np.uint64) << np.uint64(32)) | draws, kind="stable")
    return (order, *_places(users[order]))


def _places(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = np.bincount(ordered)
    starts = np.concatenate([[0], np.cumsum(size)])[:-1]
    return np.arange(len(ordered)) - starts[ordered], size[ordered]


def _count(total: int, share: float) -> int:
    return min(total, max(1, int(np.floor(total * share + 0.5)))) if share else 0
