"""Small labelled data sets, written as tools write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

DISC = ((np.mgrid[:40, :60][0] - 19.5) ** 2 + (np.mgrid[:40, :60][1] - 29.5) ** 2) < 12.2**2  # (40, 60)


def photo(path: Path, width: int = 60, height: int = 40, turn: int = 1, seed: int = 0) -> Path:
    """A picture of smooth noise with an EXIF orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    exif = image.getexif()
    if turn != 1:
        exif[274] = turn
    image.save(path, exif=exif)
    return path


def coco(
    path: Path, images: Any, annotations: Any, categories: Any = ({"id": 1, "name": "cell"},), **more: Any
) -> Path:
    """A COCO file of such lists."""
    value = {"images": images, "annotations": annotations, "categories": categories, **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({key: list(v) if isinstance(v, tuple) else v for key, v in value.items()}))
    return path


def image(k: int, name: str, width: int = 60, height: int = 40, **more: Any) -> dict[str, Any]:
    return {"id": k, "file_name": name, "width": width, "height": height, **more}


def thing(picture: Any, box: Any, category: Any = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": picture, "category_id": category, "bbox": box, **more}


def one(folder: Path, annotations: Any, *, turn: int = 1, **about: Any) -> Path:
    """A COCO file of one 60x40 picture, a.jpg."""
    photo(folder / "a.jpg", turn=turn)
    return coco(folder / "labels.json", [{"id": 1, "file_name": "a.jpg", **about}], annotations)


def voc(path: Path, objects: str, size: str = "<size><width>60</width><height>40</height></size>", **more: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "".join(f"<{tag}>{text}</{tag}>" for tag, text in more.items())
    path.write_text(f"<annotation>{head}{size}{objects}</annotation>", encoding="utf-8")
    return path


def voc_object(name: str, *corners: float, extra: str = "") -> str:
    tags = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, corners, strict=True))
    return f"<object><name>{name}</name>{extra}<bndbox>{box}</bndbox></object>"


def mask(path: Path, values: np.ndarray, palette: list[int] | None = None) -> Path:
    """A mask as a PNG (or whatever the ending says) of the array's own mode, or with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Image.fromarray(values)
    if palette is not None:
        made = Image.fromarray(values, "P") if values.dtype == np.uint8 and values.ndim == 2 else made
        made.putpalette(palette)
    made.save(path)
    return path


def masks(folder: Path, *values: np.ndarray, palette: list[int] | None = None, ending: str = "png") -> Path:
    """images/ and masks/ of such masks, each with a picture of its size."""
    for k, one_mask in enumerate(values):
        photo(folder / "images" / f"{k}.jpg", one_mask.shape[1], one_mask.shape[0], seed=k)
        mask(folder / "masks" / f"{k}.{ending}", one_mask, palette)
    return folder


def noted(data: Any, *words: str) -> bool:
    """Whether a finding has all these words."""
    return any(all(word in sentence for word in words) for sentence in data.findings)
