"""What a run would cost: counted and measured on clips read as the run reads them, and bounded."""

import shutil

import pytest

import twofold
from tests.videos.conftest import moving, write_video
from twofold.videos.reading import costs
from twofold.videos.reading.clips import even
from twofold.videos.reading.costs import Cost, Measured, measure
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.preparing import Preparing, prepare
from twofold.videos.reading.store import VideoStore


def films(folder, count=6, frames=20):
    for i in range(count):
        write_video(folder / f"{i}.mp4", moving("right", i, frames), gop=6)
    return str(folder)


def nothing(done, total):
    pass


def test_an_epoch_is_as_many_clips_as_are_read_and_as_long_as_they_took():
    found = (Measured(0.5, 0.1, (16, 16), (96, 128)), Measured(1.5, 0.3, (16, 16), (96, 128)))
    (line,) = Cost(found, 1000, 99, whole=False, motion=False).lines()
    assert line == (
        "An epoch reads 2,000 clips of 16 frames (up to 590 kB, at 128 x 96) and costs about 17 min of one core for "
        "decoding (measured on 4 clips of 2 videos); twofold prepare --short-side 96 would make that about 3 min."
    )
    slower = Measured(0.5, 0.6, (1, 16), (96, 128))
    (line,) = Cost((slower,), 10, 99, whole=False, motion=True).lines()
    assert "clips of 1 to 16 frames" in line and "for decoding and motion" in line and "prepare" not in line


def test_what_is_kept_is_decoded_once():
    found = (Measured(0.5, None, (50,), (96, 128)), Measured(0.5, None, (50,), (96, 128)))
    cost = Cost(found, 1000, 4000, whole=True, motion=False)
    assert cost.seconds == 40 and cost.prepared is None
    assert "about 4,000 of them, in about 40 s of one core (measured on 100 frames of 2 videos)" in "".join(
        cost.lines()
    )


def test_clips_are_those_of_the_run(tmp_path):
    store = VideoStore(open_source(films(tmp_path)), 16, 0)
    cost = measure(store, even(3, 4, 2), 60, nothing)
    assert cost is not None and cost.clips == 180 and not cost.whole and cost.seconds > 0
    assert {one.clips for one in cost.found} == {(4, 4, 4)} and {one.size for one in cost.found} == {(16, 20)}
    assert len(cost.found) == 6 and cost.prepared is not None and cost.frames == 120


def test_measuring_is_bounded_and_broken_videos_are_passed_over(tmp_path, monkeypatch):
    data = films(tmp_path)
    store = VideoStore(open_source(data), 16, 0)
    with monkeypatch.context() as patch:
        patch.setattr(costs, "SECONDS", -1.0)
        cost = measure(store, even(1, 4, 2), 6, nothing)
        assert cost is not None and len(cost.found) == 1
    for i in range(5):
        (tmp_path / f"{i}.mp4").write_bytes(b"gone")
    cost = measure(store, even(1, 4, 2), 6, nothing)
    assert cost is not None and len(cost.found) == 1
    (tmp_path / "5.mp4").unlink()
    assert measure(store, even(1, 4, 2), 6, nothing) is None


@pytest.mark.parametrize("memory", [0, None])
def test_check_says_what_a_run_costs(tmp_path, capsys, memory):
    data = films(tmp_path / "films", 8)
    found = twofold.check(data, method="moco", kind="videos", memory_gb=memory, frames=4, image_size=16, batch_size=2)
    said = capsys.readouterr().out
    assert ("An epoch reads 16 clips of 4 frames" in said) == (memory == 0) != ("are decoded once" in said)
    assert found["cost"]["core_seconds"] > 0 and found["cost"]["once"] == (memory is None)


def test_prepared_videos_are_not_advised_to_be_prepared(tmp_path, capsys):
    source = open_source(films(tmp_path / "films", 8))
    prepare(source, str(tmp_path / "out"), Preparing(motion=True))
    shutil.rmtree(tmp_path / "films")
    for method in ("moco", "cmd"):
        options = {"frames": 4, "image_size": 16, "batch_size": 2, "memory_gb": 0}
        twofold.check(str(tmp_path / "out"), method=method, kind="videos", **options)
        said = capsys.readouterr().out
        assert "An epoch reads" in said and "twofold prepare" not in said
