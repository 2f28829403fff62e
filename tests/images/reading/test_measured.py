"""Files of numbers, one an image: .npy in folders, lists and tar shards, and DICOM."""

from __future__ import annotations

import io
import sys
import tarfile

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.images.reading import DecodeError, open_source
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.measured import unpacked

PIXELS = np.random.default_rng(0).integers(0, 65536, (6, 13, 20, 24), dtype=np.uint16)


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def stored(folder, kind):
    for i, one in enumerate(PIXELS):
        (folder / "ab"[i % 2]).mkdir(exist_ok=True)
        (folder / "ab"[i % 2] / f"{i}.npy").write_bytes(npy(one))
    names = [f"{'ab'[i % 2]}/{i}.npy" for i in range(len(PIXELS))]
    if kind == "list":
        (folder / "all.txt").write_text("\n".join(names))
        return folder / "all.txt"
    return folder


@pytest.mark.parametrize("kind", ["folder", "list"])
def test_a_file_of_numbers_is_an_image(tmp_path, kind):
    source = open_source(str(stored(tmp_path, kind)))
    notes = settle_pixels(source)
    assert "channels: 13 channels of 16 bits" in notes[0] and source.pixels.channels == 13
    found = {name: source.fetch(i) for i, name in enumerate(source.names)}
    assert all((found[f"{'ab'[i % 2]}/{i}.npy"] == one).all() for i, one in enumerate(PIXELS))
    assert source.class_count() == 2


def test_beside_other_images_they_are_passed_over_as_before(tmp_path):
    from PIL import Image

    stored(tmp_path, "folder")
    Image.new("RGB", (20, 20)).save(tmp_path / "a" / "0.png")
    source = open_source(str(tmp_path))
    assert list(source.names) == ["a/0.png"] and source.skipped == {".npy": 6}


def test_what_is_not_whole_or_would_have_to_run_is_refused():
    data = npy(PIXELS[0])
    for wrong in (data[:-1], data[:70], data[:20], data[:130]):
        with pytest.raises(DecodeError, match=r"no whole \.npy file"):
            unpacked(wrong)
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    with pytest.raises(DecodeError, match="cut short"):
        unpacked(huge.getvalue())
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    with pytest.raises(DecodeError, match="Python objects"):
        unpacked(pickled.getvalue())
    assert unpacked(b"\xff\xd8 anything else") == b"\xff\xd8 anything else"


def dicom(pixels, bits=16, **more):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.Rows, made.Columns, made.SamplesPerPixel = *pixels.shape[:2], 1
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, bits, bits - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PhotometricInterpretation, made.PixelData = "MONOCHROME2", pixels.tobytes()
    for name, value in more.items():
        setattr(made, name, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, made)
    return out.getvalue()


def test_dicom_files_give_their_stored_values(tmp_path):
    grey = PIXELS[:4, 0] >> 4
    for i, one in enumerate(grey):
        (tmp_path / f"{i}.dcm").write_bytes(dicom(one, bits=12))
    source = open_source(str(tmp_path))
    assert (source.fetch(2) == grey[2]).all()
    assert "4,095 counts as white" in settle_pixels(source)[0] and source.pixels.channels is None
    settle_pixels(source, channels=1)
    assert source.pixels.describe() == "1 channel of 16 bits"
    assert (unpacked(dicom(grey[0], bits=12, PhotometricInterpretation="MONOCHROME1")) == 4095 - grey[0]).all()
    signed = (grey[0].astype(np.int16) - 1024).astype(np.int16)
    assert (unpacked(dicom(signed)) == signed).all()
    assert (unpacked(dicom(signed, PhotometricInterpretation="MONOCHROME1")) == -1 - signed).all()


def test_dicom_files_that_are_not_whole_or_have_frames_are_refused(monkeypatch):
    data = dicom(PIXELS[0, 0])
    for wrong in (data[:200], data[:-100], dicom(PIXELS[0, 0], Rows=60000), dicom(PIXELS[0, 0], NumberOfFrames=4)):
        with pytest.raises(DecodeError, match="a DICOM file"):
            unpacked(wrong)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(UserError, match=r"DICOM files need the extra: pip install 'twofold\[dicom\]'"):
        unpacked(data)


def test_in_tar_shards_they_are_images_by_name_of_dicom(tmp_path):
    data = dicom(PIXELS[0, 0])
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        entry = tarfile.TarInfo("x/0.dcm")
        entry.size = len(data)
        file.addfile(entry, io.BytesIO(data))
    assert (open_source(str(tmp_path / "a.tar")).fetch(0) == PIXELS[0, 0]).all()
