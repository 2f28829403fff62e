"""Pictures to maps: a frozen backbone's cells, or blocks of raw pixels on the same grid."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError
from twofold.images.backbones import Backbone
from twofold.images.dense.any_size import AnySize, grid_of, patch_of
from twofold.images.dense.grid import Axis, Grid
from twofold.images.evaluation.features import InputSettings
from twofold.images.labels.records import Labelled
from twofold.resources import free_memory, usable_cores

Layers = Literal["last", "3", "3+4"]
MOST_AREA = 4  # of a working picture, in squares of its short side: panoramas are shrunk further
BATCH_PIXELS = 2**22  # of the working pictures that a network sees at once
KEPT_SHARE = 0.25  # of the free memory may hold maps
READ_AHEAD = 16
PIXEL_SIDE = 4  # a block of raw pixels is shrunk to so many a side


class Mapped(NamedTuple):
    """The map of one picture: its number in the data, float32 (C, rows, columns) on the device, where its cells lie."""

    number: int
    map: Tensor
    grid: Grid


class Mapper(ABC):
    """What makes a map of a picture. inputs: `size` is the short side to which pictures are resized.

    stride, centre: working pixels from cell to cell, and of the centre of cell 0 (see `grid.Axis`).
    """

    inputs: InputSettings
    stride: int
    centre: float

    @abstractmethod
    def maps(self, views: Tensor) -> Tensor:
        """Normalised float32 (B, 3, H, W) on the device -> float32 (B, C, rows, columns)."""

    @abstractmethod
    def with_inputs(self, inputs: InputSettings) -> Mapper:
        """The same with other inputs."""

    def view(self, picture: Tensor) -> Tensor:
        """A uint8 picture (3, H, W), resized and normalised: float32 (3, h, w) on the device."""
        height, width = working_size(picture.shape[1], picture.shape[2], self.inputs.size)
        resized = F.interpolate(picture[None], (height, width), mode="bilinear", antialias=True)[0]
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.inputs.mean, self.inputs.std))
        return ((resized.float() / 255 - mean) / std).to(self.inputs.device)

    def grid(self, source: Sequence[int], working: Sequence[int], cells: Sequence[int]) -> Grid:
        """Where the cells of a map lie; each argument is height and width: pixels, pixels, cells."""
        sides = (Axis(*sizes, self.stride, self.centre) for sizes in zip(source, working, cells, strict=True))
        return Grid(*sides)

    def of(self, picture: Tensor) -> tuple[Tensor, Grid]:
        """The map (C, rows, columns) of one uint8 picture, and its grid."""
        view = self.view(picture)
        made = self.maps(view[None])[0]
        return made, self.grid(picture.shape[1:], view.shape[1:], made.shape[1:])

    def stream(self, data: Labelled, indices: Sequence[int], workers: int | None = None) -> Iterator[Mapped]:
        """The maps of pictures in the order of `indices`; those of one size that follow each other go as one batch.

        workers: threads that read pictures; the usable cores by default.
        """
        for batch in _alike(self._views(data, indices, workers), self.inputs.batch_size):
            maps = self.maps(torch.stack([view for _, view, _ in batch]))
            for (index, view, source), made in zip(batch, maps, strict=True):
                yield Mapped(index, made, self.grid(source, view.shape[1:], made.shape[1:]))

    def _views(
        self, data: Labelled, indices: Sequence[int], workers: int | None
    ) -> Iterator[tuple[int, Tensor, Sequence[int]]]:
        with ThreadPoolExecutor(
            usable_cores() if workers is None else max(workers, 1), thread_name_prefix="pictures"
        ) as readers:
            for start in range(0, len(indices), READ_AHEAD):
                part = indices[start : start + READ_AHEAD]
                for index, picture in zip(part, readers.map(data.picture, part), strict=True):
                    yield index, self.view(picture), picture.shape[1:]


def _alike(
    views: Iterator[tuple[int, Tensor, Sequence[int]]], most: int
) -> Iterator[list[tuple[int, Tensor, Sequence[int]]]]:
    batch: list[tuple[int, Tensor, Sequence[int]]] = []
    for item in views:
        shape = item[1].shape
        full = len(batch) >= most or len(batch) * shape[1] * shape[2] >= BATCH_PIXELS
        if batch and (full or batch[0][1].shape != shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def working_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after the resize: the short side as asked, the shape kept, at most MOST_AREA of its squares."""
    scale = min(short_side / min(height, width), (MOST_AREA * short_side**2 / (height * width)) ** 0.5)
    return max(round(height * scale), 1), max(round(width * scale), 1)


@dataclass(frozen=True)
class DenseFeatures(Mapper):
    """The map of a frozen backbone, in evaluation mode, for pictures of any size and shape.

    layers: "last" is its last map; of ResNets "3" is that of stage 3, at half the stride, and "3+4" both, the last one
    enlarged to the other's cells. Patch embeddings get pictures padded right and below, by reflection, to whole
    patches, and position embeddings interpolated to their grid; tokens before the patches are left out. Raises
    UserError where the backbone has no map, no stages, or does not run on such a picture.
    """

    backbone: Backbone
    inputs: InputSettings
    layers: Layers = "last"

    @cached_property
    def stride(self) -> int:  # type: ignore[override]
        """Working pixels from cell to cell."""
        stride = round(grid_of(self.backbone).stride)
        if self.layers == "last":
            return stride
        if not all(hasattr(self.backbone.network, name) for name in ("layer3", "layer4")):
            raise UserError(
                f"{self.backbone.name} has no stages 3 and 4 as ResNets have: leave --dense-layers at last."
            )
        return stride // 2

    @cached_property
    def centre(self) -> float:  # type: ignore[override]
        """Of cell 0, in working pixels."""
        grid = grid_of(self.backbone)
        return grid.centre * self.stride / grid.stride

    def with_inputs(self, inputs: InputSettings) -> DenseFeatures:
        """See `Mapper.with_inputs`."""
        return replace(self, inputs=inputs)

    @cached_property
    def _last(self) -> AnySize:
        return AnySize(self.backbone)

    @torch.no_grad()
    def maps(self, views: Tensor) -> Tensor:
        """See `Mapper.maps`."""
        padded = pad_by_reflection(views, patch_of(self.backbone))
        padded = padded.contiguous(memory_format=torch.channels_last)
        training = self.backbone.training
        self.backbone.eval()
        stages: list[Tensor] = []
        network = self.backbone.network
        hook = None
        if self.layers != "last":
            assert self.stride  # the backbone has stages
            hook = network.get_submodule("layer3").register_forward_hook(lambda _, __, out: stages.append(out))
        try:
            with self.inputs.autocast():
                last = self._last(padded).float()
        finally:
            if hook:
                hook.remove()
            self.backbone.train(training)
        if self.layers == "last":
            return last.contiguous()
        third = stages[0].float()
        return (third if self.layers == "3" else torch.cat([third, self._on_grid_of(third, last)], 1)).contiguous()

    def _on_grid_of(self, third: Tensor, last: Tensor) -> Tensor:
        """The last map, enlarged to the cells of the third."""
        rows, columns = (
            Axis(fine, fine, coarse, 2, 0.5 if grid_of(self.backbone).patches else 0.0).weights().to(last)
            for fine, coarse in zip(third.shape[2:], last.shape[2:], strict=True)
        )
        return rows @ last @ columns.T


@dataclass(frozen=True)
class RawPixels(Mapper):
    """A floor: the block of pixels around the centre of each cell of another mapper, shrunk to 4 x 4 colours."""

    inputs: InputSettings
    stride: int
    centre: float

    @staticmethod
    def like(other: Mapper) -> RawPixels:
        """On the same grid."""
        return RawPixels(replace(other.inputs, precision="fp32"), other.stride, other.centre)

    def with_inputs(self, inputs: InputSettings) -> RawPixels:
        """See `Mapper.with_inputs`."""
        return replace(self, inputs=inputs)

    def maps(self, views: Tensor) -> Tensor:
        """See `Mapper.maps`; C is 3 times at most 16."""
        before = max(round((self.stride - 1) / 2 - self.centre), 0)  # of block 0 outside the picture
        whole = [-(-side // self.stride) for side in views.shape[2:]]
        ends = [count * self.stride - before for count in whole]
        filled = views[:, :, reflected(-before, ends[0], views.shape[2])]
        filled = filled[:, :, :, reflected(-before, ends[1], views.shape[3])]
        side = next(side for side in (PIXEL_SIDE, 2, 1) if self.stride % side == 0)
        small = F.avg_pool2d(filled, self.stride // side)
        blocks = small.unflatten(2, (whole[0], side)).unflatten(4, (whole[1], side))
        return blocks.permute(0, 1, 3, 5, 2, 4).flatten(1, 3).contiguous()


def pad_by_reflection(views: Tensor, patch: int) -> Tensor:
    """(B, C, H, W) continued right and below, mirrored at the last pixel, to multiples of `patch`."""
    height, width = (-(-side // patch) * patch for side in views.shape[2:])
    if (height, width) == tuple(views.shape[2:]):
        return views
    return views[:, :, reflected(0, height, views.shape[2])][:, :, :, reflected(0, width, views.shape[3])]


def reflected(start: int, end: int, side: int) -> Tensor:
    """int64: the pixel that stands at each of the places start..end-1 beside a line of `side` pixels mirrored at its
    ends, however far."""
    period = max(2 * (side - 1), 1)
    place = torch.arange(start, end) % period
    return torch.where(place < side, place, period - place)


class MapSet:
    """The maps of some pictures, to be gone through more than once: kept while the memory lasts, else made again.

    memory_bytes: for maps and masks; a quarter of what is free where they lie by default. workers: see `Mapper.stream`.
    """

    def __init__(
        self, mapper: Mapper, data: Labelled, memory_bytes: int | None = None, workers: int | None = None
    ) -> None:
        self.mapper, self.data, self.workers = mapper, data, workers
        self._room = _Room(_free_bytes(mapper.inputs.device) if memory_bytes is None else memory_bytes)
        self._kept: dict[int, Mapped] = {}
        self._masks: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.data)

    def labelled(self, data: Labelled) -> MapSet:
        """The same pictures with other labels; maps and memory are shared."""
        other = copy.copy(self)
        other.data, other._masks = data, {}
        return other

    def mask(self, index: int) -> Tensor:
        """The mask of a picture at its own size: see `Labelled.mask`."""
        if index in self._masks:
            return self._masks[index]
        mask = self.data.mask(index)
        if self._room.takes(mask):
            self._masks[index] = mask
        return mask

    def stream(self, indices: Sequence[int]) -> Iterator[Mapped]:
        """The maps of these pictures, in this order."""
        for start in range(0, len(indices), READ_AHEAD):
            part = indices[start : start + READ_AHEAD]
            missing = [i for i in dict.fromkeys(part) if i not in self._kept]
            fresh = {made.number: made for made in self.mapper.stream(self.data, missing, self.workers)}
            for made in fresh.values():
                if self._room.takes(made.map):
                    self._kept[made.number] = made._replace(map=made.map.clone())
            yield from (self._kept[i] if i in self._kept else fresh[i] for i in part)


@dataclass
class _Room:
    """Memory that is left, in bytes."""

    left: int

    def takes(self, value: Tensor) -> bool:
        """Whether there is room for a tensor, which is then taken."""
        size = value.numel() * value.element_size()
        fits = size <= self.left
        self.left -= size if fits else 0
        return fits


def _free_bytes(device: torch.device | str) -> int:
    free = torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else free_memory()
    return int(KEPT_SHARE * free)
