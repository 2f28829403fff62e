"""Images: batches against decoding one by one, kept or not, on the device or not; streams; unreadable files."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from reading_samples import album, picture, write

from twofold.errors import UserError
from twofold.images.reading import Images, decode, images, open_source
from twofold.images.reading.decode import decode_centre
from twofold.images.reading.memory import DeviceMemory

MODES = ["kept", "uncached", "partly", "device", "device too small"]


@pytest.fixture
def source(tmp_path):
    return open_source(str(album(tmp_path / "photos", 23)))


def make(source, mode, monkeypatch, **options):
    """Images in one of the ways in which they may be held."""
    one = decode(source.read(0), 20).numel()
    memory = {"kept": None, "uncached": 0, "partly": 7 * one}.get(mode)
    if mode.startswith("device"):
        monkeypatch.setattr(images, "_device_budget", lambda device, memory_bytes: 1 << 40)
        if mode == "device too small":
            monkeypatch.setattr(images, "DeviceMemory", lambda n, capacity, device: DeviceMemory(n, 10 * one, device))
    return Images(source, short_side=20, memory_bytes=memory, **options)


def check(batch, source, rows, side=20):
    """The batch is what decoding one by one gives."""
    assert batch.index.tolist() == list(rows) and batch.pixels.dtype == torch.uint8
    singles = [decode(source.read(i), side) for i in rows]
    assert batch.size.tolist() == [list(x.shape[1:]) for x in singles]
    assert batch.pixels.shape == (len(rows), 3, *batch.size.amax(0).tolist())
    for block, x in zip(batch.pixels, singles, strict=True):
        assert torch.equal(block[:, : x.shape[1], : x.shape[2]], x)
        assert block[:, x.shape[1] :].sum() == 0 and block[:, :, x.shape[2] :].sum() == 0


@pytest.mark.parametrize("mode", MODES)
def test_batches_are_the_images(source, mode, monkeypatch):
    data = make(source, mode, monkeypatch)
    assert len(data) == 23
    for rows in ([3, 1, 22], [3, 3, 0], [5], range(23), range(22, -1, -1), [7, 8]):
        check(data.batch(torch.tensor(list(rows))), source, rows)


@pytest.mark.parametrize("mode", MODES)
def test_streams_are_the_batches(source, mode, monkeypatch):
    data = make(source, mode, monkeypatch, workers=3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        order = list(torch.randperm(23, generator=generator).split(4))
        for rows, batch in zip(order, data.stream(order), strict=True):
            check(batch, source, rows.tolist())
    assert data.waited > 0


def test_kept_images_are_decoded_once(source, monkeypatch):
    calls = []
    monkeypatch.setattr(images, "decode", lambda d, side, rule: calls.append(1) or decode(d, side, rule))
    data = Images(source, short_side=20)
    for _ in range(3):
        for _batch in data.stream(torch.arange(23).split(5)):
            pass
    assert len(calls) == 23
    data = Images(source, short_side=20, memory_bytes=0)
    data.batch(torch.tensor([1, 1, 1, 2]))
    assert len(calls) == 25  # once however often it is in the batch


def test_nothing_is_read_before_it_is_asked_for(source, monkeypatch):
    calls = []
    monkeypatch.setattr(images, "decode", lambda d, side, rule: calls.append(1) or decode(d, side, rule))
    data = Images(source, short_side=20)
    assert not calls
    data.batch(torch.tensor([4, 5]))
    assert len(calls) == 2


def test_a_stream_reads_ahead_but_not_far(source):
    asked = []

    def order():
        for i in range(20):
            asked.append(i)
            yield torch.tensor([i])

    stream = Images(source, short_side=20).stream(order())
    next(stream)
    assert len(asked) == images.AHEAD
    next(stream)
    assert len(asked) == images.AHEAD + 1
    stream.close()


@pytest.mark.parametrize("mode", ["kept", "uncached"])
def test_closing_a_stream_early_leaves_no_work_and_no_threads(source, mode, monkeypatch):
    before = threading.active_count()
    data = make(source, mode, monkeypatch, workers=2)
    for _ in range(5):
        for _batch in data.stream(torch.arange(23).split(2)):
            break
    check(data.batch(torch.tensor([9])), source, [9])
    assert data._decoders._work_queue.qsize() == 0
    del data
    gc.collect()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_two_streams_at_once(source):
    data = Images(source, short_side=20, workers=2)
    order = torch.arange(23).split(3)
    for rows, a, b in zip(order, data.stream(order), data.stream(order), strict=True):
        check(a, source, rows.tolist())
        check(b, source, rows.tolist())


def test_an_error_in_the_order_of_indices_reaches_the_consumer(source):
    def order():
        yield torch.tensor([1])
        raise RuntimeError("sampler broke")

    with pytest.raises(RuntimeError, match="sampler broke"):
        list(Images(source, short_side=20).stream(order()))


def spoil(folder, names):
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes()[:200])


@pytest.mark.parametrize("mode", MODES)
def test_unreadable_images_are_replaced_the_same_way_whatever_came_before(source, mode, monkeypatch):
    spoil(Path(source.path), ["004.jpg", "011.jpg", "012.jpg"])
    forward, backward = (make(source, mode, monkeypatch, max_unreadable=0.5) for _ in range(2))
    a = [forward.batch(torch.tensor([i])) for i in range(23)]
    b = [backward.batch(torch.tensor([i])) for i in range(22, -1, -1)][::-1]
    whole = Images(source, short_side=20, max_unreadable=0.5).batch(torch.arange(23))
    for i in range(23):
        assert torch.equal(a[i].pixels, b[i].pixels) and a[i].index.tolist() == [i]
        height, width = whole.size[i].tolist()
        assert torch.equal(a[i].pixels[0], whole.pixels[i, :, :height, :width])
    assert forward.replaced == backward.replaced and set(forward.replaced) == {4, 11, 12}
    assert forward.unreadable == backward.unreadable and list(forward.unreadable) == ["004.jpg", "011.jpg", "012.jpg"]
    for i, j in forward.replaced.items():
        assert j not in (4, 11, 12) and torch.equal(a[i].pixels, a[j].pixels)
    other = Images(source, short_side=20, max_unreadable=0.5, seed=1)
    other.batch(torch.arange(23))
    assert other.replaced != forward.replaced


def test_too_many_unreadable_end_it_naming_the_first(source):
    folder = Path(source.path)
    spoil(folder, ["000.jpg"])
    (folder / "001.jpg").write_bytes(b"")
    (folder / "002.jpg").unlink()
    data = Images(source, short_side=20, max_unreadable=3 / 23)
    data.batch(torch.arange(23))
    assert data.unreadable["001.jpg"] == "the file is empty" and "does not exist" in data.unreadable["002.jpg"]
    with pytest.raises(UserError, match=r"23 images, of which [123] cannot be read.*0.*00[012].jpg \("):
        Images(source, short_side=20, max_unreadable=0).batch(torch.arange(23))
    with pytest.raises(UserError, match=r"of which [23] cannot"):
        list(Images(source, short_side=20).stream(torch.arange(23).split(4)))


def test_a_set_of_which_nothing_can_be_read(tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.jpg").write_text("I am not a JPEG")
    data = Images(open_source(str(tmp_path)), short_side=20, max_unreadable=1.0)
    with pytest.raises(UserError, match=r"8 images, of which none can be read: 0.jpg and 7 others .not an image"):
        data.batch(torch.arange(8))


def test_full_size_and_tiny_images(tmp_path):
    for i, (h, w) in enumerate([(1, 1), (4, 4), (1, 500), (30, 20)]):
        write(tmp_path / f"{i}.png", picture(h, w))
    source = open_source(str(tmp_path))
    check(Images(source, short_side=None).batch(torch.arange(4)), source, range(4), None)
    check(Images(source, short_side=8).batch(torch.arange(4)), source, range(4), 8)


def test_arrays_as_source(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 10), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels)
    batch = Images(open_source(str(tmp_path / "a.npz")), short_side=32).batch(torch.arange(9))
    assert (batch.pixels.numpy() == pixels[:, None]).all()


def test_describe_says_where_images_are_kept(source, monkeypatch):
    assert "kept in memory" in make(source, "kept", monkeypatch).describe()
    assert "decoded each time; 3 decoding threads" in make(source, "uncached", monkeypatch, workers=3).describe()
    assert "the rest decoded each time" in make(source, "partly", monkeypatch).describe()
    data = Images(source, short_side=20)
    exact = sum(decode(source.read(i), 20).numel() for i in range(23))
    assert abs(data.expected_bytes - exact) < 0.1 * exact


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("memory", [None, 0, 20000])
def test_on_a_gpu(source, memory):
    data = Images(source, short_side=20, memory_bytes=memory, device="cuda")
    assert (data._on_device is not None) == (memory is None)
    for _ in range(2):
        for rows, batch in zip(torch.arange(23).split(5), data.stream(torch.arange(23).split(5)), strict=True):
            assert batch.pixels.is_cuda and batch.size.is_cuda and batch.index.is_cuda
            check(batch.to("cpu"), source, rows.tolist())


def test_ctrl_c_ends_the_process_at_once(tmp_path, source):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import signal, time, torch
            from twofold.images.reading import Images, open_source
            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
            data = Images(open_source({source.path!r}), short_side=20, memory_bytes=0)
            kept = data.stream(torch.randint(23, (64,)) for _ in range(10**6))
            for i, batch in enumerate(kept):
                if i == 1:
                    print("running", flush=True)
                time.sleep(0.01)
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}
    )
    assert process.stdout.readline() == b"running\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT and b"KeyboardInterrupt" in errors


@pytest.mark.parametrize("memory", [None, 0])
def test_centres_are_decoded_from_the_original_and_kept_where_they_fit(source, memory):
    whole = Images(source, short_side=20, memory_bytes=memory, workers=1)
    centres = whole.centres(12)
    assert whole.centres(12) is centres and whole.centres(10) is not centres
    batch = centres.batch(torch.tensor([3, 0]))
    assert torch.equal(batch.pixels, torch.stack([decode_centre(source.read(i), 12) for i in (3, 0)]))
    assert batch.size.tolist() == [[12, 12]] * 2 and centres._held(3) is (memory is None) and not whole._held(3)


def test_centres_know_what_the_whole_images_know_of_broken_files(tmp_path):
    folder = album(tmp_path / "photos", 23)
    broken = sorted(path for path in folder.rglob("*") if path.is_file())[4]
    broken.write_bytes(b"broken")
    whole = Images(open_source(str(folder)), short_side=20, workers=1, max_unreadable=0.2)
    whole.centres(12).batch(torch.arange(23))
    assert len(whole.unreadable) == 1 and list(whole.replaced) == [list(whole.source.names).index(broken.name)]
