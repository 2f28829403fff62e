"""Images in batches: decoded once, kept as integers where they fit, decoded ahead by threads where they do not.

Threads, not processes: Pillow and torch let go of the interpreter while they decode and shrink. Measured on 2 cores, ms
an image with 2 threads against 2 processes: 500x375 JPEG 0.19 against 0.21, 128x128 WebP 0.16 against 0.17, 2000x1500
JPEG 1.28 against 1.36; only 32x32 JPEGs, which always fit the memory, are slower (0.050 against 0.037).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from twofold.images.reading.decode import decode, decode_centre, image_size, shrunk_size
from twofold.images.reading.memory import DeviceMemory, HostMemory, pad, to_device
from twofold.images.reading.source import Source
from twofold.pixels.batch import ImageBatch, indexable
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.unreadable import Replacement, Unreadable, stand_ins
from twofold.resources import bytes_in_words, free_memory, local_ranks, usable_cores
from twofold.seam import Stream

AHEAD = 3  # batches under way at once: one in use, two being read
HOST_SHARE = 0.5  # of the free memory may hold decoded images, all local ranks together
DEVICE_SHARE = 0.25  # of the free GPU memory
DEVICE_MOST = 0.8  # of it, whatever memory_bytes says
MOST_WORKERS = 16  # beyond that the interpreter's lock is the limit
TASK = 16  # images decoded by one task
SAMPLED = 16  # headers read to estimate the size of the set


class _Ahead(NamedTuple):
    rows: list[int]
    loads: list[Future[dict[int, np.ndarray]]]
    block: Future[tuple[Tensor | None, dict[int, np.ndarray]]]


class Images(Stream[ImageBatch]):
    """The images of a source as batches of uint8 or uint16, at most `short_side` pixels on the short side (None: any).

    Images are decoded when a batch first asks for them and kept while memory_bytes lasts (default: half of the free
    memory, or a quarter of the free GPU memory where the device is a GPU and the whole set fits there; 0 keeps none);
    the others are decoded each time, by `workers` threads (default: the usable cores). Batches are the same either way.

    An image that cannot be read is recorded in `unreadable` (name: reason) and another stands in for it, drawn from
    (seed, index) alone and recorded in `replaced` (index: index); more than max_unreadable (share of the set) is a
    UserError. `waited`: seconds that the consumer has waited for batches.
    """

    def __init__(
        self,
        source: Source,
        *,
        short_side: int | None,
        memory_bytes: int | None = None,
        workers: int | None = None,
        max_unreadable: float = 0.05,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.source = source
        self.short_side = short_side
        self.seed = seed
        self.device = torch.device(device)
        self.workers = max(1, min(usable_cores(), MOST_WORKERS) if workers is None else workers)
        self.waited = 0.0
        self.replaced: dict[int, int] = {}
        self._unreadable = Unreadable(source.path, source.names, max_unreadable)
        self._decoders = ThreadPoolExecutor(self.workers, thread_name_prefix="decode")
        self._assembler = ThreadPoolExecutor(1, thread_name_prefix="assemble")
        self.expected_bytes = self._expected_bytes()
        capacity = int(1.1 * self.expected_bytes) + (1 << 20)
        on_device = capacity <= _device_budget(self.device, memory_bytes)
        self._on_device = DeviceMemory(len(source), capacity, self.device) if on_device else None
        budget = int(HOST_SHARE * free_memory() / local_ranks()) if memory_bytes is None else memory_bytes
        self._host = HostMemory(len(source), budget)
        self._centres: dict[int, Images] = {}

    def __len__(self) -> int:
        return len(self.source)

    @property
    def unreadable(self) -> dict[str, str]:
        """Names of the images that could not be read so far, with the reason, in the order of the set."""
        return self._unreadable.named()

    def replacements(self, indices: Tensor) -> list[Replacement]:
        """Those of some images that could not be read, once they have been asked for."""
        return self._unreadable.replacements(indices.tolist(), self.replaced)

    def replace(self, found: Iterable[Replacement]) -> None:
        """Know, from another process, which images cannot be read. UserError where they are too many."""
        self._unreadable.replace(found, self.replaced)

    def describe(self) -> str:
        """One line: how large the decoded set is, where it is kept, how many threads decode."""
        size = f"about {bytes_in_words(self.expected_bytes)} as {np.dtype(self.source.pixels.dtype).name}"
        side = "in full size" if self.short_side is None else f"short side {self.short_side} px"
        if self._on_device:
            kept = f"kept on {self.device}"
        elif self.expected_bytes <= self._host.budget:
            kept = "kept in memory"
        elif self._host.budget:
            kept = f"{bytes_in_words(self._host.budget)} of it kept in memory, the rest decoded each time"
        else:
            kept = "decoded each time"
        return f"{len(self):,} images, {side}, {size}, {kept}; {self.workers} decoding threads"

    def centres(self, size: int) -> Images:
        """The same images as evaluation sees them: squares of `size` pixels, each by one resize from the original
        (`decode.decode_centre`). Decoded apart from these, kept in what their memory leaves, unreadable together.
        """
        if size not in self._centres:
            self._centres[size] = _Centres(self, size)
        return self._centres[size]

    def batch(self, indices: Tensor) -> ImageBatch:
        """The images at int64 indices (B,), on the device; an index may come more than once."""
        return self._finish(self._start(indices))

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[ImageBatch]:
        """A batch for each tensor of indices, in order, with the next ones read while the consumer works."""
        coming = iter(index_batches)
        under_way: deque[_Ahead] = deque()
        try:
            while True:
                while len(under_way) < AHEAD and (indices := next(coming, None)) is not None:
                    under_way.append(self._start(indices))
                if not under_way:
                    return
                yield self._finish(under_way.popleft())
        finally:
            for ahead in under_way:
                ahead.block.cancel()
                for load in ahead.loads:
                    load.cancel()

    def _start(self, indices: Tensor) -> _Ahead:
        rows = indices.tolist()
        missing = list(dict.fromkeys(i for i in rows if not self._held(i)))
        step = max(1, min(TASK, -(-len(missing) // self.workers)))
        tasks = [missing[k : k + step] for k in range(0, len(missing), step)]
        loads = [self._decoders.submit(self._load, task) for task in tasks]
        return _Ahead(rows, loads, self._assembler.submit(self._assemble, rows, loads))

    def _held(self, i: int) -> bool:
        return self._host.get(i) is not None or bool(self._on_device and self._on_device.stored[i])

    def _load(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        return {i: self._image(i) for i in indices}

    def _image(self, i: int) -> np.ndarray:
        """Image `i` decoded, or what stands in for it. Keeps it."""
        for j in stand_ins(i, len(self), self.seed):
            if j in self._unreadable:
                continue
            try:
                image = self._decode(j)
            except DecodeError as error:
                self._unreadable.record(j, error.reason)
                continue
            if j != i:
                self.replaced[i] = j
            if self._on_device is None or self._on_device.full:
                self._host.put(i, image)
            return image
        raise self._unreadable.too_many()

    def _decode(self, i: int) -> np.ndarray:
        return decode(self.source.fetch(i), self.short_side, self.source.pixels).numpy()

    def _assemble(
        self, rows: list[int], loads: list[Future[dict[int, np.ndarray]]]
    ) -> tuple[Tensor | None, dict[int, np.ndarray]]:
        """The block in the machine's memory, or, where images are kept on the device, those that are not there yet."""
        images = {i: image for load in loads for i, image in load.result().items()}
        for i in rows:
            if i not in images and (kept := self._host.get(i)) is not None:
                images[i] = kept
        if self._on_device:
            return None, images
        ordered = [images[i] for i in rows]
        height, width = (max((image.shape[axis] for image in ordered), default=0) for axis in (1, 2))
        return pad(ordered, height, width, pinned=self.device.type == "cuda"), images

    def _finish(self, ahead: _Ahead) -> ImageBatch:
        """The batch on the device. In the consumer's thread, so that the device's work stays in one order."""
        began = time.perf_counter()
        block, images = ahead.block.result()
        self.waited += time.perf_counter() - began
        rows, store = ahead.rows, self._on_device
        if store:
            store.put(list(images), list(images.values()))
        shapes = [images[i].shape[1:] if i in images else store.size[i] for i in rows]  # type: ignore[union-attr]
        size = torch.from_numpy(np.array(shapes, np.int64).reshape(-1, 2))
        if store:
            block = self._from_device(store, rows, images, *(int(n) for n in size.amax(0)))
        assert block is not None
        index = torch.tensor(rows, dtype=torch.int64)
        return ImageBatch(
            to_device(index, self.device), block.to(self.device, non_blocking=True), to_device(size, self.device)
        )

    def _from_device(
        self, store: DeviceMemory, rows: list[int], images: dict[int, np.ndarray], height: int, width: int
    ) -> Tensor:
        stored = [r for r, i in enumerate(rows) if store.stored[i]]
        if len(stored) == len(rows):
            return store.batch(rows, height, width)
        others = [r for r, i in enumerate(rows) if not store.stored[i]]
        block = pad([images[rows[r]] for r in others], height, width, pinned=self.device.type == "cuda").to(self.device)
        both = torch.cat([indexable(x) for x in (store.batch([rows[r] for r in stored], height, width), block)])
        return both[torch.tensor(stored + others).argsort().to(self.device)].view(block.dtype)

    def _expected_bytes(self) -> int:
        """The size of the decoded set, from the headers of a few images spread over it."""
        chosen = sorted({int(i) for i in np.linspace(0, len(self) - 1, SAMPLED)}) if len(self) else []
        known = [b for b in self._decoders.map(self._bytes_of, chosen) if b]
        return int(np.mean(known) * len(self)) if known else 0

    def _bytes_of(self, i: int) -> int:
        try:
            height, width = image_size(self.source.open(i))
        except (DecodeError, OSError):
            return 0
        return self.source.pixels.bytes_of(*shrunk_size(height, width, self.short_side))


class _Centres(Images):
    """See `Images.centres`."""

    def __init__(self, whole: Images, size: int) -> None:
        self.side = size
        super().__init__(
            whole.source,
            short_side=size,
            memory_bytes=0,
            workers=whole.workers,
            seed=whole.seed,
            device=whole.device,
        )
        left = whole._host.budget - (0 if whole._on_device else whole.expected_bytes)
        self._host = HostMemory(len(whole), max(0, left))
        self._unreadable, self.replaced = whole._unreadable, whole.replaced

    def _decode(self, i: int) -> np.ndarray:
        return decode_centre(self.source.fetch(i), self.side, self.source.pixels).numpy()

    def _bytes_of(self, i: int) -> int:
        return self.source.pixels.bytes_of(self.side, self.side)


def _device_budget(device: torch.device, memory_bytes: int | None) -> int:
    """Bytes of decoded images that may lie on the device; -1 where images stay in the machine's memory."""
    if device.type != "cuda":
        return -1
    free = torch.cuda.mem_get_info(device)[0]
    return int(DEVICE_SHARE * free) if memory_bytes is None else min(memory_bytes, int(DEVICE_MOST * free))
