"""Pieces of a clip that move over it and are to be followed (CtP, Wang et al., CVPR 2021, 2105.02545)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.pixels.views.draw import Draws, first_true
from twofold.randomness import uniforms
from twofold.seam import Task
from twofold.videos.batch import ClipBatch
from twofold.videos.views.courses import KEY_NUMBERS, course, key_frames
from twofold.videos.views.pretext import Exercise, Pretext

SIDE = 112  # pixels of the view that all lengths below are for
SCALES = (16, 24, 28, 32, 48, 64)
RATIOS = (0.5, 0.67, 0.75, 1.0, 1.33, 1.5, 2.0)  # width / height
JITTER = 0.18  # of a side's logarithm
SPEED, GROWTH = 3.0, 0.025  # pixels a frame, and of a side's logarithm a frame, at most
SHAPES = (0.5, 0.35, 0.15)  # how often a patch is a rectangle, an ellipse or a rhombus
SOFT, EDGE = 0.5, (0.30, 0.45)  # how often edges are soft, and from which distance of the middle on
OPAQUE = 0.8  # at least
KEYS = 4


@dataclass(frozen=True)
class Tracks(Task):
    """Where the patches of B clips are. boxes: float32 (B, P, T, 4), left, top, right, bottom in whole pixels of the
    view. visible: bool (B, P, T), the frames into which each is pasted."""

    boxes: Tensor
    visible: Tensor


@dataclass(frozen=True)
class Appearance:
    """How the patches of B clips look.

    source: int64 (B, P), the frame that each is cut from. shape: int64 (B, P), place in `SHAPES`. edge: (B, P), the
    distance from the middle, the border being 0.5, from which on it fades; 0.5 for a hard edge. opacity: (B, P, T).
    """

    source: Tensor
    shape: Tensor
    edge: Tensor
    opacity: Tensor


@dataclass(frozen=True)
class Patches(Pretext):
    """Pastes `count` patches of each clip into its first view. visible: how often a patch is seen in a frame but the
    first and the one that it is cut from. whole: whether colours are cut to whole levels of 255 after each patch, as in
    the official code."""

    count: int = 3
    visible: float = 0.8
    whole: bool = False

    def exercise(self, batch: ClipBatch, draws: list[Draws], side: int, seed: int, epoch: int) -> Exercise:
        frames = batch.clips[0].shape[1]
        boxes = trajectories(batch.index, self.count, frames, side, seed, epoch)
        look, visible = self.look(batch.index, frames, seed, epoch)

        def alter(view: int, clips: Tensor) -> Tensor:
            return clips if view else pasted(clips, boxes, visible, look, self.whole)

        return Exercise(draws, Tracks(boxes, visible), alter)

    def look(self, index: Tensor, frames: int, seed: int, epoch: int) -> tuple[Appearance, Tensor]:
        """How the patches look, and in which frames they are seen."""
        count, rows = self.count, len(index)
        needs = [count, count, 2 * count, KEYS * count, KEY_NUMBERS, count * frames]
        numbers = uniforms(index, sum(needs), seed, "patches", epoch).split(needs, 1)
        source = (numbers[0] * frames).long()
        shape = (numbers[1] >= SHAPES[0]).long() + (numbers[1] >= SHAPES[0] + SHAPES[1]).long()
        soft, edge = numbers[2].chunk(2, 1)
        edge = torch.where(soft < SOFT, EDGE[0] + (EDGE[1] - EDGE[0]) * edge, 0.5)
        keys, eases = key_frames(numbers[4], frames)
        opacity = OPAQUE + (1 - OPAQUE) * numbers[3].view(rows, KEYS, count)
        opacity = opacity.gather(1, _own_keys(keys)[..., None].expand_as(opacity))
        visible = numbers[5].view(rows, count, frames) < self.visible
        visible[:, :, 0] = True
        visible.scatter_(2, source[..., None], True)
        return Appearance(source, shape, edge, course(keys, eases, opacity, frames).transpose(1, 2)), visible


def _own_keys(keys: Tensor) -> Tensor:
    """For each key the first one at the same frame: repeated keys have one value."""
    return first_true(keys[:, :, None] == keys[:, None, :])[..., 0]


def trajectories(index: Tensor, count: int, frames: int, side: int, seed: int, epoch: int) -> Tensor:
    """Boxes (B, count, frames, 4), float32 with whole numbers, of patches that move and change their size over views of
    side x side pixels: a function of (seed, epoch, index)."""
    rows, scale = len(index), side / SIDE
    needs = [5 * count, KEY_NUMBERS, KEY_NUMBERS, 4 * count * (KEYS - 1)]
    first, moves, grows, steps = uniforms(index, sum(needs), seed, "tracks", epoch).double().split(needs, 1)
    which, wide, high, left, top = first.view(rows, 5, count).unbind(1)
    anchors = _anchors(index.device) * scale
    size = anchors[(which * len(anchors)).long()] * ((2 * torch.stack([wide, high], 2) - 1) * JITTER).exp()
    size = size.clamp(1, side - 1)
    half = size / 2
    centre = half + torch.stack([left, top], 2) * (side - size)
    step = (2 * steps.view(rows, KEYS - 1, count, 4) - 1).unbind(1)
    (move_keys, move_eases), (grow_keys, grow_eases) = (key_frames(numbers, frames) for numbers in (moves, grows))
    centres, sizes = [centre], [size]
    for key in range(1, KEYS):
        moved, grown = ((keys[:, key] - keys[:, key - 1])[:, None, None] for keys in (move_keys, grow_keys))
        place = centres[-1] + SPEED * scale * step[key - 1][..., :2] * moved
        centres.append(torch.minimum(torch.maximum(place, half), side - half))
        sizes.append(sizes[-1] * (GROWTH * step[key - 1][..., 2:] * grown).exp())
    centre = course(move_keys, move_eases, torch.stack(centres, 1), frames)
    half = course(grow_keys, grow_eases, torch.stack(sizes, 1), frames) / 2
    return torch.cat([centre - half, centre + half], 3).clamp(0, side).round().transpose(1, 2).float()


def _anchors(device: torch.device) -> Tensor:
    """Widths and heights (42, 2) of the first boxes before their jitter, ratio by ratio."""
    sizes = [(scale * ratio**0.5, scale / ratio**0.5) for ratio in RATIOS for scale in SCALES]
    return torch.tensor(sizes, dtype=torch.float64, device=device)


def pasted(clips: Tensor, boxes: Tensor, visible: Tensor, look: Appearance, whole: bool) -> Tensor:
    """Clips (B, T, 3, S, S) with their patches, those of the largest mean width times mean height first."""
    sizes = (boxes[..., 2:] - boxes[..., :2]).mean(2).prod(2)
    order = sizes.sort(dim=1, descending=True, stable=True).indices
    rows = torch.arange(len(clips), device=clips.device)
    out = clips
    for patch in order.unbind(1):
        own, source = boxes[rows, patch], look.source[rows, patch]
        content = stretched(clips[rows, source], own[rows, source], own)
        alpha = faded(own, look.shape[rows, patch], look.edge[rows, patch], clips.shape[-1])
        alpha = alpha * (look.opacity[rows, patch] * visible[rows, patch])[..., None, None]
        out = blended(out, content, alpha, whole)
    return out


def blended(clips: Tensor, content: Tensor, alpha: Tensor, whole: bool = False) -> Tensor:
    """(1 - alpha) clips + alpha content: (B, T, 3, S, S) both, alpha (B, T, S, S). whole: cut to levels of 255."""
    mixed = torch.lerp(clips, content, alpha[:, :, None])
    return (mixed * 255 + 1e-3).floor() / 255 if whole else mixed


def stretched(pictures: Tensor, source: Tensor, boxes: Tensor) -> Tensor:
    """What lies in a box of a picture, brought to boxes of T frames: pictures (B, 3, S, S), source (B, 4), boxes (B, T,
    4) -> (B, T, 3, S, S), bilinear, without meaning outside the boxes."""
    side = pictures.shape[-1]
    down, across = (_weights(source[:, axis::2], boxes[..., axis::2], side) for axis in (1, 0))
    return torch.einsum("btih,bchw,btjw->btcij", down.to(pictures), pictures, across.to(pictures))


def _weights(source: Tensor, target: Tensor, side: int) -> Tensor:
    """What each of `side` pixels of the source gives to each of the target along one axis, (B, T, side, side): from
    begin and end (B, 2) to begins and ends (B, T, 2), as a bilinear resize of the pixels between."""
    at = torch.arange(side, device=source.device)
    begin, end = source[:, None, :1], source[:, None, 1:]
    length = (target[..., 1:] - target[..., :1]).clamp(min=1)
    places = (at + 0.5 - target[..., :1]) / length * (end - begin) + begin - 0.5
    places = torch.minimum(torch.maximum(places, begin), (end - 1).clamp(min=0))
    return (1 - (places[..., None] - at).abs()).clamp(min=0)


def faded(boxes: Tensor, shape: Tensor, edge: Tensor, side: int) -> Tensor:
    """The opacity (B, T, S, S) that shape and edge (B,) give to patches at boxes (B, T, 4), 0 outside."""
    at = torch.arange(side, device=boxes.device) + 0.5
    begin, end = boxes[..., None, :2], boxes[..., None, 2:]
    along = (at[:, None] - (begin + end) / 2) / (end - begin).clamp(min=1)
    across, down = along[..., 0].abs()[..., None, :], along[..., 1].abs()[..., :, None]
    ways = torch.stack([torch.maximum(across, down), (across**2 + down**2).sqrt(), across + down])
    distance = ways[shape, torch.arange(len(boxes), device=boxes.device)]
    inside = (distance <= 0.5) & (across <= 0.5) & (down <= 0.5)
    edge = edge[:, None, None, None]
    slope = ((0.5 - distance) / (0.5 - edge).clamp(min=1e-6)).clamp(0, 1)
    return torch.where(edge < 0.5, slope, 1.0) * inside
