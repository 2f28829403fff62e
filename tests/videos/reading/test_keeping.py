"""What is kept of a video where it is prepared: interlaced frames made whole, a steady rate, motion along with them."""

from functools import partial

import numpy as np
import pytest

import twofold
from tests.videos.clips import clip
from tests.videos.conftest import write_video
from tests.videos.reading.test_preparing import as_jpeg
from twofold.errors import UserError
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.reading.facts import examine
from twofold.videos.reading.keeping import Keeping, Whole, kept_frames, walk_kept
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.packed import PackedVideo
from twofold.videos.reading.packing import write_packed
from twofold.videos.reading.preparing import Prepared, Preparing, prepare
from twofold.videos.reading.video import Video

FIELDS = {"flags": "+ilme+ildct"}
CAMERAS = [
    ("a.mp4", "libx264", {**FIELDS, "crf": "12"}),
    ("a.mpg", "mpeg2video", {**FIELDS, "qmin": "1", "qmax": "2"}),
    ("a.avi", "mpeg4", {**FIELDS, "qmin": "1", "qmax": "2"}),
]


def pan(fields=48, step=2):
    """A grey texture that moves to the right by `step` pixels a field, uint8 (fields, 96, 128, 3)."""
    texture = np.random.default_rng(0).integers(0, 255, (12, 60, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2)
    return np.stack([texture[:, 300 - step * t : 428 - step * t] for t in range(fields)]).astype(np.uint8)


def woven(fields):
    """Frames of two fields each, that of the lower lines first, as interlaced cameras record them."""
    frames = fields[::2].copy()
    frames[:, ::2] = fields[1::2, ::2]
    return frames


def pictures(video, keeping):
    """The pictures that are kept, and what `walk_kept` says of them."""
    found, shown = {}, video.size()
    kept = walk_kept(video, keeping, lambda place, frame: found.__setitem__(place, video.picture(frame, *shown)))
    return np.stack([found[place] for place in range(len(kept))]), kept


def inner(film):
    return film[:, 8:-8, 16:-16].astype(int)


@pytest.mark.parametrize(("name", "codec", "options"), CAMERAS)
def test_interlaced_frames_become_whole_pictures_of_their_first_field(tmp_path, name, codec, options):
    fields = pan()
    write_video(tmp_path / name, woven(fields), codec=codec, options=options)
    video = Video(str(tmp_path / name))
    made, kept = pictures(video, Keeping(whole="flagged"))
    raw = video.read(range(len(video)))
    assert video.interlaced and kept.deinterlaced
    assert kept.numbers.tolist() == list(range(24)) and np.array_equal(kept.times, video.table.times)
    gaps = {a: abs(inner(film) - inner(fields[::2])).mean() for a, film in (("made", made), ("raw", raw))}
    assert gaps["made"] < 0.7 * gaps["raw"]
    combs = [abs(2 * f[:, 1:-1] - f[:, :-2] - f[:, 2:]).mean() for f in map(inner, (made, raw, fields))]
    assert combs[0] < 1.2 * combs[2] < 0.6 * combs[1]


@pytest.mark.parametrize(
    "name", ["plain.mp4", "turned.mp4", "tagged.mp4", "hdr.mp4", "odd.mp4", "joined.ts", "cut.mp4"]
)
def test_frames_that_are_whole_pass_as_they_are(name):
    video = Video(clip(name))
    made, kept = pictures(video, Keeping(whole="flagged"))
    assert not video.interlaced and not kept.deinterlaced
    assert np.array_equal(made, video.read(range(len(video))))


def test_always_takes_frames_apart_that_do_not_say_it(tmp_path):
    fields = pan()
    write_video(tmp_path / "a.mp4", woven(fields), codec="libx264", options={"crf": "12"})
    video = Video(str(tmp_path / "a.mp4"))
    made, kept = pictures(video, Keeping(whole="all"))
    assert not video.interlaced and kept.deinterlaced
    raw, whole = (abs(2 * f[:, 1:-1] - f[:, :-2] - f[:, 2:]).mean() for f in map(inner, (video.read(range(24)), made)))
    assert whole < 0.5 * raw


def test_frames_that_change_their_size_are_all_given_in_order():
    frames = [_frames(clip(name))[0] for name in ("interlaced.mp4", "interlaced.mp4", "odd.mp4", "interlaced.mp4")]
    whole, found = Whole("all"), []
    for number, frame in enumerate(frames):
        found += whole.push(number, frame)
    found += whole.end()
    assert [(number, frame.width) for number, frame in found] == [(0, 48), (1, 48), (2, 50), (3, 48)]
    list(whole.push(0, frames[0]))
    whole.forget()
    assert list(whole.end()) == []  # nothing is left over from a walk that was given up


def test_the_first_frame_that_says_it_begins_it(tmp_path):
    write_video(tmp_path / "plain.mp4", pan(2), codec="libx264")
    write_video(tmp_path / "woven.mp4", woven(pan(6)), codec="libx264", options=FIELDS)
    plain, film = _frames(str(tmp_path / "plain.mp4")), _frames(str(tmp_path / "woven.mp4"))
    whole, found = Whole("flagged"), []
    for number, frame in enumerate([*plain, *film, *plain]):
        ready = list(whole.push(number, frame))
        found += ready
        assert whole.used == (number >= 2) and len(ready) == (0 if number == 2 else 1)
    found += whole.end()
    assert [number for number, _ in found] == list(range(7))
    assert found[0][1] is plain[0] and found[1][1] is plain[1]
    shown = [frame.to_ndarray(format="gray") for _, frame in found]
    stored = [frame.to_ndarray(format="gray") for frame in [*plain, *film, *plain]]
    assert [np.array_equal(a, b) for a, b in zip(shown, stored, strict=True)] == [True] * 2 + [False] * 3 + [True] * 2


def _frames(file):
    video, found = Video(file), []
    video.walk(lambda number, frame: found.append(frame))
    return found


def test_frames_at_a_steady_rate_are_the_nearest_in_time():
    for name in ("variable.mp4", "joined.ts"):
        table = Video(clip(name)).table
        kept = kept_frames(table, 10)
        at = np.flatnonzero(kept.begins).tolist()
        assert len(at) == len(table.stretches)
        for stretch, first, after in zip(table.stretches, at, [*at[1:], len(kept)], strict=True):
            times = kept.times[first:after]
            assert times[0] == table.times[stretch.first] and np.allclose(np.diff(times), 0.1)
            own = np.arange(stretch.first, stretch.last + 1)
            gaps = abs(table.times[kept.numbers[first:after]] - times)
            assert np.allclose(gaps, [abs(table.times[own] - time).min() for time in times])


@pytest.mark.parametrize("fps", [10, 60])
def test_prepared_at_a_rate_the_stride_is_steady(tmp_path, fps):
    video = Video(clip("variable.mp4"))
    write_packed(tmp_path / "a.frames", video, short_side=None, quality=95, key="k", keeping=Keeping(fps))
    found = PackedVideo(partial(open, tmp_path / "a.frames", "rb"))
    kept = kept_frames(video.table, fps)
    assert found.table.rate == pytest.approx(fps) and len(found) == len(kept)
    assert (len(set(kept.numbers)) < len(kept)) == (fps == 60)
    assert np.array_equal(found.read(range(len(found))), as_jpeg(video.read(kept.numbers.tolist())))
    keys = [start.frame for start in found.table.starts]
    own = {start.frame for start in video.table.starts}
    assert [kept.numbers[key] for key in keys] == sorted(own & set(kept.numbers.tolist()))


def prepared(tmp_path, film, settings, **options):
    write_video(tmp_path / "films" / "a.mp4", film, codec="libx264", **options)
    source = open_source(str(tmp_path / "films"))
    made = prepare(source, str(tmp_path / "out"), settings)
    return PackedVideo(partial(open, tmp_path / "out" / "a.frames", "rb")), made, source


def middle(video):
    """The usual motion of the inner cells between keyframes, quarter pixels."""
    grids = video.motion([n for n in range(1, len(video)) if n % 12]).cells
    return np.median(grids[:, 2:-2, 2:-2].reshape(-1, 2), 0).tolist()


def test_motion_is_that_between_the_frames_that_are_kept(tmp_path):
    found, made, _ = prepared(tmp_path, pan(48, 1), Preparing(motion=True, fps=12.5))
    assert len(found) == 24 and made == Prepared({}, 0) and middle(found) == [8, 0]


def test_motion_of_deinterlaced_videos_is_that_of_their_whole_pictures(tmp_path):
    fields = pan(48, 1)
    found, made, source = prepared(tmp_path, woven(fields), Preparing(motion=True), options=CAMERAS[0][2])
    assert len(found) == 24 and made == Prepared({}, 1) and found.index.deinterlaced and middle(found) == [8, 0]
    assert prepare(source, str(tmp_path / "out"), Preparing(motion=True)) == made  # known of those made before
    never = prepare(source, str(tmp_path / "out"), Preparing(motion=True, deinterlace="never"))
    assert never == Prepared({}, 0)
    assert len(PackedVideo(partial(open, tmp_path / "out" / "a.frames", "rb")).motion(range(24)).cells) == 24


def test_motion_of_its_own_and_another_rate_are_refused(tmp_path):
    write_video(tmp_path / "a.mp4", pan(8))
    with pytest.raises(UserError, match=r"--fps leaves some out: leave --transcode at auto"):
        twofold.prepare(str(tmp_path), str(tmp_path / "out"), kind="videos", fps=5, motion=True, transcode="never")


def test_what_is_interlaced_is_said(tmp_path, capsys):
    write_video(tmp_path / "films" / "a.mp4", woven(pan(8)), codec="libx264", options=CAMERAS[0][2])
    write_video(tmp_path / "films" / "b.mp4", pan(4), codec="libx264")
    data, out = str(tmp_path / "films"), str(tmp_path / "out")
    said = "\n".join(examine(open_source(data)).lines())
    assert "1 are interlaced, and are read as they are: twofold prepare deinterlaces them (such as a.mp4)" in said
    for choice in ("auto", "auto", "always", "never"):
        twofold.prepare(data, out, kind="videos", deinterlace=choice)
        assert ("1 have interlaced frames, made whole" in capsys.readouterr().out) == (choice == "auto")


def test_a_filter_that_fails_is_told():
    frame = _frames(clip("interlaced.mp4"))[0]
    whole = Whole("flagged")
    list(whole.push(0, frame))
    whole._waiting.append(1)  # as if one had gone in that does not come out
    with pytest.raises(DecodeError, match="--deinterlace never"):
        list(whole.end())
