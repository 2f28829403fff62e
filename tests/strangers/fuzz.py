"""Mutates files and reads them: `python -m tests.strangers.fuzz SEED COUNT`; a line of JSON for each that fails.

Runs as a process of its own, in little memory: whatever is not a UserError, takes over five seconds or more than 2 GB
fails.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from twofold import wings
from twofold.errors import UserError
from twofold.images.backbones import build_backbone, load_backbone
from twofold.images.backbones.export import save_backbone
from twofold.images.backbones.weights import read_state
from twofold.images.reading import open_source
from twofold.images.reading.source import DecodeError
from twofold.interactions.jobs.monitor import BestEpoch
from twofold.interactions.jobs.store import read_model
from twofold.page import build
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.metrics import MetricsFile
from twofold.runs.results import add_results

from . import labelled

OLD = Path(__file__).parent.parent / "old_runs"
SECONDS, MEMORY = 5, 2 << 30
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (4, 6, 7), dtype=np.uint8)
NUMBERS = (0, 1, -1, 127, 255, 2**15, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, 10**12, 10**30)
VALUES = (None, True, -1, 0, 1e400, 2**70, "", "x", "\x1b[2J", [], [1], {}, {"a": [None]}, float("nan"), 0.5, "é" * 9)
WORDS = (
    b"\0",
    b"\xff" * 8,
    b"\x80",
    b"\n",
    b"[",
    b"]" * 50,
    b"{" * 2000,
    b"nan",
    b"1e999",
    b"\xc2\xb2",
    b"../",
    b"!!python/object:os.system",
    b"&a",
    b"*a",
)


def bytes_of(write: Callable[[Any], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def tar(format: int) -> bytes:
    def write(file: io.BytesIO) -> None:
        with tarfile.open(fileobj=file, mode="w", format=format) as archive:
            for name in (
                "a/1.png",
                "a/1.cls",
                f"b/{'long' * 40}.jpg" if format != tarfile.USTAR_FORMAT else f"{'deep' * 20}/{'long' * 20}.jpg",
                "b/x.png",
                "b/x.json",
            ):
                info = tarfile.TarInfo(name)
                info.size = 30
                archive.addfile(info, io.BytesIO(b"7" * 30))

    return bytes_of(write)


def idx() -> bytes:
    return b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in GREY.shape) + GREY.tobytes()


def seeds(folder: Path) -> dict[str, bytes]:
    """A whole file of each kind, by name."""
    backbone = build_backbone("convnet", image_size=8)
    save_backbone(backbone, folder / "b.safetensors", mean=(0.5,) * 3, std=(0.2,) * 3, method="moco")
    own = {"name": "evil:make", "stem": "own", "image_size": 8}
    about = {"backbone": own, "mean": [0] * 3, "std": [1] * 3, "image_size": 8, "method": "moco"}
    save_file({"w": torch.zeros(2)}, folder / "own.safetensors", {k: json.dumps(v) for k, v in about.items()})
    arrays = {"images": GREY, "labels": np.arange(4)}
    return {
        "a.npz": bytes_of(lambda file: np.savez(file, **arrays)),
        "deflated.npz": bytes_of(lambda file: np.savez_compressed(file, **arrays)),
        "a.npy": bytes_of(lambda file: np.save(file, GREY)),
        "a-idx3": idx(),
        "a-idx3.gz": gzip.compress(idx()),
        "ustar.tar": tar(tarfile.USTAR_FORMAT),
        "gnu.tar": tar(tarfile.GNU_FORMAT),
        "pax.tar": tar(tarfile.PAX_FORMAT),
        "b.safetensors": (folder / "b.safetensors").read_bytes(),
        "own.safetensors": (folder / "own.safetensors").read_bytes(),
        "w.pt": bytes_of(lambda file: torch.save({"a": torch.zeros(3), "b": {"c": [1, "x"]}}, file)),
        "last.ckpt": (OLD / "interactions-stopped" / "checkpoints" / "last.ckpt").read_bytes(),
    }


def mutate_outside(name: str, data: bytes, draw: random.Random) -> bytes:
    """A file of whatever kind with some bytes changed."""
    return mutate(data, draw)


def mutate(data: bytes, draw: random.Random) -> bytes:
    """One to four changes: bytes, words, numbers in text and in binary, pieces cut, doubled or moved."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        at, length = draw.randrange(len(data) + 1), draw.choice((1, 2, 4, 8, 30, 600))
        if draw.random() < 0.5:  # where headers are
            at = min(at, draw.randrange(700))
        kind = draw.randrange(8)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[:at] + draw.choice(WORDS) + data[at:]
        elif kind == 3:
            word = draw.choice(WORDS)
            data = data[:at] + word + data[at + len(word) :]
        elif kind == 4:
            number = draw.choice(NUMBERS) % 2 ** (8 * 8)
            data = (
                data[:at]
                + number.to_bytes(8, draw.choice(("big", "little")))[-draw.choice((1, 2, 4, 8)) :]
                + data[at + 8 :]
            )
        elif kind == 5:
            places = list(re.finditer(rb"\d+", data))
            if places:
                found = draw.choice(places)
                text = str(draw.choice(NUMBERS)).encode()
                if draw.random() < 0.5:  # of the same length, so that what is around it stays where it is
                    text = text[: len(found[0])].rjust(len(found[0]), b"0")
                data = data[: found.start()] + text + data[found.end() :]
        elif kind == 6:
            data = data[: at + length] + data[at:]
        else:
            data = data[:at] + bytes(draw.randrange(256) for _ in range(length)) + data[at + length :]
    return data


def mutate_inside(name: str, data: bytes, draw: random.Random) -> bytes:
    """The same within what holds it: a member of a zip file, the header of safetensors, what gzip has packed."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            parts = {info.filename: old.read(info) for info in old.infolist()}
            packing = old.infolist()[0].compress_type
        chosen = draw.choice([part for part in parts if not part.endswith(("version", "byteorder"))][:4])
        parts[chosen] = mutate(parts[chosen], draw)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", packing) as new:
            for part, content in parts.items():
                new.writestr(part, content)
        return out.getvalue()
    if name.endswith(".safetensors"):
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:end])
        about = {key: json.loads(text) if key != "format" else text for key, text in header["__metadata__"].items()}
        if draw.random() < 0.7:
            changed = odd(about, draw)
            texts = {k: json.dumps(v) for k, v in changed.items()} if isinstance(changed, dict) else changed
            header["__metadata__"] = texts
        else:
            header = odd(header, draw)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text + data[end:]
    if name.endswith(".gz"):
        return gzip.compress(mutate(gzip.decompress(data), draw))
    return mutate(data, draw)


def mended(name: str, data: bytes) -> bytes:
    """The same with right checksums, so that readers believe the rest."""
    if not name.endswith(".tar"):
        return data
    whole = bytearray(data)
    for at in range(0, len(whole) - 511, 512):
        if whole[at + 257 : at + 262] == b"ustar":
            whole[at + 148 : at + 156] = b" " * 8
            whole[at + 148 : at + 155] = b"%06o\0" % sum(whole[at : at + 512])
    return bytes(whole)


def odd(value: Any, draw: random.Random) -> Any:
    """A nested value with one part changed to something of another type, left out or nested deeper."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(list(value))
        if draw.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: odd(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        at = draw.randrange(len(value))
        return [*value[:at], odd(value[at], draw), *value[at + 1 :]]
    if draw.random() < 0.05:
        for _ in range(draw.choice((50, 500))):
            value = {"a": value}
        return value
    return draw.choice(VALUES)


def read_source(path: Path) -> None:
    source = open_source(str(path))
    for i in range(min(len(source), 3)):
        try:
            source.fetch(i)
        except DecodeError as error:
            assert error.reason
    source.describe()
    source.fingerprint()


def read_file(path: Path) -> None:
    if path.suffix == ".safetensors":
        load_backbone(path)
        read_state(path)
    elif path.suffix == ".pt":
        read_state(path)
    elif path.suffix == ".ckpt":
        Checkpoint.read(path)
    else:
        read_source(path)


def read_run(folder: Path) -> None:
    """What the verbs read of a run folder; the page is made rarely, since it takes long."""
    wings.of_run(folder)
    for look in (
        lambda: read_model(folder),
        lambda: BestEpoch(folder, None, None, every_epochs=1, patience=1).best(),  # type: ignore[arg-type]
        lambda: MetricsFile(folder / "metrics.csv").restore(10),
        lambda: add_results(folder, []),
        lambda: build([folder], folder / "page.html", wings.sections_of(folder)),
    ):
        try:
            look()
        except UserError as error:
            check(error)


def check(error: UserError) -> None:
    assert "\n" not in str(error) and str(error).strip(), error


def damage_run(folder: Path, draw: random.Random) -> str:
    """Change one file of a run folder. Returns its name."""
    import yaml

    file = draw.choice(sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".html"))
    data = file.read_bytes()
    if file.suffix == ".json" and draw.random() < 0.7:
        file.write_text(json.dumps(odd(json.loads(data), draw)))
    elif file.suffix == ".yaml" and draw.random() < 0.7:
        file.write_text(yaml.safe_dump(odd(yaml.safe_load(data), draw)))
    elif file.suffix == ".ckpt" and draw.random() < 0.7:
        torch.save(odd(torch.load(io.BytesIO(data), weights_only=True), draw), file)
    else:
        file.write_bytes(mutate(data, draw))
    return f"{folder.name}/{file.name}"


def attempt(read: Callable[[], None]) -> str:
    """What went wrong, or ""."""

    def late(*_: object) -> None:
        raise TimeoutError(f"takes over {SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        read()
    except UserError as error:
        return "" if "\n" not in str(error) and str(error).strip() else f"not a sentence: {error}"
    except BaseException:
        return traceback.format_exc()[-1500:]
    finally:
        signal.alarm(0)
    return ""


def main(seed: int, count: int) -> None:
    torch.set_num_threads(1)
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = seeds(folder)
        for kind, data in whole.items():  # warm, and right before they are mutated
            (folder / kind).write_bytes(data)
            wrong = attempt(lambda kind=kind: read_file(folder / kind))  # type: ignore[misc]
            assert not wrong, wrong
        runs = [OLD / run for run in ("images-finished", "interactions-finished", "formula")]
        build([shutil.copytree(runs[0], folder / "warm")], folder / "p.html", wings.sections_of(runs[0]))
        limit = int(re.search(r"VmPeak:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024 + MEMORY  # type: ignore[index]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        sys.stdout, said = open(os.devnull, "w"), sys.stdout  # noqa: SIM115
        labels = labelled.sets(folder / "labelled")
        for number in range(count):
            draw = random.Random(f"{seed} {number}")
            if number % 8 == 4:
                path = folder / "x" / draw.choice(labels).name
                shutil.rmtree(path.parent, ignore_errors=True)
                shutil.copytree(folder / "labelled" / path.name, path)
                try:
                    kind = labelled.damage(path, draw, mutate, odd)
                except RecursionError:
                    continue
                wrong = attempt(lambda path=path: labelled.read(path))  # type: ignore[misc]
            elif number % 8:
                kind = draw.choice(list(whole))
                path = folder / kind
                change = draw.choice((mutate_outside, mutate_inside, mutate_inside))
                try:
                    path.write_bytes(mended(kind, change(kind, whole[kind], draw)))
                except RecursionError:
                    continue
                wrong = attempt(lambda path=path: read_file(path))  # type: ignore[misc]
            else:
                run = draw.choice(runs)
                copied = shutil.copytree(run, folder / f"{number}" / run.name)
                try:
                    kind = damage_run(copied, draw)
                except RecursionError:  # nested deeper than can be written
                    continue
                wrong = attempt(lambda copied=copied: read_run(copied))  # type: ignore[misc]
                shutil.rmtree(folder / f"{number}")
            seen[kind] += 1
            if wrong:
                print(json.dumps({"number": number, "kind": kind, "wrong": wrong}), file=said, flush=True)
    print(json.dumps({"done": count, "kinds": seen}), file=said)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
