"""Whether a cell is found again in another crop of the same picture: the probe that needs no labels."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.images.dense.grid import unit
from twofold.images.dense.maps import Mapper
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views import Augmentation
from twofold.pixels.views.augmentations import Crop, Flip, Grey, Jitter, Normalise, Operation
from twofold.pixels.views.views import ImageViews
from twofold.seam import Geometry, Views

CROP = (0.3, 1.0)  # share of the picture's area
COLOUR = (Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grey(0.2))  # MoCo v2's


@dataclass(frozen=True)
class CorrespondenceScores:
    """accuracy: share of the asked cells, 0..1, whose nearest cell of the other view by cosine is centred at most one
    stride away from where they truly lie. median_error: of that distance, in pixels of the view. chance: the accuracy
    of answers drawn at random from the other view's cells. cells: that were asked. pairs: of views.
    """

    accuracy: float
    median_error: float
    chance: float
    cells: int
    pairs: int


class Matches(NamedTuple):
    """The n asked cells of one pair, float64 on the CPU. asked: (n, 2), x and y in pixels of the first view. found,
    true: the nearest cell's centre and where they truly lie, (n, 2) in pixels of the second. chance: (n,)."""

    asked: Tensor
    found: Tensor
    true: Tensor
    chance: Tensor


OnPair = Callable[[Views, int, Matches], None]  # a batch of pairs, and which of them


def crops_and_flips(colour: bool = False) -> Augmentation:
    """Two random crops (0.3 to 1 of the area), each mirrored or not; with `colour` also MoCo v2's jitter and grey."""
    operations: tuple[Operation, ...] = (Crop(CROP), *(COLOUR if colour else ()), Flip(0.5), Normalise())
    return Augmentation((operations,))


def pair_maker(mapper: Mapper, side: int, *, seed: int, colour: bool = False) -> ImageViews:
    """Makes the pairs of views of `side` pixels, the same for every mapper with these inputs."""
    statistics = (mapper.inputs.mean, mapper.inputs.std)
    return ImageViews(crops_and_flips(colour), side, seed=seed, statistics=statistics)


def correspondence(
    mapper: Mapper,
    batches: Iterable[ImageBatch],
    views: ImageViews,
    *,
    rounds: int = 1,
    skip: Container[int] = (),
    on_pair: OnPair | None = None,
) -> CorrespondenceScores:
    """Cells of one view of a picture sought among those of another, over pictures and `rounds` pairs of each.

    Asked are the cells of the first view whose centre lies inside the second. skip: indices of pictures to leave out,
    looked at after each batch. Without any cell to ask everything is 0. on_pair: sees each pair.
    """
    errors: list[Tensor] = []
    by_chance: list[Tensor] = []
    pairs = 0
    for batch in batches:
        moved = batch.to(mapper.inputs.device)
        keep = torch.tensor([i not in skip for i in batch.index.tolist()], dtype=torch.bool)
        for number in range(rounds):
            made = views(moved, number)
            maps = [mapper.maps(view) for view in made.tensors]
            for row, found in pair_matches(maps, made, mapper, keep):
                errors.append((found.found - found.true).norm(dim=1))
                by_chance.append(found.chance)
                if on_pair:
                    on_pair(made, row, found)
            pairs += int(keep.sum())
    error, chance = (torch.cat(found) if found else torch.zeros(0) for found in (errors, by_chance))
    if not len(error):
        return CorrespondenceScores(0.0, 0.0, 0.0, 0, pairs)
    right = _within(error, mapper.stride).mean().item()
    return CorrespondenceScores(right, error.median().item(), chance.mean().item(), len(error), pairs)


def pair_matches(maps: Sequence[Tensor], made: Views, mapper: Mapper, keep: Tensor) -> Iterator[tuple[int, Matches]]:
    """The asked cells of each pair of a batch that counts, with its number.

    maps: of the first and of the second views, (B, C, rows, columns). keep: bool (B,), the pictures that count.
    """
    side = made.tensors[0].shape[2:]
    centres = [mapper.grid(side, side, found.shape[2:]).centres() for found in maps]
    true = carried(centres[0], made.geometry[0], made.geometry[1], side)
    inside = ((true >= -0.5) & (true <= torch.tensor([side[1], side[0]]) - 0.5)).all(2)
    for number in keep.nonzero()[:, 0].tolist():
        asked = inside[number]
        first, second = (unit(found[number].flatten(1), dim=0) for found in maps)
        best = (first.T[asked.to(first.device)] @ second).argmax(1).cpu()
        place = true[number][asked]
        away = (centres[1] - place[:, None]).norm(dim=2)
        chance = _within(away, mapper.stride).mean(1)
        yield number, Matches(centres[0][asked], centres[1][best], place, chance)


def _within(errors: Tensor, stride: float) -> Tensor:
    return (errors <= stride + 1e-6).double()


def carried(points: Tensor, here: Geometry, there: Geometry, side: Sequence[int]) -> Tensor:
    """Points (n, 2), x and y in pixels of one view, in those of another view of the same B pictures: (B, n, 2).

    0 is the centre of the first pixel. side: height and width of both views.
    """
    size = torch.tensor([side[1], side[0]], dtype=torch.float64)
    share = (points + 0.5) / size  # 0..1 across the view
    place = _mirrored(share.expand(len(here.box), -1, -1), here.flip)
    box, other = here.box.cpu().double(), there.box.cpu().double()
    source = box[:, None, :2] + place * (box[:, 2:] - box[:, :2])[:, None]
    landed = (source - other[:, None, :2]) / (other[:, 2:] - other[:, :2])[:, None]
    return _mirrored(landed, there.flip) * size - 0.5


def _mirrored(share: Tensor, flip: Tensor) -> Tensor:
    x = torch.where(flip.cpu()[:, None], 1 - share[..., 0], share[..., 0])
    return torch.stack([x, share[..., 1]], -1)
