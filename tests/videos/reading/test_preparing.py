"""Prepared videos: the same frames, times, motion and labels as the videos they were made from, without these."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import twofold
from tests.videos.clips import HERE, clip
from tests.videos.conftest import moving, write_video
from twofold.errors import UserError
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.opening import LIST, MANIFEST, ListOptions, open_source
from twofold.videos.reading.packed import PackedVideo, jpeg_size
from twofold.videos.reading.packing import copy_with_motion, write_packed
from twofold.videos.reading.preparing import Prepared, Preparing, packed_names, prepare
from twofold.videos.reading.store import VideoStore
from twofold.videos.reading.video import Video

FILMS = sorted(p.name for p in HERE.iterdir() if p.suffix not in (".py", ".sh", ".m4a", ".pyc") and p.is_file())
MOVING = ["plain.mp4", "odd.mp4", "turned.mp4", "mirrored.mp4", "variable.mp4", "cut.mp4", "stream.ts", "open.mkv"]


def packed(tmp_path, file, motion=False, short_side=None, quality=95):
    video = Video(file, vectors=motion)
    own = video if motion else None
    write_packed(tmp_path / "a.frames", video, short_side=short_side, quality=quality, key="k", motion=own)
    return video, PackedVideo(partial(open, tmp_path / "a.frames", "rb"))


def as_jpeg(pictures, quality=95):
    """Pictures (T, H, W, 3) as a JPEG gives them back."""
    found = []
    for picture in pictures:
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "JPEG", quality=quality)
        found.append(np.asarray(Image.open(out)))
    return np.stack(found)


@pytest.mark.parametrize("name", FILMS)
def test_frames_and_times_are_those_of_the_video(tmp_path, name):
    video, found = packed(tmp_path, clip(name))
    assert len(found) == len(video) and np.array_equal(found.table.times, video.table.times)
    assert found.table.stretches == video.table.stretches and found.size() == video.size()
    assert [s.frame for s in found.table.starts] == [s.frame for s in video.table.starts]
    numbers = [len(video) - 1, 0, len(video) // 2]
    assert np.array_equal(found.read(numbers), as_jpeg(video.read(numbers)))


@pytest.mark.parametrize("name", MOVING)
def test_motion_is_that_of_the_video(tmp_path, name):
    video, found = packed(tmp_path, clip(name), motion=True)
    numbers = np.random.default_rng(0).permutation(len(video))[:14].tolist()
    expected, seen = video.motion(numbers), found.motion(numbers)
    assert np.array_equal(seen.cells, expected.cells)
    assert (seen.height, seen.width) == (expected.height, expected.width)


def test_colours_are_those_of_direct_reading(tmp_path):
    film = np.zeros((6, 64, 64, 3), np.uint8)
    for row, colour in enumerate([(192, 32, 48), (20, 200, 40), (30, 60, 220), (230, 200, 20)]):
        film[:, 16 * row : 16 * row + 16] = colour
    write_video(tmp_path / "colours.mp4", film, codec="libx264")
    video, found = packed(tmp_path, str(tmp_path / "colours.mp4"), quality=90)
    gap = abs(found.read([3]).astype(int) - video.read([3]).astype(int))[0]
    assert all(gap[16 * row + 6 : 16 * row + 10].mean() <= 4 for row in range(4))


def test_it_is_opened_again_after_it_was_closed(tmp_path):
    video, found = packed(tmp_path, clip("plain.mp4"), motion=True)
    found.close()
    assert np.array_equal(found.read([3]), as_jpeg(video.read([3])))
    found.close()
    assert len(found.motion([3, 4]).cells) == 2


def test_several_threads_may_want_the_same_video(tmp_path):
    prepare(open_source(films(tmp_path / "films", 2)), str(tmp_path / "out"), Preparing(motion=True))
    source = open_source(str(tmp_path / "out"))
    for _ in range(20):
        store = VideoStore(source, 16, vectors=True)
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(partial(store.read, 0), [[n] for n in range(8)]))
            moved = list(threads.map(partial(store.motion, 0), [[n, n + 1] for n in range(8)]))
        assert len(found) == len(moved) == 8


def test_larger_pictures_are_shrunk_as_reading_shrinks_them(tmp_path):
    video, found = packed(tmp_path, clip("turned.mp4"), short_side=20)
    assert found.size() == (26, 20)
    assert np.array_equal(found.read([5]), as_jpeg(video.read([5], 20)))
    assert found.read([5], 10).shape == (1, 13, 10, 3)


def test_what_there_is_not_is_said(tmp_path):
    _, found = packed(tmp_path, clip("plain.mp4"))
    with pytest.raises(DecodeError, match="without its motion"):
        found.motion([1, 2])
    for numbers in ([50], [-1], []):
        with pytest.raises(IndexError):
            found.read(numbers)


def test_a_copy_in_h264_tells_the_motion_of_every_frame(tmp_path):
    texture = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    film = np.stack([texture[:80, 60 - 2 * t : 160 - 2 * t] for t in range(26)])
    write_video(tmp_path / "pan.webm", film, codec="libvpx-vp9", gop=120)
    video = Video(str(tmp_path / "pan.webm"))
    copied = copy_with_motion(video, tmp_path / "copy.mp4")
    assert len(copied) == 26 and copied.size() == (80, 100)
    assert np.diff([start.frame for start in copied.table.starts]).max() <= 12
    dx, dy = np.median(copied.motion([5, 6, 7]).cells[:, 2:-2, 2:-2].reshape(-1, 2), 0)
    assert (dx, dy) == (8, 0)
    write_packed(tmp_path / "a.frames", video, short_side=None, quality=90, key="", motion=copied)
    found = PackedVideo(partial(open, tmp_path / "a.frames", "rb"))
    assert np.array_equal(found.motion(range(26)).cells, copied.motion(range(26)).cells)
    # Keyframes are those between which the motion was coded, not the one of the source.
    assert [start.frame for start in found.table.starts] == [start.frame for start in copied.table.starts]
    assert len(video.table.starts) < len(found.table.starts)


def test_names_stay_apart_and_inside():
    names = ["a/x.mp4", "a/y.avi", "a/y.mp4", "../../b.mp4", "/etc/c.mp4", "d", "v_Run_g01_c02.avi", ".."]
    found = packed_names(names)
    assert found[:3] == ["a/x.frames", "a/y.avi.frames", "a/y.mp4.frames"]
    assert found[3:] == ["b.frames", "etc/c.frames", "d.frames", "v_Run_g01_c02.frames", "video.frames"]
    assert len(set(packed_names(["a.mp4", "x/../a.mp4", "a.mp4"]))) == 3


def films(folder, count=4):
    for i in range(count):
        kind = "right" if i % 2 else "down"
        write_video(folder / kind / f"{i}.mp4", moving(kind, i, 26), gop=6)
    return str(folder)


def test_a_folder_keeps_classes_and_is_made_once(tmp_path):
    data, out = films(tmp_path / "films"), str(tmp_path / "out")
    source = open_source(data)
    assert prepare(source, out, Preparing(motion=True)) == Prepared({}, 0)
    made = open_source(out)
    assert made.classes == source.classes and made.labels.tolist() == source.labels.tolist() and not made.skipped
    assert not (tmp_path / "out" / LIST).exists()
    files = sorted((tmp_path / "out").rglob("*.frames"))
    before = [file.stat().st_mtime_ns for file in files]
    prepare(source, out, Preparing(motion=True))
    assert [file.stat().st_mtime_ns for file in files] == before
    write_video(tmp_path / "films" / "right" / "1.mp4", moving("right", 9, 20), gop=6)
    prepare(open_source(data), out, Preparing(motion=True))
    assert sum(file.stat().st_mtime_ns != old for file, old in zip(files, before, strict=True)) == 1
    assert len(PackedVideo(partial(open, tmp_path / "out" / "right" / "1.frames", "rb"))) == 20
    with pytest.raises(UserError, match="holds no prepared videos"):
        prepare(source, data, Preparing())


def test_labels_groups_and_folds_of_a_list_stay(tmp_path):
    films(tmp_path / "films")
    rows = ["file,label,source,fold", "right/1.mp4,jump,s1,0", "right/3.mp4,run,s2,1", "down/0.mp4,jump,s1,0"]
    (tmp_path / "films" / "list.csv").write_text("\n".join(rows))
    source = open_source(str(tmp_path / "films" / "list.csv"))
    prepare(source, str(tmp_path / "out"), Preparing())
    made = open_source(str(tmp_path / "out"))
    about = [{(i.label, i.group, i.fold) for i in s.items} for s in (source, made)]
    assert about[0] == about[1] and len(made) == 3 and made.classes == source.classes
    assert len(open_source(str(tmp_path / "out"), role="test", options=ListOptions(fold=1))) == 1


def test_broken_videos_are_counted_and_past_a_share_it_ends(tmp_path):
    data = films(tmp_path / "films", 8)
    (tmp_path / "films" / "right" / "9.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    assert list(prepare(open_source(data), str(out), Preparing(), max_unreadable=0.2).unreadable) == ["right/9.mp4"]
    assert "right/9.mp4\t" in (out / "unreadable.txt").read_text() and len(open_source(str(out))) == 8
    with pytest.raises(UserError, match="holds 9 videos, of which 1 cannot be read"):
        prepare(open_source(data), str(tmp_path / "other"), Preparing(), max_unreadable=0.05)


def test_motion_of_codecs_that_tell_none_comes_from_a_copy_or_is_refused(tmp_path):
    for i in range(2):
        write_video(tmp_path / "films" / f"{i}.webm", moving("right", i, 20), codec="libvpx-vp9")
    source = open_source(str(tmp_path / "films"))
    with pytest.raises(UserError, match=r"vp9 tells no motion vectors of it.*--transcode at auto"):
        prepare(source, str(tmp_path / "no"), Preparing(motion=True, transcode="never"))
    prepare(source, str(tmp_path / "out"), Preparing(motion=True))
    store = VideoStore(open_source(str(tmp_path / "out")), None, vectors=True)
    assert store.motion(0, range(20)).cells.any()


def test_an_unfinished_folder_is_refused(tmp_path):
    data = films(tmp_path / "films", 2)
    prepare(open_source(data), str(tmp_path / "out"), Preparing())
    (tmp_path / "out" / MANIFEST).write_text(json.dumps({"version": 1, "done": False}))
    with pytest.raises(UserError, match="not finished: give the same prepare again"):
        open_source(str(tmp_path / "out"))


KILLED = "import sys, twofold; twofold.prepare(*sys.argv[1:], kind='videos', motion=True, workers=1{})"


@pytest.mark.parametrize("more", [{}, {"fps": 10, "deinterlace": "always"}], ids=["all frames", "some, made whole"])
def test_a_killed_one_goes_on_to_the_same_bytes(tmp_path, more):
    data, straight, out = films(tmp_path / "films", 10), tmp_path / "straight", tmp_path / "out"
    twofold.prepare(data, str(straight), kind="videos", motion=True, **more)
    killed = KILLED.format("".join(f", {name}={value!r}" for name, value in more.items()))
    process = subprocess.Popen([sys.executable, "-c", killed, data, str(out)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(out.rglob("[0-9]*.frames"))) < 3:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {file: file.stat().st_mtime_ns for file in out.rglob("[0-9]*.frames")}
    assert len(kept) >= 3
    twofold.prepare(data, str(out), kind="videos", motion=True, **more)
    assert all(file.stat().st_mtime_ns == old for file, old in kept.items())
    made = [{f.relative_to(folder): f.read_bytes() for f in folder.rglob("*.frames")} for folder in (straight, out)]
    assert made[0] == made[1] and len(made[0]) == 10


def test_verbs_read_it_when_the_videos_are_gone(tmp_path):
    data, out, run = films(tmp_path / "films", 8), str(tmp_path / "out"), str(tmp_path / "run")
    twofold.prepare(data, out, kind="videos", motion=True)
    shutil.rmtree(data)
    settings = {"backbone": "convnet3d", "epochs": 1, "batch_size": 4, "image_size": 32, "frames": 4, "quiet": True}
    small = {"dim": 16, "heads": 2, "hidden": 16, "width": 8, "future": 4}  # fewer than 8: oneDNN on AVX2 crashes
    for memory in (0, None):
        folder = f"{run}{memory}"
        twofold.pretrain("cmd", out, out=folder, method_options=small, memory_gb=memory, report=False, **settings)
    first, second = (Path(f"{run}{memory}/backbone.safetensors").read_bytes() for memory in (0, None))
    assert first == second
    rows = twofold.evaluate(f"{run}0", out, protocols="retrieval", clips=1)
    assert any(row["metric"] == "R@1" for row in rows)
    assert twofold.check(out, method="cmd")["broken"] == {}


def test_damaged_files_give_frames_or_one_reason(tmp_path):
    _, found = packed(tmp_path, clip("plain.mp4"), motion=True)
    data, drawn = (tmp_path / "a.frames").read_bytes(), random.Random(0)
    assert jpeg_size(data[int(found.index.ends[3]) : int(found.index.ends[4])]) == (48, 48)
    refused = 0
    for _ in range(400):
        bad = bytearray(data)
        way = drawn.randrange(4)
        start = len(data) - 1500 if way % 2 else 0  # the index, or anywhere
        if way < 2:
            for _ in range(drawn.randint(1, 4)):
                bad[drawn.randrange(start, len(bad))] = drawn.randrange(256)
        else:
            at, count = drawn.randrange(start, len(bad)), drawn.randint(1, 400)
            bad[at : at + count] = b"" if way == 2 else bytes(drawn.randrange(256) for _ in range(count))
        (tmp_path / "bad.frames").write_bytes(bytes(bad))
        try:
            video = PackedVideo(partial(open, tmp_path / "bad.frames", "rb"))
            video.read(range(len(video)))
            video.motion(range(len(video)))
        except DecodeError:
            refused += 1
    assert refused > 100
    header = json.dumps({"key": "", "frames": 1, "height": 9, "width": 9, "stored": [], "claimed": 0, "chunks": 0})
    odd = [b"twofold frames 1" + len(text).to_bytes(4, "little") + text for text in (header.encode(), b"[" * 16000)]
    odd = [text + (16).to_bytes(8, "little") for text in odd]
    for short in (b"", b"twofold", data[:40], b"x" * 400, *odd):
        (tmp_path / "bad.frames").write_bytes(short)
        with pytest.raises(DecodeError, match="no prepared video, or a damaged one"):
            PackedVideo(partial(open, tmp_path / "bad.frames", "rb"))


def test_what_is_not_there_any_more_is_removed(tmp_path):
    data, out = films(tmp_path / "films"), str(tmp_path / "out")
    prepare(open_source(data), out, Preparing())
    (tmp_path / "films" / "right" / "1.mp4").rename(tmp_path / "films" / "right" / "new.mp4")
    (tmp_path / "films" / "down" / "0.mp4").write_bytes(b"broken")
    made = prepare(open_source(data), out, Preparing(), max_unreadable=0.5)
    assert made.removed == 2
    assert [item.name for item in open_source(out).items] == ["down/2.frames", "right/3.frames", "right/new.frames"]


def test_folders_that_would_mix_are_refused(tmp_path):
    data, out = films(tmp_path / "films"), str(tmp_path / "out")
    prepare(open_source(data), out, Preparing())
    with pytest.raises(UserError, match="is prepared already: give it as the data"):
        prepare(open_source(out), str(tmp_path / "again"), Preparing())
    films(tmp_path / "others" / "x", 2)
    with pytest.raises(UserError, match=r"holds videos prepared from .*films \(such as down/0.frames\): name a new"):
        prepare(open_source(str(tmp_path / "others")), out, Preparing())
    shutil.copytree(f"{out}/right", tmp_path / "films" / "prepared")
    with pytest.raises(UserError, match=r"holds prepared videos \(.*\) and others \(.*\): name one folder"):
        open_source(data)


def test_prepared_videos_within_a_folder_are_not_taken_for_more_of_it(tmp_path):
    data = films(tmp_path / "films")
    for _ in range(2):
        prepare(open_source(data), f"{data}/prepared", Preparing())
        source = open_source(data)
        assert len(source) == 4 and source.classes == ["down", "right"]
        assert source.skipped["in folders of prepared videos"] == 6
    assert len(open_source(f"{data}/prepared")) == 4


def test_a_folder_that_was_copied_in_part_or_is_of_a_later_version_says_so(tmp_path):
    out = tmp_path / "out"
    prepare(open_source(films(tmp_path / "films")), str(out), Preparing())
    (out / "right" / "1.frames").unlink()
    assert open_source(str(out)).skipped == {"prepared but not there": 1}
    manifest = json.loads((out / "prepared-videos.json").read_text())
    (out / "prepared-videos.json").write_text(json.dumps({**manifest, "version": 2}))
    with pytest.raises(UserError, match="prepared by a later version of twofold"):
        open_source(str(out))


def test_a_column_of_parts_stays(tmp_path):
    films(tmp_path / "films")
    rows = ["file,label,split", "right/1.mp4,jump,train", "right/3.mp4,run,test", "down/0.mp4,jump,train"]
    (tmp_path / "films" / "list.csv").write_text("\n".join(rows))
    prepare(open_source(str(tmp_path / "films" / "list.csv"), role="all"), str(tmp_path / "out"), Preparing())
    train, test = (open_source(str(tmp_path / "out"), role=role) for role in ("train", "test"))
    assert [len(train), [item.name for item in test.items]] == [2, ["right/3.frames"]]


def test_frames_of_damaged_videos_that_do_not_come_are_counted(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    film = np.stack([np.roll(noise, t, 1) for t in range(40)])
    write_video(tmp_path / "films" / "a.mp4", film, codec="libx264", gop=10)
    data = bytearray((tmp_path / "films" / "a.mp4").read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    (tmp_path / "films" / "b.mp4").write_bytes(data)
    source = open_source(str(tmp_path / "films"))
    made = prepare(source, str(tmp_path / "out"), Preparing())
    assert set(made.lost) == {1} and 0 < made.lost[1] < 20
    for memory in (0, None):
        store = VideoStore(source, None, memory)
        clips = Clips(store, even(3, 4, 1))
        list(clips.stream([torch.arange(2)]))
        assert store.lost == made.lost
        assert clips.lost()[0].startswith(f"Damaged videos: 1, of which {made.lost[1]} frames do not come")


def test_parts_of_folders_stay_where_labels_need_a_list(tmp_path):
    for part in ("train", "test"):
        films(tmp_path / "films" / part / "indoors", 2)
    source = open_source(str(tmp_path / "films"), role="all", class_level=2)
    prepare(source, str(tmp_path / "out"), Preparing())
    assert (tmp_path / "out" / LIST).is_file()
    train, test = (open_source(str(tmp_path / "out"), role=role) for role in ("train", "test"))
    assert all(item.name.startswith("train/") for item in train.items) and len(train) == len(test) == 2
