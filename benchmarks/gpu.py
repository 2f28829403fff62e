"""gpu.py PIECE OUT: what can only be said of a GPU, in pieces of at most eight minutes, each with one JSON in OUT.

  losses   every method and variant of the catalog, tiny, in float32 without TF32: loss, gradients and state after a
           step on the device against the CPU, and both against float64 on the CPU
  speed    images/s of SimCLR, MoCo, BYOL and DenseCL: CIFAR's ResNet-18 at 32 px and ResNet-50 at 224 px, with and
           without --compile; the share of the time that a step waits for data, the views alone, the bare step alone
  learn    --epochs of TRAIN, then kNN and linear on TEST, for each of --methods and --seeds; stops after --minutes and
           goes on when it is called again with the same OUT
  resume   a run that is killed half-way and goes on, against one that is not: whether the weights are the same bits

What OUT holds already is not measured again. --tiny makes all of it small, for a test on a CPU. Run from the project's
root; `losses` takes its tiny methods from tests/.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
SPEED = [(method, net) for net in ("resnet18 32", "resnet50 224") for method in ("simclr", "moco", "byol", "densecl")]
LEARNED = (
    *("simclr", "moco", "moco-symmetric", "byol", "wmse", "simsiam+mixsiam", "moco+mochi", "moco+co2", "moco+tkc"),
    *("moco-symmetric+unmix", "densecl", "lejepa"),
)


def main() -> None:
    """Run one piece."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("piece", choices=PIECES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--train", type=Path, help="of `learn`: labelled images")
    parser.add_argument("--test", type=Path, help="of `learn`: held-out images")
    parser.add_argument("--methods", nargs="+", default=list(LEARNED))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    if asked.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    asked.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for name, result in PIECES[asked.piece](asked):
        seconds = round(time.monotonic() - began, 1)
        file = asked.out / f"{asked.piece}-{name}.json"
        file.write_text(json.dumps({**about(asked), "seconds": seconds, **result}, indent=1) + "\n")
        print(f"{file}: {json.dumps(result)[:200]}", flush=True)
        if seconds > asked.minutes * 60:
            print("The time is up: call it again, and it goes on.", flush=True)
            return
        began = time.monotonic()


def losses(asked: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """The largest difference of each method, as a share of the norm; "float32": the CPU's own against float64."""
    sys.path.insert(0, str(ROOT))
    from tests import tiny
    from tests.interactions.graph_data import random_graph
    from tests.training.small import Pictures, make_method, two_views
    from twofold.interactions.views.triples import Triples
    from twofold.pixels.batch import ImageBatch
    from twofold.seam import Batch, Progress

    if asked.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    now, index, graph = Progress(3, 10, 1, 3, seed=5), torch.arange(16), random_graph()
    made: dict[str, Callable[[], tuple[Any, Any]]] = {}

    def pictured(name: str) -> tuple[Any, Any]:
        method = make_method(name)
        batch = ImageBatch(index, Pictures().pixels[index], torch.zeros(len(index), 2))
        return method, two_views(batch, 0, method.view_count, tiny.kind_of(name), method.pretext)

    def graphed(name: str) -> tuple[Any, Any]:
        torch.manual_seed(0)
        return tiny.make(name, graph), Triples(*graph, sampling="user", seed=1)(Batch(torch.arange(32)), 1)

    names = [*tiny.JOINT, *tiny.variants(tiny.JOINT), *map(tiny.together, tiny.BASES)]
    made |= {name: (lambda name=name: pictured(name)) for name in names}
    on_graphs = [*tiny.ON_INTERACTIONS, *tiny.variants(tiny.ON_INTERACTIONS)]
    made |= {name: (lambda name=name: graphed(name)) for name in on_graphs}
    chosen = list(made)[:2] + on_graphs[:1] if asked.tiny else list(made)
    found = {}
    for name in chosen:
        exact = one_step(*made[name](), now, "cpu", torch.float64)
        single = one_step(*made[name](), now, "cpu", torch.float32)
        there = one_step(*made[name](), now, asked.device, torch.float32)
        found[name] = {part: round(apart(there[part], exact[part]), 9) for part in exact}
        found[name] |= {f"{part}_float32": round(apart(single[part], exact[part]), 9) for part in exact}
    worst = max(found, key=lambda name: found[name]["gradients"])
    yield "all", {"methods": len(found), "worst": {worst: found[worst]}, "each": found}


def one_step(method: Any, views: Any, now: Any, device: str, dtype: torch.dtype) -> dict[str, dict[str, Tensor]]:
    """Losses, gradients and the state after a step, on the CPU in float64."""
    method = method.to(device, dtype)
    views = moved(views, device, dtype)
    method.before_step(now)
    told = method(views, now)
    told.total.backward()
    gradients = {name: p.grad for name, p in method.named_parameters() if p.grad is not None}
    method.after_step(now)
    parts = {
        "loss": {name: term.value for name, term in told.terms.items()},
        "gradients": gradients,
        "state": {name: value for name, value in method.state_dict().items() if value.is_floating_point()},
    }
    return {part: {k: v.detach().double().cpu() for k, v in values.items()} for part, values in parts.items()}


def moved(value: Any, device: str, dtype: torch.dtype) -> Any:
    """The same views on a device: every tensor in them, those of fractions in a precision."""
    if isinstance(value, Tensor):
        return value.to(device, dtype) if value.is_floating_point() else value.to(device)
    if isinstance(value, list | tuple):
        parts = [moved(one, device, dtype) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {name: moved(one, device, dtype) for name, one in value.items()}
    if hasattr(value, "__dict__") and not callable(value):
        same = copy.copy(value)
        for name, one in vars(value).items():
            object.__setattr__(same, name, moved(one, device, dtype))
        return same
    return value


def apart(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The norm of the difference as a share of the norm, of all tensors together."""
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    off = sum((found[name] - value).square().sum() for name, value in expected.items())
    whole = sum(value.square().sum() for value in expected.values())
    return float((off / whole).sqrt()) if whole > 0 else float(off > 0)


def speed(asked: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whole runs on random pictures in memory, then their views alone and the bare step alone."""
    for method, net in SPEED[:1] if asked.tiny else SPEED:
        for compiled in (False,) if asked.tiny else (False, True):
            name = f"{method}-{net.replace(' ', '-')}{'-compiled' if compiled else ''}"
            if not (asked.out / f"speed-{name}.json").exists():
                yield name, measured_speed(asked, method, *net.split(), compiled)


def measured_speed(asked: argparse.Namespace, method: str, net: str, side: str, compiled: bool) -> dict[str, Any]:
    """Images/s of one method."""
    import twofold

    size, batch, steps = (32, 8, 4) if asked.tiny else (int(side), 512 if side == "32" else 256, 60)
    drawn = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (batch * 4, 3, size * 9 // 8, size * 9 // 8), generator=drawn, dtype=torch.uint8)
    settings: dict[str, Any] = {"backbone": "convnet" if asked.tiny else net, "image_size": size, "batch_size": batch}
    settings |= {"log_every": max(steps // 4, 1), "compile": compiled, "quiet": True}
    settings |= {"correspondence_every": 0} if method == "densecl" else {}
    folder = asked.out / "runs" / f"{method}-{net}-{side}-{compiled}"
    run = twofold.pretrain(method, pictures, steps=steps, out=str(folder), **settings)
    rows = run.metrics.to_pylist()[1:]  # the first holds what is made once
    per_second = sorted(row["images_per_second"] for row in rows if row["images_per_second"])
    peak = torch.cuda.max_memory_allocated() / 2**30 if asked.device == "cuda" else 0.0
    return {
        "images_per_second": round(per_second[len(per_second) // 2], 1),
        "wait_share": round(sum(row["wait_share"] or 0 for row in rows) / max(len(rows), 1), 4),
        "views_images_per_second": round(views_alone(method, run, pictures[:batch], asked.device), 1),
        "step_images_per_second": round(step_alone(method, run, batch, size, asked.device), 1),
        "peak_gib": round(peak, 2),
        "batch": batch,
        "precision": run.config.get("precision"),
    }


def views_alone(method: str, run: Any, pictures: Tensor, device: str) -> float:
    """Images/s of making the views of a batch that is there."""
    from twofold.pixels.batch import ImageBatch
    from twofold.pixels.views.views import ImageViews

    views = ImageViews(run.config["views"], run.config["image_size"], seed=0)
    sizes = torch.full((len(pictures), 2), pictures.shape[-1])
    batch = ImageBatch(torch.arange(len(pictures)), pictures, sizes).to(torch.device(device))
    return per_second(lambda: views(batch, 0), len(pictures), device)


def step_alone(method: str, run: Any, batch: int, size: int, device: str) -> float:
    """Images/s of forward, backward and the optimizer on views that are there, bf16 on a GPU, nothing around them."""
    from twofold import wings
    from twofold.images.backbones import build_backbone
    from twofold.methods.build import build
    from twofold.seam import Progress, Situation

    composition, backbone = wings.composed(method).on("images"), build_backbone(run.config["backbone"], image_size=size)
    recipe = composition.recipe(run.config["recipe"])
    learner = build(composition, backbone, Situation(batch * 100, batch), recipe, {})[0].to(device)
    optimizer = torch.optim.SGD([p for p in learner.parameters() if p.requires_grad], 1e-3, momentum=0.9)
    tensors = [torch.rand(batch, 3, size, size, device=device) for _ in range(learner.view_count)]

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = learner.loss(tensors, Progress(0, 10))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        learner.after_step(Progress(0, 10))

    return per_second(step, batch, device)


def per_second(work: Callable[[], Any], items: int, device: str) -> float:
    """Items a second of some work, after three warm-ups, over two seconds and three calls at least."""
    for _ in range(3):
        work()
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    began, count = time.monotonic(), 0
    while count < 3 or time.monotonic() - began < (0.0 if device == "cpu" else 2.0):
        work()
        count += 1
        wait()
    return items * count / (time.monotonic() - began)


def learn(asked: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """One run after the other; each stops in time and goes on in the next call."""
    if not (asked.train and asked.test):
        sys.exit("learn needs --train and --test.")
    end = time.monotonic() + asked.minutes * 60
    for seed in asked.seeds:
        for method in asked.methods[:1] if asked.tiny else asked.methods:
            file = asked.out / f"learn-{method}-{seed}.json"
            if file.exists() and json.loads(file.read_text())["finished"]:
                continue
            yield f"{method}-{seed}", learned(asked, method, seed, end - time.monotonic())


def learned(asked: argparse.Namespace, method: str, seed: int, seconds: float) -> dict[str, Any]:
    """What a run has come to when its time is up."""
    import twofold

    folder = asked.out / "runs" / f"{method}-{seed}"
    small = ["--backbone", "convnet", "--batch-size", "8"] if asked.tiny else ["--backbone", "resnet18", "--compile"]
    command = ["pretrain", method, str(asked.train), "--out", str(folder), "--epochs", str(asked.epochs)]
    child = started([*command, "--image-size", "32", "--seed", str(seed), *small])
    try:
        code = child.wait(max(seconds, 1))
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)  # it saves and leaves
        child.wait()
        return {"finished": False, "method": method, "seed": seed}
    if code:
        sys.exit(f"{method}, seed {seed}, ended with exit code {code}: see {folder / 'log.txt'}.")
    run = twofold.open_run(folder)
    run.evaluate(str(asked.train), test=str(asked.test), protocols="knn,linear", quiet=True)
    rows = [row for row in run.evaluations.to_pylist() if row["protocol"] in ("knn", "linear")]
    return {"finished": True, "method": method, "seed": seed, "epochs": asked.epochs, "results": rows}


def resume(asked: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bits and differences of the weights of three runs: two alike, and one that was killed half-way."""
    steps, batch = (8, 8) if asked.tiny else (200, 256)
    data = asked.out / "noise.npz"
    if not data.exists():
        drawn = np.random.default_rng(0)
        np.savez(data, images=drawn.integers(0, 256, (batch * 8, 36, 36, 3), np.uint8))
    for method in ("moco",) if asked.tiny else ("simclr", "moco", "byol", "densecl", "lejepa"):
        if (asked.out / f"resume-{method}.json").exists():
            continue
        states = {}
        for name, kill_at in (("one", 0), ("again", 0), ("killed", steps // 2)):
            folder = asked.out / "runs" / f"resume-{method}-{name}"
            small = ["--backbone", "convnet"] if asked.tiny else ["--backbone", "resnet18"]
            command = ["pretrain", method, str(data), "--out", str(folder), "--steps", str(steps), *small]
            command += ["--batch-size", str(batch), "--image-size", "32", "--save-every", "0", "--log-every", "1"]
            for stop in (kill_at, 0) if kill_at else (0,):
                child = started(command)
                while stop and child.poll() is None and rows_of(folder / "metrics.csv") < stop:
                    time.sleep(0.01)
                if stop:
                    child.kill()
                if child.wait() and not stop:
                    sys.exit(f"{method} ended with exit code {child.returncode}: see {folder / 'log.txt'}.")
            whole = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["method"]
            states[name] = {key: value.double() for key, value in whole.items()}
        one = states.pop("one")
        result: dict[str, Any] = {}
        for name, other in states.items():
            result[f"{name}_same_bits"] = all(torch.equal(one[key], other[key]) for key in one)
            result[f"{name}_apart"] = apart(other, one)
        yield method, result


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """twofold in a process of its own, printing warnings alone."""
    return subprocess.Popen([sys.executable, "-m", "twofold", *command, "--quiet"], stdin=subprocess.DEVNULL)


def rows_of(file: Path) -> int:
    """The rows of a table that is being written, without its head."""
    return file.read_bytes().count(b"\n") - 1 if file.is_file() else 0


def about(asked: argparse.Namespace) -> dict[str, Any]:
    """Where and when."""
    device = torch.cuda.get_device_name() if asked.device == "cuda" else platform.processor() or platform.machine()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": device,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "tiny": asked.tiny,
    }


PIECES = {"losses": losses, "speed": speed, "learn": learn, "resume": resume}

if __name__ == "__main__":
    main()
