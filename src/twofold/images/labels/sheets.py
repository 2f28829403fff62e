"""One mask file -> its values exactly as stored: class numbers or colours, whatever the mode of the file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twofold.images.labels.pictures import turned_back
from twofold.images.reading.decode import explain, open_header, orientation
from twofold.pixels.reading.failure import DecodeError

SEVERAL = (2, 4, 6)  # PNG's colour types of more than one channel

Values = NDArray[np.int64]
Palette = tuple[int, ...]


@dataclass(frozen=True)
class Sheet:
    """A mask as stored. values: int64 (h, w), numbers or colours 0xRRGGBB. palette: the colours of a palette file's
    numbers. lossy: its format changes values (JPEG, lossy WebP). fractional: it held values between whole numbers."""

    values: Values
    colours: bool
    palette: Palette = ()
    lossy: str = ""
    fractional: bool = False


def read_sheet(data: bytes | np.ndarray) -> Sheet:
    """A mask from a file's bytes. Raises DecodeError, also where an alpha channel has a shape of its own."""
    if isinstance(data, np.ndarray):
        return _of_array(data)
    try:
        image = open_header(io.BytesIO(data))
        if image.format == "PNG" and data[24] == 16 and data[25] in SEVERAL:
            raise DecodeError("16 bits in each of several channels, of which 8 would be lost; save it in one channel")
        image.load()
        turn = orientation(image)
        kind = image.format or ""
        mode = image.mode
        if mode == "CMYK" or mode == "YCbCr":
            image = image.convert("RGB")
        array = np.asarray(image)
    except DecodeError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly everything on broken files
        raise DecodeError(explain(error, data)) from error
    palette = _palette(image.getpalette("RGB")) if mode in ("P", "PA") else ()
    lossy = kind if kind in ("JPEG", "MPO", "JPEG2000", "AVIF") or (kind == "WEBP" and b"VP8 " in data[:64]) else ""
    found = _of_array(array)
    if turn != 1 and kind != "TIFF":  # of TIFF Pillow has turned the pixels itself
        found = replace(found, values=_upright(found.values, turn))
    return replace(found, palette=palette, lossy=lossy)


def _upright(values: Values, turn: int) -> Values:
    import torch

    back = {6: 8, 8: 6}.get(turn, turn)  # turning upright is turning back the opposite turn
    return turned_back(torch.from_numpy(values), back).contiguous().numpy()


def _palette(flat: Sequence[int] | None) -> Palette:
    flat = list(flat or [])
    return tuple(flat[k] << 16 | flat[k + 1] << 8 | flat[k + 2] for k in range(0, len(flat) - 2, 3))


def _of_array(array: np.ndarray) -> Sheet:
    if array.ndim == 3 and array.shape[2] in (2, 4):
        alpha = array[..., -1]
        if alpha.min() != alpha.max():
            raise DecodeError("its alpha channel has a shape of its own; save the mask without transparency")
        array = array[..., :-1]
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8:
        wide = array.astype(np.int64)
        return Sheet(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], True)
    if array.ndim != 2 or not array.size:
        raise DecodeError(f"an array of shape {list(array.shape)} is no mask")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise DecodeError("it has values that are not finite")
        whole = np.round(array)
        return Sheet(whole.astype(np.int64), False, fractional=bool((whole != array).any()))
    if array.dtype.kind not in "iub":
        raise DecodeError(f"values of {array.dtype} are no classes")
    return Sheet(array.astype(np.int64), False)
