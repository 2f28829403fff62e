"""Files of numbers, .npy and DICOM, as arrays of pixels."""

from __future__ import annotations

import io
import math

import numpy as np

from twofold.bounded import ArrayError, check_size, read_header, read_values
from twofold.errors import UserError, clause
from twofold.pixels.reading.failure import DecodeError

HEAD = 132  # bytes by which such files are known
NPY, DICOM = b"\x93NUMPY", b"DICM"


def holds_numbers(head: bytes) -> bool:
    """Whether a file that begins so is an .npy or DICOM file."""
    return head.startswith(NPY) or head[HEAD - len(DICOM) : HEAD] == DICOM


def unpacked(data: bytes) -> bytes | np.ndarray:
    """The pixels of an .npy or DICOM file, (H, W), (H, W, C) or (C, H, W); the bytes of any other. Raises DecodeError
    where they are damaged, and UserError where a DICOM file cannot be read for lack of a library."""
    if not holds_numbers(data[:HEAD]):
        return data
    return _of_npy(data) if data.startswith(NPY) else _of_dicom(data)


def _of_npy(data: bytes) -> np.ndarray:
    try:
        file = io.BytesIO(data)
        header = read_header(file)
        check_size(header.nbytes, len(data) - header.start)
        file.seek(header.start)
        return read_values(file, header)
    except (ArrayError, ValueError, OverflowError) as error:
        raise DecodeError(f"no whole .npy file ({clause(error)})") from error


def _of_dicom(data: bytes) -> np.ndarray:
    """The stored values of one frame; MONOCHROME1, where low is bright, turned round."""
    try:
        import pydicom
        from pydicom.pixels import pixel_array
    except ImportError as error:
        raise UserError("DICOM files need the extra: pip install 'twofold[dicom]'.") from error
    try:
        read = pydicom.dcmread(io.BytesIO(data))
        frames = int(read.get("NumberOfFrames", 1) or 1)
        if frames != 1:
            raise DecodeError(f"a DICOM file of {frames} frames, of which one is an image: save each by itself")
        sides = (int(read.Rows), int(read.Columns), int(read.SamplesPerPixel))
        claimed = math.prod(sides) * int(read.BitsAllocated) // 8
        check_size(claimed, len(data), read.file_meta.TransferSyntaxUID.is_compressed)
        pixels = pixel_array(read)
        if read.PhotometricInterpretation != "MONOCHROME1":
            return pixels
        return (-1 if pixels.dtype.kind == "i" else (1 << int(read.BitsStored)) - 1) - pixels
    except DecodeError:
        raise
    except Exception as error:  # pydicom raises nearly everything on broken files
        raise DecodeError(f"a DICOM file that cannot be read ({clause(error)})") from error
