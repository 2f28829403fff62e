"""same_bits.py record|check FILE: a tiny run of every method ends in the same tensors and numbers as the recorded ones.

`record` writes FILE, `check` makes the runs again, says each difference in a line and ends with 1 where there is one.
To see that a change of the code changes no numbers: `record` before it, `check` after it, on the same machine with the
same packages (other processors round differently). Everything goes through the command line, on one thread, with the
`twofold` that python finds here (PYTHONPATH counts); the first line printed says where that is. Six minutes on a core.

Recorded of each run: the settings, the checkpoint's method and optimizer, backbone or embeddings, views, gallery,
metrics (times left out), evaluation, fingerprint of the data; vectors of some images; recommendations for all users.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

Record = dict[str, str]
SETTING = "config.yaml/"
KIND = f"{SETTING}kind"  # follows from the method; written since runs of three kinds of data were planned

MOCO = "--method.queue 64 --method.dim 32"
WMSE = "--method.hidden 64 --method.dim 8 --method.whiten_size 16"
DINO = "dino --method.prototypes 64 --method.hidden 64"
SWAV = "swav --method.prototypes 16 --method.hidden 64 --method.queue 64"
CROPS = "--recipe imagenet --image-size 32 --method.local_views 2"
# A run's name and its command line after `twofold pretrain`: every method, some compositions, some other settings.
IMAGES = {
    "simclr": "simclr",
    "moco": f"moco {MOCO}",
    "moco-symmetric": f"moco-symmetric {MOCO}",
    "moco-v1": f"moco-v1 {MOCO}",
    "simsiam": "simsiam",
    "byol": "byol --method.hidden 64",
    "wmse": f"wmse {WMSE}",
    "wmse4": f"wmse4 {WMSE}",
    "barlow": "barlow --method.dim 64",
    "vicreg": "vicreg --method.dim 64",
    "moco-v3": "moco-v3 --method.hidden 64 --method.dim 32",
    "dino": DINO,
    "swav": SWAV,
    "mixsiam": "mixsiam",
    "mochi": f"mochi {MOCO}",
    "co2": f"co2 {MOCO}",
    "tkc": f"tkc {MOCO}",
    "unmix": f"unmix {MOCO}",
    "moco+co2": f"moco+co2 {MOCO}",
    "simclr+unmix": "simclr+unmix",
    "byol+tkc": "byol+tkc --method.hidden 64",
    "moco+mochi+co2+unmix": f"moco+mochi+co2+unmix {MOCO}",
}
OTHER_IMAGES = {
    "dino-crops": f"{DINO} {CROPS}",
    "swav-crops": f"{SWAV} {CROPS}",
    "moco-shuffle": f"moco {MOCO} --recipe imagenet --method.key_bn shuffle --accumulate 2",
    "simclr-resnet10": "simclr --backbone resnet10",
    "byol-val": "byol --method.hidden 64 --val val --seed 3",
}
TRAINED = "--epochs 8 --batch-size 64 --log-every 2 --method.dim 16"
INTERACTIONS = {
    "lightgcn": f"lightgcn {TRAINED}",
    "sgl": f"sgl {TRAINED}",
    "sgl-nodes": f"sgl {TRAINED} --method.augmentation nd --recipe sparse --split last --seed 3",
    "sgl-walks": f"sgl {TRAINED} --method.augmentation rw --method.negatives batch --noise 0.1",
    "bpr-mf": f"bpr-mf {TRAINED} --select-on test",
    "popularity": "popularity",
    "graph-filter": "graph-filter",
    "item-knn": "item-knn",
}
ACTS = "--steps 120 --learn-start 60 --eval-every 60 --eval-episodes 1 --batch-size 8 --replay 100 --log-every 1"
LOGGED = "--steps 12 --batch-size 16 --log-every 1"
# Of these the data come first.
CONTROL = {
    "rainbow": f"twofold/Catch-v0 rainbow {ACTS}",
    "rainbow+curl+rcrl": f"twofold/Runner-v0 rainbow+curl+rcrl {ACTS}",
    "sac": f"twofold/Reach-v0 sac {ACTS} --size 24 --method.hidden 16",
    "sac+rcrl": f"twofold/Reach-v0 sac+rcrl {ACTS} --size 24 --method.sac.hidden 16 --method.rcrl.positives bin",
    "rcrl": f"episodes rcrl {LOGGED} --recipe bins",
    "curl": f"episodes curl {LOGGED}",
}
EMBEDDED = ("moco+co2 fp32", "byol bf16")
TINY = "--epochs 4 --batch-size 32 --log-every 1 --workers 0"


def runs() -> Iterator[tuple[str, str]]:
    """Each run's name and the rest of its command line: the data, the method, and options."""
    for precision in ("fp32", "bf16"):
        for name, words in IMAGES.items():
            yield (
                f"{name} {precision}",
                f"images {words} {TINY} --precision {precision} --backbone convnet --image-size 16",
            )
    for name, words in OTHER_IMAGES.items():
        small = " ".join(o for o in ("--backbone convnet", "--image-size 16") if o.split()[0] not in words)
        yield name, f"images {words} {TINY} --precision fp32 {small}"
    yield from ((name, f"pairs.csv {words}") for name, words in INTERACTIONS.items())
    yield from CONTROL.items()


def make_data(folder: Path) -> None:
    """96 pictures in two classes (images), 32 more (val), the pairs of 60 users with 40 items (pairs.csv), and 8 logged
    episodes (episodes)."""
    draw = np.random.default_rng(0)
    for part, each in (("images", 48), ("val", 16)):
        for label in range(2):
            (folder / part / f"class{label}").mkdir(parents=True)
            for i in range(each):
                high, wide = draw.integers(16, 25, 2)
                slope = np.linspace(0, 90 + 60 * label, wide)[None, :, None] + draw.integers(0, 100, (high, wide, 3))
                file = folder / part / f"class{label}" / f"{i:02}.png"
                Image.fromarray(slope.astype(np.uint8)).save(file)
                os.utime(file, (1_700_000_000, 1_700_000_000))  # the fingerprint of the data holds the time of change
    lines = ["user,item,time"]
    for user in range(60):
        own = draw.choice(20, 8, replace=False) + 20 * (user % 2)
        others = draw.choice(40, 2, replace=False)
        lines += [f"u{user},i{item},{draw.integers(1000)}" for item in dict.fromkeys([*own, *others])]
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "episodes").mkdir()
    for number in range(8):
        seen, actions = draw.integers(0, 256, (41, 3, 12, 12)).astype(np.uint8), draw.integers(0, 3, 40)
        rewards, over = (draw.random(40) < 0.2).astype(np.float32), np.arange(40) == 39
        episode = {"observations": seen, "actions": actions, "rewards": rewards, "terminated": over}
        np.savez(folder / "episodes" / f"{number}.npz", **episode)


def call(folder: Path, *words: str, module: str = "twofold") -> str:
    """What the command line prints. Ends the script where it fails."""
    paths = [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(paths)}
    how = ["-m", module] if module else []
    command = [sys.executable, *how, *words]
    done = subprocess.run(command, cwd=folder, env=os.environ | alone, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout.strip()


def flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every tensor below a value as a hash of its type, shape and bytes, every other value as it is written."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}/{key}")
    elif isinstance(value, list | tuple) and any(isinstance(inner, dict | torch.Tensor) for inner in value):
        for key, inner in enumerate(value):
            yield from flat(inner, f"{name}/{key}")
    elif isinstance(value, torch.Tensor):
        data = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        yield name, digest(f"{value.dtype} {tuple(value.shape)} ".encode() + data)
    elif isinstance(value, np.ndarray):
        yield name, digest(f"{value.dtype} {value.shape} ".encode() + value.tobytes())
    else:
        yield name, repr(value)


def digest(data: bytes) -> str:
    """A hash that says that it is one."""
    return f"blake2b:{hashlib.blake2b(data, digest_size=12).hexdigest()}"


def read_run(folder: Path) -> Iterator[tuple[str, str]]:
    """What a run folder holds, by name; what only tells the time is left out."""
    checkpoint = folder / "checkpoints" / "last.ckpt"
    if checkpoint.exists():
        stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
        yield from flat(stored["method"], "method")
        yield from flat(next(part for key, part in stored.items() if key.startswith("optim")), "optimizer")
    for file in sorted(folder.glob("*.safetensors")):
        yield from flat(load_file(file), file.name)
    for file in sorted(folder.glob("*.npz")):
        yield from flat(dict(np.load(file, allow_pickle=False)), file.name)
    for file in sorted(folder.glob("*.parquet")):
        rows = sorted(pq.read_table(file).to_pylist(), key=lambda row: [str(cell) for cell in row.values()])
        for column in rows[0]:
            yield f"{file.name}/{column}", digest(repr([row[column] for row in rows]).encode())
    if (folder / "metrics.csv").exists():
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                kept = {k: v for k, v in row.items() if not re.fullmatch(r"seconds|wait_share|.*_per_second", k)}
                yield from flat(kept, f"metrics.csv/step {row['step']}")
    for entry in json.loads((folder / "evaluation.json").read_text(encoding="utf-8")):
        value = {key: entry[key] for key in ("value", "floor", "settings", "seed", "data")}
        yield from flat(value, f"evaluation.json/{entry['name']}/{entry['protocol']}/{entry['metric']}")
    if (folder / "best.json").exists():
        yield from flat(json.loads((folder / "best.json").read_text(encoding="utf-8")), "best.json")
    yield from flat(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")), "config.yaml")
    about = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    yield "environment.json/fingerprint", about["fingerprint"]


def make(folder: Path) -> Iterator[tuple[str, Record]]:
    """Every run with its record."""
    make_data(folder)
    for name, words in runs():
        out, (data, method, *options) = name.replace(" ", "-"), words.split()
        call(folder, "pretrain", method, data, *options, "--out", out, "--no-report")
        if name in INTERACTIONS:
            call(folder, "recommend", out, "--k", "5")
        if name in EMBEDDED:
            call(folder, "embed", out, "images", "--precision", "fp32", "--workers", "0")
        yield name, dict(read_run(folder / out))


def differences(name: str, old: Record, new: Record) -> list[str]:
    """A line for each thing that is not as it was; a setting that is new, and says nothing, changes nothing."""
    known = [key for key in new if key in old or not (key == KIND or (key.startswith(SETTING) and new[key] == "None"))]
    return [
        f"{name}: {key} was {old.get(key, 'not there')} and is now {new.get(key, 'not there')}"
        for key in dict.fromkeys([*old, *known])
        if old.get(key) != new.get(key)
    ]


def about() -> dict[str, str]:
    """What the bits depend on besides the code."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return found | {"processor": torch.backends.cpu.get_cpu_capability()}


def main() -> int:
    """Make the runs; write them down, or compare them with what is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("record", "check"))
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    began, wrong = time.monotonic(), 0
    now: dict[str, Any] = {"about": about(), "runs": {}}
    stored = json.loads(args.file.read_text(encoding="utf-8")) if args.verb == "check" else now
    with tempfile.TemporaryDirectory() as temporary:
        print(call(Path(temporary), "-c", "import twofold; print(twofold.__file__)", module=""), flush=True)
        listed = call(
            Path(temporary), "-c", "import twofold; print(*(m.name for m in twofold.list_methods()))", module=""
        )
        if lacking := set(listed.split()) - {*IMAGES, *INTERACTIONS, *CONTROL}:
            print(
                f"not run, for it stands in none of IMAGES, INTERACTIONS and CONTROL: {', '.join(sorted(lacking))}",
                flush=True,
            )
        if stored["about"] != now["about"]:
            print(f"recorded with {stored['about']}, now {now['about']}: numbers may differ for that alone", flush=True)
        for name, record in make(Path(temporary)):
            now["runs"][name] = record
            lines = differences(name, stored["runs"].get(name, {}), record) if args.verb == "check" else []
            wrong += len(lines)
            print("\n".join([*lines, f"{name}: {len(lines)} differences" if lines else f"{name}: done"]), flush=True)
    for name in stored["runs"].keys() - now["runs"].keys():
        wrong += 1
        print(f"{name}: was recorded and is not run any more")
    values = [value for record in now["runs"].values() for value in record.values()]
    hashed = sum(value.startswith("blake2b:") for value in values)
    counted = f"{len(now['runs'])} runs, {hashed:,} tensors and columns, {len(values) - hashed:,} numbers and settings"
    if args.verb == "record":
        args.file.write_text(json.dumps(now, indent=0) + "\n", encoding="utf-8")
    said = f"{wrong:,} differences" if wrong else "written" if args.verb == "record" else "all the same bits"
    print(f"{counted}: {said}, in {time.monotonic() - began:.0f} s")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
