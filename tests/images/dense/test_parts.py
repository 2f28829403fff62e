"""What is held out: groups of names, stretches of neighbours."""

from __future__ import annotations

import pytest

from twofold.images.dense.parts import held_out


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
