"""How an image becomes a vector, as Python that needs Pillow and torchvision alone; run against what twofold does."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from twofold.errors import UserError, clause
from twofold.images.backbones import Backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.reading.decode import LONGEST, decode_centre, open_header, resized_side
from twofold.images.reading.deep import is_deep
from twofold.images.reading.pixels import WHOLE, PixelRule
from twofold.pixels.batch import RGB, ImageBatch
from twofold.pixels.views.views import evaluation_view

FILE, ARRAY = "image.jpg", "image.npy"  # the names that the lines open
TOLERANCE = 1e-3


def transform_lines(inputs: InputSettings, rule: PixelRule) -> list[str]:
    """Python that makes of the file image.jpg the input `x`, float32 (1, 3, size, size), of the backbone.

    Five lines of torchvision.transforms.v2 in a Compose; before them the file as upright RGB, with its transparency
    over white, or without its fourth channel. For images up to 8 times as long as wide. rule: that of the data; not
    for colours of 16 bits a channel, of which Pillow keeps 8. Where channels are kept, the lines begin with image.npy,
    an array (H, W, C), and need numpy for Pillow.
    """
    if rule.channels:
        return _lines_of_channels(inputs, rule)
    mean, std = (", ".join(f"{float(v):.6g}" for v in values) for values in (inputs.mean, inputs.std))
    grey = [] if rule.white is None else [
        "if image.mode[0] in 'IF':  # grey of more than 8 bits",
        f"    levels = numpy.asarray(image).astype(float).clip(0, {rule.white:g})",
        f"    image = Image.fromarray(numpy.uint8(levels * (255 / {rule.white:g}) + 0.5))",
    ]  # fmt: skip
    white = "Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image.convert('RGBA')).convert('RGB')"
    return [
        *(["import numpy"] if grey else []),
        "import torch",
        "from PIL import Image, ImageOps",
        "from torchvision.transforms import v2",
        f"image = ImageOps.exif_transpose(Image.open({FILE!r}))",
        *grey,
        f"image = {'image.convert(' + repr('RGB') + ')' if rule.fourth == 'drop' else white}",
        "transform = v2.Compose([",
        "    v2.PILToTensor(),",
        f"    v2.Resize({resized_side(inputs.size)}, antialias=True),",
        f"    v2.CenterCrop({inputs.size}),",
        "    v2.ToDtype(torch.float32, scale=True),",
        f"    v2.Normalize(({mean}), ({std})),",
        "])",
        "x = transform(image)[None]",
    ]


def _lines_of_channels(inputs: InputSettings, rule: PixelRule) -> list[str]:
    mean, std = (_tuple(values) for values in (inputs.mean, inputs.std))
    white = WHOLE if rule.white is None else rule.white
    levels, kind = "levels", "uint16" if rule.deep else "uint8"
    if rule.deep and (rule.black, white) != (0, WHOLE):
        levels = f"((levels - {rule.black!r}) * ({WHOLE} / {white - rule.black!r})).clip(0, {WHOLE}).round()"
    return [
        "import numpy, torch",
        "from torchvision.transforms import v2",
        f"levels = numpy.load({ARRAY!r}).astype(float)  # (H, W, {rule.channels}), upright",
        f"image = torch.from_numpy({levels}.astype(numpy.{kind})).permute(2, 0, 1).contiguous()",
        "transform = v2.Compose([",
        f"    v2.Resize({resized_side(inputs.size)}, antialias=True),",
        f"    v2.CenterCrop({inputs.size}),",
        "    v2.ToDtype(torch.float32, scale=True),",
        f"    v2.Normalize({mean}, {std}),",
        "])",
        "x = transform(image)[None]",
    ]


def _tuple(values: Sequence[float]) -> str:
    """Numbers as Python writes a tuple of them."""
    return f"({', '.join(f'{float(value):.6g}' for value in values)},)"


def facts(inputs: InputSettings, pixels: PixelRule) -> dict[str, Any]:
    """What the metadata of vectors and of weights say of how an image becomes a vector."""
    about: dict[str, Any] = {"white": pixels.white, "fourth_channel": pixels.fourth, "precision": inputs.precision}
    if pixels.channels:
        about |= {"channels": pixels.channels, "deep": pixels.deep}
    if pixels.black:
        about["black"] = pixels.black
    return {**about, "transform": transform_lines(inputs, pixels)}


def run_lines(lines: Sequence[str], image: str | Path | BinaryIO) -> Tensor:
    """What the lines make of an image file: `x`."""
    scope: dict[str, Any] = {"image": image}
    exec("\n".join(lines).replace(repr(FILE), "image").replace(repr(ARRAY), "image"), scope)
    return scope["x"]


@torch.no_grad()
def check_lines(
    lines: Sequence[str], image: bytes | np.ndarray, backbone: Backbone, inputs: InputSettings, pixels: PixelRule
) -> float:
    """The difference of the vector that a backbone on the CPU makes of a stored image, or of an array where channels
    are kept, by the lines from the one by our own reading, as a share of its length. Raises UserError where it is more
    than 0.001."""
    square = decode_centre(image, inputs.size, pixels)
    batch = ImageBatch(torch.zeros(1, dtype=torch.int64), square[None], torch.tensor([[inputs.size, inputs.size]]))
    ours = backbone(evaluation_view(batch, inputs.mean, inputs.std)).pooled
    try:
        theirs = backbone(run_lines(lines, io.BytesIO(image if isinstance(image, bytes) else as_npy(image)))).pooled
    except Exception as error:  # the lines run here
        raise UserError(f"The lines that make an image the input of the network fail ({clause(error)}).") from error
    apart = ((ours - theirs).norm() / ours.norm().clamp_min(1e-12)).item()
    if not apart <= TOLERANCE:
        raise UserError(f"The lines that make an image the input give another vector (by {apart:.1e} of its length).")
    return apart


def as_npy(array: np.ndarray) -> bytes:
    """An array as an .npy file."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def channels_made(rule: PixelRule) -> np.ndarray:
    """An array (H, W, C) with detail at every scale, of levels that are kept by a rule: integers where they can be."""
    made = np.concatenate([_shaped(seed) for seed in range(-(-rule.count // RGB))])[: rule.count].transpose(1, 2, 0)
    if not rule.deep:
        return made.astype(np.uint8)
    white = WHOLE if rule.white is None else rule.white
    levels = rule.black + made / 255 * (white - rule.black)
    return levels.astype(np.uint16) if (rule.black, white) == (0, WHOLE) else levels


def can_be_checked(data: bytes | np.ndarray) -> bool:
    """Whether the lines are meant for an image: a file of 8 bits a channel, not too long."""
    if isinstance(data, np.ndarray):
        return False
    try:
        header = open_header(io.BytesIO(data))
        return not is_deep(header) and max(header.size) <= LONGEST * min(header.size)
    except Exception:  # Pillow's plugins raise nearly everything on broken files
        return False


def turned_photograph() -> bytes:
    """A JPEG with detail at every scale, as photographs have, that its EXIF block turns by a quarter."""
    pixels = _shaped(0).astype(np.uint8).transpose(1, 2, 0)
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(out, "JPEG", exif=exif)
    return out.getvalue()


def _shaped(seed: int) -> np.ndarray:
    """float64 (3, 333, 500) in 0..255, with detail at every scale."""
    draws, height, width = np.random.default_rng(seed), 333, 500
    noise = np.fft.fft2(draws.normal(size=(3, height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    shaped = np.fft.ifft2(noise / (frequency + 1 / width)).real
    return (128 + 50 * shaped / shaped.std()).clip(0, 255)
