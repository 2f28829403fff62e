"""Which file is opened, which stream in it is meant, and what is refused before anything is decoded."""

import io

import numpy as np
import pytest

from tests.videos.clips import HERE, clip
from twofold.pixels.reading.failure import DecodeError
from twofold.videos import container as containers
from twofold.videos.container import av, frames_of, open_container, opened, packets_of
from twofold.videos.motion import motion_vectors
from twofold.videos.reading.video import Video


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DecodeError, match=r"^the file does not exist$"):
        open_container(str(tmp_path / "a.mp4"))
    with pytest.raises(DecodeError, match="no video that can be opened"):
        open_container(str(tmp_path))


def test_one_thread_decodes():
    with opened(clip("hevc.mp4")) as found:
        assert found.codec.thread_count == 1 and found.codec.thread_type.name == "NONE"


@pytest.mark.parametrize("content", ["ffconcat version 1.0\nfile plain.mp4\n", "#EXTM3U\n#EXTINF:4,\nplain.mp4\n"])
def test_a_list_of_other_files_is_no_video(tmp_path, content):
    (tmp_path / "plain.mp4").write_bytes((HERE / "plain.mp4").read_bytes())
    (tmp_path / "a.mp4").write_text(content)
    with pytest.raises(DecodeError, match=r"a list of other files|no video that can be opened"):
        open_container(str(tmp_path / "a.mp4"))


def streams(path, sizes, default=None, cover=False):
    """A Matroska file of films of different sizes, one of them the default; before them a cover picture."""
    with av().open(str(path), "w") as out:
        made = []
        if cover:
            picture = out.add_stream("png", rate=1)
            picture.height, picture.width, picture.pix_fmt = 80, 80, "rgb24"
            picture.disposition = av().stream.Disposition.attached_pic
        for number, size in enumerate(sizes):
            stream = out.add_stream("mpeg4", rate=25)
            stream.height, stream.width, stream.pix_fmt = size, size, "yuv420p"
            stream.disposition = av().stream.Disposition.default if number == default else 0
            made.append(stream)
        if cover:
            out.mux(picture.encode(av().VideoFrame.from_ndarray(np.zeros((80, 80, 3), np.uint8))))
        for stream in made:
            frame = av().VideoFrame.from_ndarray(np.zeros((stream.height, stream.width, 3), np.uint8))
            out.mux(stream.encode(frame.reformat(format="yuv420p")))
            out.mux(stream.encode())
    return str(path)


def test_of_several_films_the_default_one_is_meant_and_the_others_counted(tmp_path):
    with opened(streams(tmp_path / "a.mkv", [32, 48, 64], default=1)) as found:
        assert (found.codec.width, found.others) == (48, 2)
    with opened(streams(tmp_path / "b.mkv", [32, 48])) as found:
        assert found.others == 1


def test_a_cover_before_the_film_is_passed_over(tmp_path):
    file = streams(tmp_path / "a.mp4", [32], cover=True)
    with av().open(file) as container:
        assert len(container.streams.video) == 2
    with opened(file) as found:
        assert (found.codec.width, found.others) == (32, 0)
    assert Video(file).read([0]).shape == (1, 32, 32, 3)


def test_frames_too_large_are_refused_by_what_the_header_and_what_the_stream_says(monkeypatch):
    monkeypatch.setattr(containers, "MOST_PIXELS", 48 * 48)
    assert len(Video(clip("plain.mp4")).whole()) == 50
    with pytest.raises(DecodeError, match="frames of 64 x 64 pixels, too large to read"):
        Video(clip("hdr.mp4"))
    monkeypatch.setattr(containers, "MOST_PIXELS", 48 * 48 - 1)
    with pytest.raises(DecodeError, match="frames of 48 x 48 pixels, too large to read"):
        Video(clip("plain.mkv"))


def test_the_bound_of_pixels_reaches_the_decoder(monkeypatch):
    with opened(clip("plain.mp4")) as (container, stream, _):
        stream.codec_context.options = {"max_pixels": "100"}
        assert not [f for packet in packets_of(container, stream) for f in frames_of(stream.codec_context, packet)]
    given = {}
    real = containers.frames_of

    def watching(codec, packet):
        given.update(codec.options)
        return real(codec, packet)

    monkeypatch.setattr("twofold.videos.reading.decoding.frames_of", watching)
    Video(clip("plain.mp4")).read([0])
    assert given["max_pixels"] == str(2 * containers.MOST_PIXELS)
    assert len(list(motion_vectors(clip("plain.mp4")))) == 50


def test_a_file_is_closed_at_the_end_of_the_block_also_by_an_error():
    with pytest.raises(RuntimeError), opened(clip("plain.mp4")) as found:
        container = found.container
        raise RuntimeError
    with pytest.raises((AssertionError, ValueError)):
        next(container.demux())


def test_a_file_object_is_read_by_pieces_alone():
    class Pieces(io.BytesIO):
        def read(self, size=-1):
            assert size is not None and size >= 0
            return super().read(size)

    with opened(Pieces((HERE / "plain.mkv").read_bytes())) as (container, stream, _):
        assert len(list(packets_of(container, stream))) == 50


def test_reasons_name_no_path_so_that_files_of_one_fault_are_counted_together(tmp_path):
    reasons = set()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"<!DOCTYPE html>")
        with pytest.raises(DecodeError) as error:
            open_container(str(tmp_path / name))
        reasons.add(error.value.reason)
    assert reasons == {"no video that can be opened (invalid data found when processing input)"}


def test_an_empty_file_is_said(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(DecodeError, match=r"^the file is empty$"):
        open_container(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("name", ["12:30.mp4", "pipe:0.mp4", "file:x.mp4", "-y.mp4", "%03d.mp4"])
def test_names_are_no_protocols(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes((HERE / "one.mp4").read_bytes())
    assert len(Video(name)) == 1
