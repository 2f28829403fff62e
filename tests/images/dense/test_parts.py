"""What is held out: groups of names, stretches of neighbours; classes by name."""

from __future__ import annotations

import pytest
import torch

from tests.images.dense.tiny import boxes, labelled
from twofold.errors import UserError
from twofold.images.dense.parts import held_out, same_classes, split
from twofold.images.labels.records import IGNORE


def test_clips_and_copies_stay_on_one_side():
    names = [f"clip{c:c}/x_{i:03d}.png".replace("clip", f"clip{c}") for c in map(ord, "abcdefghijkl") for i in range(5)]
    learn, hold = held_out(names, 0)
    clips = [{names[i].split("/")[0] for i in part} for part in (learn, hold)]
    assert not clips[0] & clips[1] and sorted(learn + hold) == list(range(60)) and 8 <= len(hold) <= 16
    copies = [f"{stem}_jpg.rf.{i:x}ab.jpg" for stem in "abcdefghijklmno" for i in range(3)]
    learn, hold = held_out(copies, 1)
    assert not {copies[i][0] for i in learn} & {copies[i][0] for i in hold}


def test_frames_of_one_clip_are_cut_into_stretches():
    names = [f"frame_{i}.png" for i in range(100)]
    learn, hold = held_out(names, 0)
    assert len(hold) == 20 and sum(i + 1 in learn for i in hold) <= 4
    assert held_out(names, 0) == (learn, hold) != held_out(names, 1)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_both_parts_have_at_least_one(count):
    for seed in range(5):
        learn, hold = held_out([f"{i}.png" for i in range(count)], seed)
        assert learn and hold and sorted(learn + hold) == list(range(count))


def test_a_split_keeps_pictures_and_masks_together():
    pictures = [torch.full((3, 2, 2), i, dtype=torch.uint8) for i in range(10)]
    masks = [torch.full((2, 2), i, dtype=torch.int16) for i in range(10)]
    train, test = split(labelled(pictures, masks, classes=map(str, range(10))), 0)
    assert len(train) == 8 and len(test) == 2
    assert all(part.picture(i)[0, 0, 0] == part.mask(i)[0, 0] for part in (train, test) for i in range(len(part)))


def test_classes_go_by_name():
    picture, mask = torch.zeros(3, 1, 3, dtype=torch.uint8), torch.tensor([[0, 1, IGNORE]], dtype=torch.int16)
    train = labelled([picture], [mask], [boxes([[0, 0, 1, 1]], [0])], classes=("car", "road", "sky"), name="train")
    test = labelled([picture], [mask], [boxes([[0, 0, 1, 1]], [1])], classes=("sky", "car"), name="test")
    found = same_classes(test, train)
    assert found.mask(0).tolist() == [[2, 0, IGNORE]] and found.instances(0).classes.tolist() == [0]
    assert found.classes == train.classes and same_classes(train, train) is train
    with pytest.raises(UserError, match='test has the class "tree", which train lacks'):
        same_classes(labelled([picture], [mask], classes=("tree",), name="test"), train)
