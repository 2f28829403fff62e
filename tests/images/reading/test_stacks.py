"""TIFFs of many channels as tifffile writes them: bands together or apart, pages, compressed; cut and damaged ones."""

from __future__ import annotations

import io
import struct
import sys
from contextlib import suppress

import numpy as np
import pytest
from reading_samples import tiff

from twofold.errors import UserError
from twofold.images.reading import DecodeError, decode
from twofold.images.reading.pixels import PixelRule
from twofold.images.reading.stacks import read_channels, read_stack

tifffile = pytest.importorskip("tifffile")

FIRST = np.random.default_rng(0).integers(0, 65536, (5, 20, 24), dtype=np.uint16)
LAST = np.ascontiguousarray(FIRST.transpose(1, 2, 0))
FIVE = PixelRule(65535.0, channels=5, deep=True)
GREY = {"photometric": "minisblack"}
# name: pixels, how they are written, channels without being asked for a number
WRITTEN = {
    "pages": (FIRST, GREY, 1),
    "planar": (FIRST, GREY | {"planarconfig": "separate"}, 5),
    "together": (LAST, GREY | {"planarconfig": "contig"}, 5),
    "big endian": (FIRST, GREY | {"byteorder": ">"}, 1),
    "BigTIFF": (FIRST, GREY | {"bigtiff": True}, 1),
    "ImageJ": (FIRST, {"imagej": True, "metadata": {"axes": "CYX"}}, 5),
    "ImageJ's depth": (FIRST, {"imagej": True, "metadata": {"axes": "ZYX"}}, 1),
    "OME": (FIRST, {"ome": True, "metadata": {"axes": "CYX"}}, 5),
    "OME's time": (FIRST, {"ome": True, "metadata": {"axes": "TYX"}}, 1),
    "deflated tiles": (LAST, GREY | {"planarconfig": "contig", "tile": (16, 16), "compression": "zlib"}, 5),
}


def written(name):
    pixels, options, _ = WRITTEN[name]
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **options)
    return out.getvalue()


@pytest.mark.parametrize("name", WRITTEN)
def test_every_layout_gives_the_same_pixels_with_all_their_bits(name):
    data = written(name)
    stack = read_stack(io.BytesIO(data))
    assert stack.channels() == WRITTEN[name][2] and stack.channels(5) == 5
    assert (read_channels(data, stack, 5) == LAST).all()
    assert (decode(data, None, FIVE).numpy() == FIRST).all()
    with pytest.raises(DecodeError, match=r"a TIFF of . channels.*, not of 4"):
        decode(data, None, PixelRule(65535.0, channels=4, deep=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_is_cut_or_damaged_is_an_error_and_never_other_pixels(name):
    data = written(name)
    for size in range(8, len(data) - 1, 97):
        with suppress(DecodeError):
            assert (decode(data[:size], None, FIVE).numpy() == FIRST).all()
    rng = np.random.default_rng(1)
    for _ in range(40):
        wrong = bytearray(data)
        for place in rng.integers(0, min(len(data), 400), 3):
            wrong[place] = rng.integers(0, 256)
        with suppress(DecodeError):
            assert decode(bytes(wrong), None, FIVE).shape[0] == 5


@pytest.mark.parametrize(("packing", "reason"), [(1, "cut short"), (8, "cannot hold")])
def test_a_size_that_the_file_cannot_hold_is_refused_before_it_is_taken(packing, reason):
    data = tiff(np.zeros((4, 4, 5), np.uint16), extra=(0,) * 4, photometric=1)
    for tag, value in ((256, 10_000), (257, 10_000), (259, packing)):
        head = struct.pack("<HHI", tag, 3, 1)
        at = data.index(head) + len(head)
        data = data[:at] + struct.pack("<I", value) + data[at + 4 :]
    with pytest.raises(DecodeError, match=reason):
        decode(data, None, FIVE)


def test_a_turn_is_applied(tmp_path):
    out = io.BytesIO()
    tifffile.imwrite(out, LAST, **GREY, planarconfig="contig", extratags=[(274, "H", 1, 6, True)])
    assert (decode(out.getvalue(), None, FIVE).numpy() == np.rot90(FIRST, -1, (1, 2))).all()


def test_without_tifffile_one_sentence_says_how_to_get_it(monkeypatch):
    data = written("planar")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(UserError, match=r"TIFFs of 5 channels need the extra: pip install 'twofold\[tiff\]'"):
        decode(data, None, FIVE)


def test_what_is_no_tiff_has_no_stack():
    assert read_stack(io.BytesIO(b"II*\0")) is None and read_stack(io.BytesIO(b"")) is None
