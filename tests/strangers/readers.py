"""Every door by which a stranger's file or path comes in: a whole example of each, made wrong, and how it is read."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from tests.strangers import labelled
from tests.strangers.mutations import mutate, mutate_file, mutate_text, odd
from twofold import wings
from twofold.errors import UserError
from twofold.images.backbones import build_backbone, load_backbone
from twofold.images.reading import open_source
from twofold.images.reading.decode import decode, decode_centre, image_size
from twofold.images.reading.examining import examine
from twofold.images.reading.looking import settle_pixels
from twofold.interactions.jobs.monitor import BestEpoch
from twofold.interactions.jobs.store import read_model
from twofold.interactions.reading import open_interactions
from twofold.interactions.reading.id_list import read_ids
from twofold.interactions.reading.raw import Named
from twofold.interactions.reading.table import column_names
from twofold.interactions.reading.titles import read_titles
from twofold.page import build
from twofold.pixels.backbones.export import save_backbone
from twofold.pixels.backbones.weights import read_state
from twofold.pixels.reading.failure import DecodeError
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.metrics import MetricsFile
from twofold.runs.results import add_results
from twofold.videos.backbones import build_backbone as build_for_clips
from twofold.videos.backbones import load_backbone as load_for_clips

OLD = Path(__file__).parent.parent / "old_runs"
RUNS = ("images-finished", "interactions-finished", "formula")
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (4, 6, 7), dtype=np.uint8)
IMAGES = ("a.png", "palette.png", "sixteen.png", "clear.png", "a.jpg", "turned.jpg", "grey.jpg", "a.tif", "lzw.tif")
IMAGES += ("float.tif", "a.webp", "a.gif", "moving.gif", "a.bmp", "a.ppm", "a.tga", "a.ico", "a.jp2", "a.avif")
ARRAYS = ("a.npz", "deflated.npz", "a.npy", "a-idx3", "a-idx3.gz")
TARS = ("ustar.tar", "gnu.tar", "pax.tar")
WEIGHTS = ("b.safetensors", "five.safetensors", "clips.safetensors", "own.safetensors", "w.pt", "last.ckpt")
TEXTS = ("plays.csv", "quoted.csv", "plays.tsv", "plays.inter", "lists.txt", "ratings.dat", "plays.csv.gz")
MATRICES = ("coo.npz", "csr.npz", "columns.npz")


@dataclass(frozen=True)
class Reader:
    """make: writes a case into an empty folder and returns what is to be read. read: reads it; a UserError is right.
    share: how often it is drawn, by what it costs."""

    name: str
    share: int
    make: Callable[[Path, random.Random], Any]
    read: Callable[[Any, random.Random], None]


def bytes_of(write: Callable[[Any], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _tar(format: int) -> bytes:
    long = f"b/{'long' * 40}.jpg" if format != tarfile.USTAR_FORMAT else f"{'deep' * 20}/{'long' * 20}.jpg"

    def write(file: io.BytesIO) -> None:
        with tarfile.open(fileobj=file, mode="w", format=format) as archive:
            for name in ("a/1.png", "a/1.cls", long, "b/x.png", "b/x.json"):
                info = tarfile.TarInfo(name)
                info.size = 30
                archive.addfile(info, io.BytesIO(b"7" * 30))

    return bytes_of(write)


def _picture(name: str) -> bytes:
    """A small image of the kind that its name says."""
    colours = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 14, 3), np.uint8))
    stem, _, kind = name.partition(".")
    made = {
        "palette": lambda: colours.convert("P"),
        "sixteen": lambda: Image.fromarray(np.arange(126, dtype=np.uint16).reshape(9, 14) * 500),
        "clear": lambda: colours.convert("RGBA").rotate(30),
        "grey": lambda: colours.convert("L"),
        "float": lambda: Image.fromarray(np.linspace(0, 1, 126, dtype=np.float32).reshape(9, 14)),
    }.get(stem, lambda: colours)()
    more: dict[str, Any] = {}
    if stem == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        more["exif"] = exif.tobytes()
    if stem == "lzw":
        more["compression"] = "tiff_lzw"
    if stem == "moving":
        more |= {"save_all": True, "append_images": [colours.rotate(90)]}
    kinds = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}
    return bytes_of(lambda file: made.save(file, kinds.get(kind, kind.upper()), **more))


@cache
def pictures() -> dict[str, bytes]:
    """Small images by name, of the formats that this Pillow has."""
    Image.init()
    return {name: _picture(name) for name in IMAGES if not (name.endswith("avif") and "AVIF" not in Image.SAVE)}


@cache
def stacks() -> dict[str, bytes]:
    """Images of five channels, one a file, as .npy and, where tifffile is installed, as TIFF."""
    five = np.random.default_rng(2).integers(0, 65536, (5, 9, 14), dtype=np.uint16)
    made = {"five.npy": bytes_of(lambda file: np.save(file, five))}
    if find_spec("tifffile") is None:
        return made
    import tifffile

    ways: dict[str, dict[str, Any]] = {"pages": {}, "planar": {"planarconfig": "separate"}}
    ways |= {"packed": {"compression": "zlib"}, "big": {"bigtiff": True}}
    for name, how in ways.items():
        out = io.BytesIO()
        tifffile.imwrite(out, five, photometric="minisblack", **how)
        made[f"{name}.tif"] = out.getvalue()
    return made


def _parquet(table: pa.Table, **how: Any) -> bytes:
    return bytes_of(lambda file: pq.write_table(table, file, **how))


@cache
def tables() -> dict[str, bytes]:
    """Parquet files of images and of interactions."""
    png = pictures()["a.png"]
    structs = pa.array([{"bytes": png, "path": f"{i}.png"} for i in range(6)])
    classes = json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}})
    hub = pa.table({"image": structs, "label": pa.array([0, 1] * 3)}).replace_schema_metadata({"huggingface": classes})
    plain = pa.table({"jpg": [png] * 6, "class": ["a", "b"] * 3, "name": [f"n{i}" for i in range(6)]})
    plays = pa.table({"user": [f"u{i % 5}" for i in range(30)], "item": [i % 7 for i in range(30)]})
    plays = plays.append_column("rating", [[float(i % 5) for i in range(30)]])
    timed = plays.append_column("timestamp", [pa.array(range(30), pa.timestamp("ns"))])
    return {
        "hub.parquet": _parquet(hub, row_group_size=3),
        "plain.parquet": _parquet(plain, compression="none", use_dictionary=False),
        "plays.parquet": _parquet(timed, row_group_size=11),
        "old.parquet": _parquet(plays, version="1.0", compression="gzip", data_page_version="2.0"),
    }


@cache
def arrays() -> dict[str, bytes]:
    """Images as arrays and in tar files."""
    images = {"images": GREY, "labels": np.arange(4)}
    idx = b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in GREY.shape) + GREY.tobytes()
    return {
        "a.npz": bytes_of(lambda file: np.savez(file, **images)),
        "deflated.npz": bytes_of(lambda file: np.savez_compressed(file, **images)),
        "a.npy": bytes_of(lambda file: np.save(file, GREY)),
        "a-idx3": idx,
        "a-idx3.gz": gzip.compress(idx),
        "ustar.tar": _tar(tarfile.USTAR_FORMAT),
        "gnu.tar": _tar(tarfile.GNU_FORMAT),
        "pax.tar": _tar(tarfile.PAX_FORMAT),
    }


@cache
def weights(folder: Path) -> dict[str, bytes]:
    """Backbones, weights of others and a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    backbone = build_backbone("convnet", image_size=8)
    save_backbone(backbone, folder / "b.safetensors", mean=(0.5,) * 3, std=(0.2,) * 3, method="moco")
    five = build_backbone("convnet", image_size=8, channels=5)
    about_five = {"channels": 5, "deep": True, "white": 1.0, "black": -80.0}
    save_backbone(five, folder / "five.safetensors", mean=(0.5,) * 5, std=(0.2,) * 5, method="moco", facts=about_five)
    clips = build_for_clips("convnet3d", clip_size=8, frames=4)
    save_backbone(clips, folder / "clips.safetensors", mean=(0.5,) * 3, std=(0.2,) * 3, method="moco")
    own = {"name": "evil:make", "stem": "own", "image_size": 8}
    about = {"backbone": own, "mean": [0] * 3, "std": [1] * 3, "image_size": 8, "method": "moco"}
    save_file({"w": torch.zeros(2)}, folder / "own.safetensors", {k: json.dumps(v) for k, v in about.items()})
    return {
        "b.safetensors": (folder / "b.safetensors").read_bytes(),
        "five.safetensors": (folder / "five.safetensors").read_bytes(),
        "clips.safetensors": (folder / "clips.safetensors").read_bytes(),
        "own.safetensors": (folder / "own.safetensors").read_bytes(),
        "w.pt": bytes_of(lambda file: torch.save({"a": torch.zeros(3), "b": {"c": [1, "x"]}}, file)),
        "last.ckpt": (OLD / "interactions-stopped" / "checkpoints" / "last.ckpt").read_bytes(),
    }


@cache
def plays() -> dict[str, bytes]:
    """Interactions as text and as matrices."""
    rows = [(f"u{i % 5}", i % 7, i % 5, 1_600_000_000 + i) for i in range(30)]
    lines = [",".join(map(str, row)) for row in rows]
    quoted = [f'"{u}, ""x""",{i},{r},"2024-05-{1 + i:02} 12:00:00"' for u, i, r, _ in rows]
    inter = ["user_id:token\titem_id:token\trating:float\ttimestamp:float", *("\t".join(map(str, r)) for r in rows)]
    row, column = np.array([r % 5 for r in range(30)], np.int32), np.array([r % 7 for r in range(30)], np.int32)
    matrix = {"shape": np.array([5, 7]), "data": np.ones(30)}
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(6)).astype(np.int32)
    return {
        "plays.csv": "\n".join(["user,item,rating,timestamp", *lines]).encode(),
        "quoted.csv": "\n".join(["user,item,stars,date", *quoted]).encode(),
        "plays.tsv": "\n".join(line.replace(",", "\t") for line in lines).encode(),
        "plays.inter": "\n".join(inter).encode(),
        "lists.txt": "\n".join(f"{u} " + " ".join(str(i) for i in range(u, u + 4 + u % 2)) for u in range(9)).encode(),
        "ratings.dat": "\n".join("::".join(map(str, r)) for r in rows).encode(),
        "plays.csv.gz": gzip.compress("\n".join(lines).encode()),
        "coo.npz": bytes_of(lambda f: np.savez(f, format=b"coo", row=row, col=column, **matrix)),
        "csr.npz": bytes_of(lambda f: np.savez(f, format=b"csr", indices=column[order], indptr=starts, **matrix)),
        "columns.npz": bytes_of(lambda f: np.savez(f, user=row, item=column, rating=np.ones(30))),
    }


def a_file(whole: dict[str, bytes], names: tuple[str, ...] = ()) -> Callable[[Path, random.Random], Path]:
    """Makes one of these files, changed."""

    def make(folder: Path, draw: random.Random) -> Path:
        name = draw.choice([name for name in whole if name in names] if names else list(whole))
        change = mutate_text if name.endswith((".csv", ".tsv", ".inter", ".txt", ".dat")) else None
        (folder / name).write_bytes(change(whole[name], draw) if change else mutate_file(name, whole[name], draw))
        return folder / name

    return make


def read_source(path: Path, draw: random.Random) -> None:
    """What the images' jobs do with a source before they learn."""
    source = open_source(str(path))
    for i in range(min(len(source), 3)):
        try:
            data = source.fetch(i)
            image_size(source.open(i))
            decode(data, draw.choice((4, None)))
            decode_centre(data, 6)
        except DecodeError as error:
            assert error.reason, error
    source.describe()
    source.fingerprint()
    source.class_count()
    assert all(isinstance(source.names[i], str) for i in range(min(len(source), 9)))


def read_stack(path: Path, draw: random.Random) -> None:
    """A folder with one image whose channels are kept."""
    source = open_source(str(path.parent), channels=5)
    settle_pixels(source, channels=5)
    try:
        decode(source.fetch(0), draw.choice((4, None)), source.pixels)
    except DecodeError as error:
        assert error.reason, error


def read_picture(path: Path, draw: random.Random) -> None:
    read_source(path.parent, draw)
    if draw.random() < 0.1:
        examine(str(path.parent)).lines()


def read_weights(path: Path, draw: random.Random) -> None:
    if path.suffix == ".ckpt":
        Checkpoint.read(path)
    elif path.suffix == ".safetensors" and draw.random() < 0.5:
        (load_for_clips if path.name == "clips.safetensors" else load_backbone)(path)
    else:
        read_state(path)


def read_interactions(path: Path, draw: random.Random) -> None:
    """All that is read of a file of pairs: parts, names of columns, ids and titles."""
    one = draw.randrange(6)
    if one == 0:
        column_names(str(path), Named())
    elif one == 1:
        read_titles(path)
    elif one == 2:
        read_ids(str(path), draw.choice((pa.array([1]), pa.array(["a"]))), "--users")
    else:
        columns = draw.choice(({}, {"user": "item", "item": "user"}, {"user": 1, "item": 0}, {"time": 3}))
        more: dict[str, Any] = draw.choice(({}, {"min_weight": 2.0}, {"core": 2}))
        open_interactions(path, split=draw.choice(("ratio", "last", "time", "none")), **columns, **more)


def make_list(folder: Path, draw: random.Random) -> Path:
    for name in ("1.png", "é.jpg"):
        (folder / name).write_bytes(b"x")
    whole = "1.png\né.jpg\n\n./1.png\n/dev/zero\n1.png\t3\nlost.png\n".encode()
    (folder / "list.txt").write_bytes(mutate_text(whole, draw))
    return folder / "list.txt"


def make_path(folder: Path, draw: random.Random) -> str:
    """A path or URL in odd letters, to nothing or to something."""
    (folder / "a-0.tar").write_bytes(arrays()["ustar.tar"])
    (folder / "plays.csv").write_bytes(plays()["plays.csv"])
    whole = (
        "a-{0..1}.tar",
        "a-*.tar",
        "{a,b}-0.tar",
        "plays.csv",
        "memory://x/a.tar",
        "file://a-0.tar",
        "a-0.tar",
        ".",
    )
    text = mutate_text(draw.choice(whole).encode(), draw).decode("utf-8", "surrogateescape")
    strange = "://" in text and not text.startswith(("memory://", "file://"))  # the network is not asked
    return str(folder) if strange or text.startswith("/") or ".." in text else f"{folder}/{text}"


def read_path(path: str, draw: random.Random) -> None:
    for read in (lambda: open_source(path), lambda: open_interactions(path), lambda: wings.of_data(path)):
        try:
            read()
        except UserError as error:
            check(error)


@cache
def labelled_sets(scratch: Path) -> list[Path]:
    """Labelled data of each form, whole."""
    (scratch / "labelled").mkdir()
    return labelled.sets(scratch / "labelled")


def make_labelled(scratch: Path) -> Callable[[Path, random.Random], Path]:
    """A labelled set in which one file is changed."""

    def make(folder: Path, draw: random.Random) -> Path:
        whole = draw.choice(labelled_sets(scratch))
        copied = shutil.copytree(whole, folder / whole.name)
        labelled.damage(copied, draw, mutate, odd)
        return copied

    return make


def read_labelled(folder: Path, draw: random.Random) -> None:
    labelled.read(folder)


def make_run(folder: Path, draw: random.Random) -> Path:
    """A run folder in which one file is changed."""
    run = shutil.copytree(OLD / draw.choice(RUNS), folder / "run")
    file = draw.choice(sorted(p for p in run.rglob("*") if p.is_file() and p.suffix != ".html"))
    data = file.read_bytes()
    if file.suffix == ".json" and draw.random() < 0.7:
        file.write_text(json.dumps(odd(json.loads(data), draw)))
    elif file.suffix == ".yaml" and draw.random() < 0.7:
        file.write_text(yaml.safe_dump(odd(yaml.safe_load(data), draw)))
    elif file.suffix == ".ckpt" and draw.random() < 0.7:
        torch.save(odd(torch.load(io.BytesIO(data), weights_only=True), draw), file)
    else:
        file.write_bytes(mutate_file(file.name, data, draw))
    return run


def read_run(folder: Path, draw: random.Random) -> None:
    """What the verbs read of a run folder; the page is made rarely, since it takes long."""
    wings.of_run(str(folder))
    looks: list[Callable[[], Any]] = [
        lambda: read_model(folder),
        lambda: BestEpoch(folder, None, None, None, every_epochs=1, patience=1).best(),  # type: ignore[arg-type]
        lambda: MetricsFile(folder / "metrics.csv").restore(10),
        lambda: add_results(folder, []),
    ]
    if draw.random() < 0.3:
        looks.append(lambda: build([folder], folder / "page.html", [wings.sections_of(str(folder))]))
    for look in looks:
        try:
            look()
        except UserError as error:
            check(error)


def check(error: UserError) -> None:
    """A UserError is one sentence."""
    assert str(error).strip(), error


def files(scratch: Path) -> list[Reader]:
    """The readers of files and paths. scratch: a folder to make weights in."""
    return [
        Reader("pictures", 300, a_file(pictures()), read_picture),
        Reader("arrays", 120, a_file(arrays(), ARRAYS), read_source),
        Reader("stacks", 60, a_file(stacks()), read_stack),
        Reader("tars", 80, a_file(arrays(), TARS), read_source),
        Reader("images parquet", 80, a_file(tables(), ("hub.parquet", "plain.parquet")), read_source),
        Reader("lists", 60, make_list, read_source),
        Reader("weights", 60, a_file(weights(scratch), WEIGHTS), read_weights),
        Reader("text", 140, a_file(plays(), TEXTS), read_interactions),
        Reader("pairs npz", 80, a_file(plays(), MATRICES), read_interactions),
        Reader("pairs parquet", 80, a_file(tables(), ("plays.parquet", "old.parquet")), read_interactions),
        Reader("paths", 50, make_path, read_path),
        Reader("runs", 17, make_run, read_run),
        Reader("labels", 60, make_labelled(scratch), read_labelled),
    ]
