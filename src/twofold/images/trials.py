"""What images need of the machine, for `twofold doctor`."""

from __future__ import annotations

import io
from collections.abc import Iterator

from twofold.catalog.trials import Trial, try_out, version_of


def trials() -> Iterator[Trial]:
    """Decoding, and what options need beside it."""
    yield try_out("images: decoding", "pillow", "pip install pillow", _decode)
    yield _present("images: networks of timm", "timm", "timm")
    yield _present("images: export to ONNX", "onnx", "onnx")
    yield _present("images: COCO's average precision", "pycocotools", "dense")
    yield _present("images: the report page", "plotly", "report")


def _decode() -> str:
    from PIL import Image

    kinds = ("JPEG", "PNG", "WEBP", "TIFF")
    for kind in kinds:
        held = io.BytesIO()
        Image.new("RGB", (8, 8), (200, 100, 0)).save(held, kind)
        Image.open(held).convert("RGB")
    return f"{', '.join(kinds)} by Pillow {version_of('pillow')}"


def _present(what: str, package: str, extra: str) -> Trial:
    found = version_of(package)
    return (
        Trial(what, "works", f"{package} {found}")
        if found
        else Trial(what, "missing", f'pip install "twofold[{extra}]"')
    )
