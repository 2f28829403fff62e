"""Procedural backgrounds for motion_capture_videos.py: strongly coloured pictures that numpy draws from a seed."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

Picture = np.ndarray
Draw = np.random.Generator


def colours(draw: Draw, count: int) -> np.ndarray:
    """`count` strong colours far apart in hue, float (count, 3) in 0..255."""
    first, side = draw.uniform(), draw.choice([-1, 1])
    hues = [(first + side * i * 0.38 + draw.uniform(-0.06, 0.06)) % 1 for i in range(count)]
    strong = [colorsys.hsv_to_rgb(h, draw.uniform(0.5, 1.0), draw.uniform(0.35, 1.0)) for h in hues]
    return np.array(strong) * 255


def grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel in units of the height, each float (height, width)."""
    y, x = np.mgrid[:height, :width] / height
    return x, y


def mix(weight: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """From colour a (weight 0) to colour b (weight 1): float (height, width, 3)."""
    return a + weight[..., None] * (b - a)


def turned(draw: Draw, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The grid turned by a drawn angle."""
    (x, y), angle = grid(width, height), draw.uniform(0, np.pi)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def smooth_noise(draw: Draw, width: int, height: int, cells: int) -> np.ndarray:
    """Noise that is linear between a lattice of `cells` random values a height, in 0..1: float (height, width)."""
    x, y = grid(width, height)
    lattice = draw.uniform(size=(cells + 2, int(cells * width / height) + 3))
    left, top = (x * cells).astype(int), (y * cells).astype(int)
    right, down = x * cells - left, y * cells - top
    upper = lattice[top, left] * (1 - right) + lattice[top, left + 1] * right
    lower = lattice[top + 1, left] * (1 - right) + lattice[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def gradient(draw: Draw, width: int, height: int) -> Picture:
    """Three colours blended along a drawn direction."""
    along, _ = turned(draw, width, height)
    place = (along - along.min()) / np.ptp(along) * 2
    a, b, c = colours(draw, 3)
    return np.where((place < 1)[..., None], mix(place, a, b), mix(place - 1, b, c))


def noise(draw: Draw, width: int, height: int) -> Picture:
    """Two colours mixed by noise of four scales."""
    first = int(draw.integers(2, 7))
    layers = [smooth_noise(draw, width, height, first * 2**i) / 1.6**i for i in range(4)]
    total = np.sum(layers, 0)
    return mix((total - total.min()) / np.ptp(total), *colours(draw, 2))


def checker(draw: Draw, width: int, height: int) -> Picture:
    """A turned board of two colours."""
    (u, v), cells = turned(draw, width, height), draw.uniform(4, 11)
    return mix((np.floor(u * cells) + np.floor(v * cells)) % 2, *colours(draw, 2))


def stripes(draw: Draw, width: int, height: int) -> Picture:
    """Turned stripes of three colours."""
    u, _ = turned(draw, width, height)
    return colours(draw, 3)[(np.floor(u * draw.uniform(5, 14)) % 3).astype(int)]


def blobs(draw: Draw, width: int, height: int) -> Picture:
    """Discs of four colours, drawn sizes and places on a fifth."""
    x, y = grid(width, height)
    palette = colours(draw, 5)
    picture = np.broadcast_to(palette[0], (height, width, 3)).copy()
    for number in range(int(draw.integers(15, 40))):
        cx, cy, radius = draw.uniform(0, width / height), draw.uniform(), draw.uniform(0.04, 0.2)
        picture[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = palette[1 + number % 4]
    return picture


def horizon(draw: Draw, width: int, height: int) -> Picture:
    """A clouded sky over a floor of tiles in perspective."""
    (x, y), edge = grid(width, height), draw.uniform(0.45, 0.7)
    sky, cloud, tile, other = colours(draw, 4)
    depth = 1 / np.maximum(y - edge + 0.03, 0.03)
    across = (x - width / height / 2) * depth
    floor = mix((np.floor(across * draw.uniform(1, 3)) + np.floor(depth * draw.uniform(0.6, 1.5))) % 2, tile, other)
    clouds = mix(smooth_noise(draw, width, height, 4) ** 2, sky, cloud)
    return np.where((y < edge)[..., None], clouds, floor)


KINDS: dict[str, Callable[[Draw, int, int], Picture]] = {
    f.__name__: f for f in (gradient, noise, checker, stripes, blobs, horizon)
}


def background(name: str, width: int, height: int, draw: Draw) -> Picture:
    """The picture of a name `KIND-...`: uint8 (height, width, 3). Raises KeyError where there is no such kind."""
    picture = KINDS[name.partition("-")[0]](draw, width, height)
    grain = draw.normal(0, 4, (height, width, 1))
    return np.clip(picture + grain, 0, 255).round().astype(np.uint8)
