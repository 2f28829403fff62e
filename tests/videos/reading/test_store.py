"""Stores in processes and threads, and what `check` says."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.videos.clips import HERE
from tests.videos.conftest import moving, write_video
from twofold.videos.container import opened, packets_of
from twofold.videos.reading import store as stores
from twofold.videos.reading.clips import READ, Clips, even
from twofold.videos.reading.facts import examine, walk_some
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.packed import read_index
from twofold.videos.reading.preparing import Preparing, prepare
from twofold.videos.reading.store import VideoStore


@pytest.fixture
def source():
    return open_source(str(HERE))


def read(store, i, numbers):
    return store.read(i, numbers)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_other_processes_read_the_same_frames(source, start):
    store = VideoStore(source.take([0, 5, 9]), None, memory_bytes=0)
    expected = [store.read(i, [3, 0]) for i in range(3)]
    with multiprocessing.get_context(start).Pool(2) as pool:
        found = pool.starmap(read, [(store, i, [3, 0]) for i in (0, 1, 2, 0)])
    assert all(map(np.array_equal, found, [*expected, expected[0]]))


@pytest.mark.parametrize("memory", [0, None])
def test_threads_read_the_same_frames_with_few_files_open(source, monkeypatch, memory):
    monkeypatch.setattr(stores, "OPEN", 2)
    store = VideoStore(source, 24, memory)
    wanted = [(i, [0, len(store.table(i)) - 1]) for i in range(len(source))] * 3
    expected = {i: store.read(i, numbers) for i, numbers in wanted}
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda job: store.read(*job), wanted))
    assert all(np.array_equal(frames, expected[i]) for frames, (i, _) in zip(found, wanted, strict=True))
    assert len(store.videos) <= 3


def test_check_says_what_is_odd(source):
    said = "\n".join(examine(source).lines())
    for words in (
        "hold another number of frames than their header tells (such as cut.mp4)",
        "jump in time", "joined.ts", "are interlaced", "are HDR", "are turned or mirrored", "not square",
        "tell no times that can be believed", "nothing moves", "passed over: .m4a 2",
    ):  # fmt: skip
        assert words in said


def test_check_decodes_a_few_from_end_to_end(tmp_path):
    write_video(tmp_path / "whole.avi", moving("right", 0, 24))
    write_video(tmp_path / "damaged.mp4", moving("right", 1, 24), codec="libx264", gop=4, options={"bf": "0"})
    data = bytearray((tmp_path / "damaged.mp4").read_bytes())
    with opened(str(tmp_path / "damaged.mp4")) as (container, stream, _):
        lost = list(packets_of(container, stream))[9]
    data[lost.pos : lost.pos + lost.size] = bytes(lost.size)
    (tmp_path / "damaged.mp4").write_bytes(data)
    source = open_source(str(tmp_path))
    found = walk_some(examine(source), lambda done, total: None)
    said = "\n".join(found.lines())
    assert found.walked.lost == {source.names.index("damaged.mp4"): 1}
    assert "2 were decoded from end to end, 47 frames" in said and "1 of damaged.mp4" in said
    few = walk_some(examine(source.take([source.names.index("whole.avi")])), lambda done, total: None)
    assert "1 were decoded from end to end, 24 frames: all of them come" in "\n".join(few.lines())


def test_bytes_are_counted_for_each_clip(tmp_path):
    for i in range(4):
        write_video(tmp_path / f"{i}.mp4", moving("right", i, 24), gop=6)
    source = open_source(str(tmp_path))
    prepare(source, str(tmp_path / "out"), Preparing())
    packed = open_source(str(tmp_path / "out"))
    packets = 0
    for path in tmp_path.glob("*.mp4"):
        with opened(str(path)) as (container, stream, _):
            packets += sum(packet.size for packet in packets_of(container, stream))
    everything, order = even(2, 12, 1), torch.arange(4).split(2)
    clips = Clips(VideoStore(source, None, 0), everything)
    assert clips.numbers() == {}
    list(clips.stream(order))
    read = clips.numbers()[READ] * 1000 * 8
    assert 0.5 * packets < read <= packets and clips.numbers() == {}
    one = clips.choosing(even(1, 1, 1))
    list(one.stream(order))
    assert 0 < one.numbers()[READ] * 4 < read / 2000 and clips.numbers() == {}
    kept = Clips(VideoStore(source, None), everything)
    list(kept.stream(order))
    assert kept.numbers()[READ] * 1000 * 8 == pytest.approx(packets)
    list(kept.stream(order))
    assert kept.numbers()[READ] == 0
    made = Clips(VideoStore(packed, None, 0), everything)
    list(made.stream(order))
    indices = [read_index((tmp_path / "out" / name).open("rb")) for name in packed.names]
    chosen = [np.concatenate(everything(0, index.table(), 0).clips) for index in indices]
    jpegs = sum(int(np.diff(index.ends)[numbers].sum()) for index, numbers in zip(indices, chosen, strict=True))
    assert made.numbers()[READ] * 1000 * 8 == pytest.approx(jpegs)
