"""Which frames make a clip, against the rules written out."""

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.rule import Sampling
from twofold.videos.sampling import draw_clips, even_clips, stretch_of, timeline


def line(count, first=0):
    return np.arange(first, first + count)


def test_a_clip_is_evenly_strided_inside_the_video_and_every_start_occurs():
    starts = []
    for index in range(400):
        (clip,) = draw_clips(Sampling(4, 3), [line(14)], index, 0, 0, 1)
        assert np.array_equal(np.diff(clip), [3, 3, 3]) and clip.max() < 14
        starts.append(clip[0])
    assert sorted(set(starts)) == [0, 1, 2, 3, 4]


def test_draws_depend_on_seed_epoch_and_video_alone():
    lines, sampling = [line(100)], Sampling(8, 4)
    first = draw_clips(sampling, lines, 7, 1, 2, 2)
    assert all(map(np.array_equal, first, draw_clips(sampling, lines, 7, 1, 2, 2)))
    assert np.array_equal(first[0], draw_clips(sampling, lines, 7, 1, 2, 1)[0])
    for other in ((8, 1, 2), (7, 2, 2), (7, 1, 3)):
        assert not all(map(np.array_equal, first, draw_clips(sampling, lines, *other, 2)))


def test_short_videos_go_round_and_one_frame_is_repeated():
    (clip,) = draw_clips(Sampling(4, 2), [line(5)], 0, 0, 0, 1)
    assert np.array_equal(clip, [0, 2, 4, 1])
    assert np.array_equal(draw_clips(Sampling(3, 4), [line(1)], 0, 0, 0, 1)[0], [0, 0, 0])


def test_no_clip_crosses_a_seam_and_longer_stretches_give_more():
    lines, inside = [line(10), line(40, first=10)], [0, 0]
    for index in range(300):
        (clip,) = draw_clips(Sampling(3, 2), lines, index, 0, 0, 1)
        assert clip.max() < 10 or clip.min() >= 10
        inside[int(clip.min() >= 10)] += 1
    assert inside[1] > 3 * inside[0] > 0


def test_the_other_clip_is_never_the_first_again():
    for index in range(300):
        first, other = draw_clips(Sampling(4, 2, second="other"), [line(40)], index, 0, 0, 2)
        assert abs(int(first[0]) - int(other[0])) >= 2


def test_strides_of_a_range_and_jitter_within_them():
    strides, uneven = set(), 0
    for index in range(200):
        (clip,) = draw_clips(Sampling(4, (1, 3)), [line(60)], index, 0, 0, 1)
        strides |= set(np.diff(clip).tolist())
        (clip,) = draw_clips(Sampling(4, 3, jitter=True), [line(60)], index, 0, 0, 1)
        assert np.all(np.diff(clip) >= 1) and np.all(np.diff(clip) <= 5)
        uneven += len(set(np.diff(clip).tolist())) > 1
    assert strides == {1, 2, 3} and uneven > 100


def test_a_rate_thins_or_repeats_by_time():
    times = np.arange(60) / 30
    (thin,) = timeline(times, [(0, 59)], fps=10)
    assert np.array_equal(thin, np.arange(0, 60, 3))
    (thick,) = timeline(np.arange(10) / 5, [(0, 9)], fps=10)
    assert len(thick) == 19 and set(thick.tolist()) == set(range(10)) and np.all(np.diff(thick) >= 0)
    uneven = np.array([0.0, 0.1, 0.4, 0.5, 0.9])
    (chosen,) = timeline(uneven, [(0, 4)], fps=5)
    for number, wanted in zip(chosen, np.arange(0, 0.95, 0.2), strict=True):
        assert abs(uneven[number] - wanted) == pytest.approx(np.abs(uneven - wanted).min())


@pytest.mark.parametrize("n", [1, 7, 30, 61, 100])
def test_even_clips_follow_their_rules(n):
    frames, stride, clips = 4, 5, 10
    found = even_clips([line(n)], clips, frames, stride)
    room = n - frames * stride + 1
    for i, clip in enumerate(found):
        start = int(room / clips * (i + 0.5)) if room > 0 else 0
        assert np.array_equal(clip, (start + stride * np.arange(frames)) % n)
    edges = np.linspace(0, max(n - ((frames - 1) * stride + 1), 0), clips + 1)
    for clip, low, high in zip(even_clips([line(n)], clips, frames, stride, "cmd"), edges, edges[1:], strict=False):
        assert clip[0] == int((low + high) / 2) % n


@pytest.mark.parametrize("settings", [{"frames": 0}, {"stride": 0}, {"stride": (3, 1)}])
def test_what_cannot_be_meant_is_refused(settings):
    with pytest.raises(UserError):
        Sampling(**settings)


def test_a_stretch_is_drawn_by_the_places_that_it_has():
    lines = [np.arange(5), np.arange(5, 7), np.arange(7, 17)]
    found = [int(stretch_of(lines, 4, number / 90)[0]) for number in range(90)]
    assert [found.count(first) for first in (0, 5, 7)] == [20, 0, 70]
    assert stretch_of(lines, 11, 0.3)[0] == 7


def test_a_time_lapse_is_not_repeated_by_the_million():
    times = np.arange(20) * 3600.0
    assert len(timeline(times, [(0, 19)])[0]) == 20 and len(timeline(times, [(0, 19)], 0.01)[0]) == 685
    with pytest.raises(DecodeError, match=r"has a frame every 3,600 s, too few for 10 a second"):
        timeline(times, [(0, 19)], 10)
