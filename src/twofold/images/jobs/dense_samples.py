"""What a dense protocol shows on the page: a few pictures with its answers, as the arrays of a small file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from twofold.images.dense.cell_labels import class_counts
from twofold.images.dense.correspondence import Matches
from twofold.images.dense.grid import unit
from twofold.images.dense.maps import Mapped, Mapper, working_size
from twofold.images.dense.retrieval_segmentation import Memory
from twofold.images.labels.records import Labelled
from twofold.printable import printable
from twofold.randomness import generator
from twofold.seam import Views

PICTURES, SIDE = 6, 256  # that are shown, and their longer side in pixels
NEAREST, PATCH, AROUND = 6, 64, 3  # remembered patches beside a query, their side in pixels, and in cells
MATCHES = 16  # of a pair


@dataclass
class Samples:
    """Arrays by name for `report.dense_samples`, filled while a protocol asks. count: pictures that it asks about, of
    which some are drawn by the seed. classes: names by number."""

    count: int
    seed: int
    classes: Sequence[str] = ()
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    kinds: list[list[int]] = field(default_factory=list)
    cosines: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        order = torch.randperm(self.count, generator=generator(self.seed, "shown pictures"))
        self.chosen = set(order[:PICTURES].tolist())

    def finished(self, about: str) -> dict[str, np.ndarray]:
        """Everything, or nothing where nothing was seen. about: whose answers to what, in words."""
        if not self.names:
            return {}
        queries = {"kinds": np.array(self.kinds), "cosines": np.array(self.cosines)} if self.kinds else {}
        words = {"about": [about], "names": self.names, "classes": list(self.classes)}
        texts = {name: np.array([printable(text) for text in value], dtype=str) for name, value in words.items()}
        return {**self.arrays, **queries, **texts}

    def mask(self, data: Labelled, number: int, answer: Tensor) -> None:
        """A test picture with its true mask and the answer, int64 (H, W)."""
        if number not in self.chosen:
            return
        place, picture = self._place(data.names[number]), data.picture(number)
        small = _fitting(picture.shape[1], picture.shape[2])
        self.arrays[f"picture{place}"] = encoded(_resized(picture, small))
        for name, mask in (("truth", data.mask(number)), ("answer", answer.cpu())):
            shrunk = F.interpolate(mask[None, None].float(), small, mode="nearest-exact")[0, 0]
            self.arrays[f"{name}{place}"] = shrunk.to(torch.int16).numpy()

    def looked_up(self, mapper: Mapper, learned: Labelled, asked: Labelled, made: Mapped, memory: Memory) -> None:
        """A cell of a test picture, of a class that no earlier one has if it can be, beside the nearest remembered."""
        if made.number not in self.chosen:
            return
        counts = class_counts(asked.mask(made.number), made.grid, len(self.classes))[:, :-1]
        labelled = (counts.sum(1) > 0).nonzero()[:, 0]
        if not len(labelled):
            return
        drawn = torch.randperm(len(labelled), generator=generator(self.seed, "shown cell", made.number))
        kinds = counts.argmax(1)
        before = {row[0] for row in self.kinds}
        cells = labelled[drawn].tolist()
        cell = next((one for one in cells if int(kinds[one]) not in before), cells[0])
        cosine = unit(made.map.flatten(1).T[cell]) @ memory.vectors.T
        best = cosine.topk(min(NEAREST, len(cosine)))
        rows = best.indices.cpu()
        patches = [_patch(mapper, asked.picture(made.number), made.grid.centres()[cell])]
        for number, x, y in memory.places[rows].tolist():
            patches.append(_patch(mapper, learned.picture(int(number)), torch.tensor([x, y])))
        self.arrays[f"patches{len(self.kinds)}"] = encoded(torch.cat(patches, 2))
        self.kinds.append([int(kinds[cell]), *memory.labels[best.indices].argmax(1).tolist()])
        self.cosines.append(best.values.cpu().tolist())

    def boxes(self, data: Labelled, number: int, found: Tensor, true: Tensor, hits: Tensor) -> None:
        """A picture with what was found (2, 4) and the true boxes (n, 4), in its pixels; hits: bool (2,)."""
        if number not in self.chosen:
            return
        place, picture = self._place(data.names[number]), data.picture(number)
        whole = torch.tensor([picture.shape[2], picture.shape[1]] * 2)
        self.arrays[f"picture{place}"] = encoded(_resized(picture, _fitting(picture.shape[1], picture.shape[2])))
        self.arrays[f"true{place}"] = (true / whole).float().numpy()
        self.arrays[f"found{place}"] = (found / whole).float().numpy()
        self.arrays[f"hits{place}"] = hits.numpy()

    def pair(self, mapper: Mapper, made: Views, row: int, found: Matches) -> None:
        """Two views with some of the asked cells, where each was found and where it is; the first pairs with any."""
        if len(self.names) >= PICTURES or not len(found.asked):
            return
        place = self._place(f"pair {len(self.names) + 1}")
        mean, std = (torch.tensor(values)[:, None, None] for values in (mapper.inputs.mean, mapper.inputs.std))
        for name, view in zip(("first", "second"), made.tensors, strict=True):
            pixels = ((view[row].cpu().float() * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
            self.arrays[f"{name}{place}"] = encoded(_resized(pixels, _fitting(*pixels.shape[1:])))
        drawn = torch.randperm(len(found.asked), generator=generator(self.seed, "shown matches", place))[:MATCHES]
        side = made.tensors[0].shape[3]
        points = torch.cat([found.asked, found.found, found.true], 1)[drawn.sort().values]
        self.arrays[f"points{place}"] = ((points + 0.5) / side).float().numpy()
        self.arrays["cell"] = np.array(mapper.stride / side, dtype=np.float32)

    def _place(self, name: str) -> int:
        self.names.append(name)
        return len(self.names) - 1


def encoded(picture: Tensor) -> np.ndarray:
    """A uint8 picture (3, h, w) as the bytes of a WebP file: uint8 (n,)."""
    file = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(file, "WEBP", quality=80, method=4)
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def _fitting(height: int, width: int) -> tuple[int, int]:
    scale = min(SIDE / max(height, width), 1.0)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    if size == tuple(picture.shape[1:]):
        return picture
    return F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]


def _patch(mapper: Mapper, picture: Tensor, centre: Tensor) -> Tensor:
    """The pixels around a cell's centre, three cells wide, the picture's edges drawn out: uint8 (3, PATCH, PATCH)."""
    height, width = picture.shape[1:]
    scale = min(height, width) / min(working_size(height, width, mapper.inputs.size))
    half = AROUND * mapper.stride * scale / 2
    x, y = centre.tolist()
    rows, columns = _around(y, half, height), _around(x, half, width)
    return _resized(picture[:, rows][:, :, columns], (PATCH, PATCH))


def _around(at: float, half: float, side: int) -> Tensor:
    """The pixels of a side from `half` before a place to `half` behind it; the last one again beyond an edge."""
    length = max(round(2 * half), 1)
    start = round(at + 0.5 - length / 2)
    return torch.arange(start, start + length).clamp(0, side - 1)
