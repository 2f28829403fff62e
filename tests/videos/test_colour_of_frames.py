"""Colours by what the file says, else by one rule; high dynamic range by one tone map."""

import numpy as np
import pytest

from tests.videos.clips import clip
from twofold.videos.colour import HLG, PQ, is_hdr, tone_mapped
from twofold.videos.reading.video import Video


@pytest.mark.parametrize(("name", "colour"), [("untagged", (176, 11, 44)), ("tagged", (192, 32, 48))])
def test_patches_have_the_colour_of_the_tag_or_of_the_rule(name, colour):
    patch = Video(clip(f"{name}.mp4")).read([2])[0, 4:-4, 4:-4]
    assert np.abs(patch.reshape(-1, 3).mean(0) - colour).max() < 5


def test_hdr_is_known_and_mapped():
    video = Video(clip("hdr.mp4"))
    assert is_hdr(video.first()) and not is_hdr(Video(clip("plain.mp4")).first())
    assert video.read([0]).dtype == np.uint8


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_the_tone_map_rises_from_black_to_white_and_keeps_grey(curve):
    levels = np.repeat(np.linspace(0, 65535, 200).astype(np.uint16)[:, None], 3, 1)
    found = tone_mapped(levels, curve).astype(int)
    assert found[0].tolist() == [0, 0, 0] and found[-1].max() == 255
    assert np.all(np.diff(found[:, 0]) >= 0) and np.abs(found - found[:, :1]).max() <= 2
