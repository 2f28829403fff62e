"""TensorBoard's event files, read back record by record."""

from __future__ import annotations

import struct

from tensorboardX.proto.event_pb2 import Event, SessionLog

from twofold.trackers import TrackedRun
from twofold.trackers.tensorboard import TensorBoard


def events(folder):
    """All events below a folder, file by file in the order of their names."""
    found = []
    for file in sorted((folder / "tensorboard").iterdir()):
        whole = file.read_bytes()
        while whole:
            (length,) = struct.unpack("<Q", whole[:8])
            event = Event()
            event.ParseFromString(whole[12 : 12 + length])
            found.append(event)
            whole = whole[16 + length :]
    return found


def scalars(folder):
    return [
        (event.step, value.tag, round(value.simple_value, 4))
        for event in events(folder)
        for value in event.summary.value
        if value.WhichOneof("value") == "simple_value"
    ]


def begun(folder, known=None):
    tracker = TensorBoard()
    assert tracker.start(TrackedRun(folder, {}, known)) == "tensorboard"
    return tracker


def test_rows_lie_on_the_disk_before_anything_is_closed(tmp_path):
    begun(tmp_path).log(10, {"loss": 0.5, "knn": float("nan")})
    assert [found[:2] for found in scalars(tmp_path)] == [(10, "loss"), (10, "knn")]


def test_two_starts_in_one_second_are_two_files(tmp_path):
    for known, step in ((None, 1), ("tensorboard", 2), ("tensorboard", 3)):
        tracker = begun(tmp_path, known)
        tracker.log(step, {"loss": 0.25})
        tracker.finish("finished")
    assert scalars(tmp_path) == [(1, "loss", 0.25), (2, "loss", 0.25), (3, "loss", 0.25)]
    assert not any(event.HasField("session_log") for event in events(tmp_path))


def test_events_that_no_record_tells_of_are_void(tmp_path):
    begun(tmp_path).log(1, {"loss": 0.5})
    begun(tmp_path).log(1, {"loss": 0.5})
    logs = [event.session_log.status for event in events(tmp_path) if event.HasField("session_log")]
    assert logs == [SessionLog.START]


def test_settings_are_shown_as_text_and_of_the_page_its_place(tmp_path):
    tracker = begun(tmp_path)
    (tmp_path / "config.yaml").write_text("method: moco\n")
    (tmp_path / "report.html").write_text("<html>")
    for name in ("config.yaml", "report.html"):
        tracker.attach(tmp_path / name)
    shown = [value.tensor.string_val[0].decode() for event in events(tmp_path) for value in event.summary.value]
    assert shown == ["```\nmethod: moco\n\n```", str(tmp_path / "report.html")]
