"""Near copies between training and test, and splits that keep them together (field row 13)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.errors import UserError
from twofold.images.labels import groups_of, hold_out, leaks, near_copies, open_labelled, open_pair
from twofold.images.labels.leaks import distances, hash_of

from .samples import coco, image, thing

SIZE = (64, 80)


def scene(seed: int) -> np.ndarray:
    """(H, W + 20, 3) of smooth noise, from which frames are cut."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((SIZE[1] + 20, SIZE[0]), Image.Resampling.BICUBIC))


def frame(seed: int, shift: int = 0) -> np.ndarray:
    return scene(seed)[:, shift : shift + SIZE[1]]


def labelled(folder, pictures: dict[str, np.ndarray]):
    folder.mkdir(parents=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name)
    images = [image(k, name, SIZE[1], SIZE[0]) for k, name in enumerate(pictures)]
    return open_labelled(coco(folder / "x.json", images, [thing(k, [1, 1, 9, 9]) for k in range(len(pictures))]))


def test_frames_of_one_sequence_stay_on_one_side(tmp_path):
    frames = {f"s_{k:04d}.jpg": frame(0, k) for k in range(1, 11)}
    others = {f"{name}.jpg": frame(k + 1) for k, name in enumerate("abcdefghij")}
    data = labelled(tmp_path / "x", frames | others)
    assert sorted(map(len, groups_of(data)))[-1] == 10
    for seed in range(6):
        train, test = hold_out(data, 0.3, seed)
        assert len(train) + len(test) == 20 and set(train.names).isdisjoint(test.names)
        assert len({name in test.names for name in frames}) == 1 and len(test.names) > 0
        assert near_copies(train, test).copies == 0


def test_nothing_but_one_sequence_cannot_be_split(tmp_path):
    data = labelled(tmp_path / "x", {f"s_{k}.jpg": frame(0, k) for k in range(8)})
    with pytest.raises(UserError, match="all 8 pictures hang together by near copies"):
        hold_out(data)


def test_the_share_of_test_pictures_with_a_near_copy(tmp_path):
    train = labelled(tmp_path / "train", {f"a{k}.png": frame(k) for k in range(5)})
    test = labelled(
        tmp_path / "test", {"x.jpg": frame(0), "y.png": frame(3, 1), "z.png": frame(9), "m.png": frame(4)[:, ::-1]}
    )
    leak = near_copies(train, test)
    assert (leak.copies, leak.test, leak.train) == (3, 4, 5) and leak.share == 0.75
    assert leak.such_as == ("x.jpg", "a0.png")
    assert leak.sentence().startswith(
        "3 of 4 test images (75%) have a near copy among 5 training images, such as x.jpg"
    )
    clean = near_copies(train, test.select([2]))
    assert clean.copies == 0 and clean.sentence().startswith("None of 1 test images has a near copy")


@pytest.mark.parametrize("name", ["cat_1_jpg.rf.0a1b2c3d4e5f.jpg", "cat_1_rf.0a1b2c3d4e5f.jpg"])
def test_augmented_copies_are_known_by_their_names(tmp_path, name):
    train = labelled(tmp_path / "train", {name: frame(1)})
    test = labelled(
        tmp_path / "test", {name.replace("0a1b", "ffff"): frame(2), "cat_2_jpg.rf.0a1b2c3d4e5f.jpg": frame(3)}
    )
    assert near_copies(train, test).copies == 1
    both = labelled(tmp_path / "both", {name: frame(1), name.replace("0a1b", "ffff"): frame(2), "other.jpg": frame(3)})
    assert sorted(map(len, groups_of(both))) == [1, 2]


def shift_of_a_near_frame() -> int:
    """By how many pixels scene 5 is shifted for hashes that differ in 9 to 12 bits."""
    base = torch.from_numpy(frame(5)).permute(2, 0, 1)
    bits = [bin(hash_of(base) ^ hash_of(torch.from_numpy(frame(5, k)).permute(2, 0, 1))).count("1") for k in range(20)]
    return next(k for k in range(20) if 8 < bits[k] <= 12)


def test_frames_count_as_near_by_fewer_common_bits_than_strangers(tmp_path):
    shift = shift_of_a_near_frame()
    train = labelled(tmp_path / "train", {"s_001.png": frame(5), "a.png": frame(6)})
    same = labelled(tmp_path / "same", {"s_002.png": frame(5, shift)})
    other = labelled(tmp_path / "other", {"t_002.png": frame(5, shift)})
    assert near_copies(train, same).copies == 1 and near_copies(train, other).copies == 0


def test_many_pictures_are_compared_in_parts(tmp_path, monkeypatch):
    train = labelled(tmp_path / "train", {f"a{k}x.png": frame(k) for k in range(5)})
    test = labelled(tmp_path / "test", {f"b{k}x.png": frame(k) for k in range(3, 10)})
    whole = near_copies(train, test), groups_of(test)
    monkeypatch.setattr(leaks, "PAIRS", 11)
    assert (near_copies(train, test), groups_of(test)) == whole and whole[0].copies == 2


@pytest.mark.parametrize(("number", "copies"), [(1900, 1), (9000, 0)])
def test_names_of_numbers_alone_are_frames_of_one_film_only_where_they_lie_near(tmp_path, number, copies):
    """COCO's names are numbers, and its photographs no frames: 12 bits in common are chance there."""
    name, shift = f"{number:012d}.png", shift_of_a_near_frame()
    train = labelled(tmp_path / "train", {"000000000100.png": frame(5)})
    assert near_copies(train, labelled(tmp_path / "test", {name: frame(5, shift)})).copies == copies
    both = labelled(tmp_path / "both", {"000000000100.png": frame(5), name: frame(5, shift)})
    assert len(groups_of(both)) == 2 - copies


def test_size_light_and_compression_change_few_bits():
    whole = torch.from_numpy(frame(1)).permute(2, 0, 1)
    small = torch.nn.functional.interpolate(whole[None].float(), size=(32, 40), mode="bilinear", antialias=True)[0]
    assert bin(hash_of(whole) ^ hash_of(small.byte())).count("1") <= 2
    assert bin(hash_of(whole) ^ hash_of((whole * 0.6 + 30).byte())).count("1") <= 2


@pytest.mark.parametrize("numpy", [1, 2])
def test_distances_count_bits(monkeypatch, numpy):
    if numpy == 1:
        monkeypatch.delattr(np, "bitwise_count", raising=False)
    one = np.array([0, 2**64 - 1, 0b1011], np.uint64)
    assert distances(one, one[:2]).tolist() == [[0, 64], [64, 0], [3, 61]]


def test_a_pair_without_a_test_is_held_out_by_groups(tmp_path):
    labelled(
        tmp_path / "x", {f"s_{k}.jpg": frame(0, k) for k in range(6)} | {f"{k}a.jpg": frame(k + 1) for k in range(6)}
    )
    train, test = open_pair(tmp_path / "x" / "x.json", want="boxes", share=0.25)
    assert near_copies(train, test).copies == 0 and len(train) + len(test) == 12
