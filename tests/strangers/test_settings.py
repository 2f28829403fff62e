"""Settings that no machine can carry: one sentence with the memory or time they would take, before any is taken."""

from __future__ import annotations

import re
import resource
import shutil
import time
from pathlib import Path

import pytest
import torch

import twofold
from tests.strangers.readers import OLD, pictures
from twofold import cli
from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.memory import WithinMemory
from twofold.pixels.backbones.export import save_backbone

TAKES = r"would take (more than )?[\d.,]+ (EB|PB|TB|GB) of memory, and [\d.,]+ [MG]B are free: "
YEARS = r"would take [\d,]+ years at the very least: "
HOURS = r"a single step would take [\d,.]+ hours, so give at most 10,000"
LEARN = "pretrain {} photos --backbone convnet --image-size 16 --no-report --quiet --epochs 1 "
RANK = "pretrain {} pairs.csv --no-report --quiet --epochs 1 "
MANY, HUGE = 10**9, 10**12


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    for name in ("a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / name).write_bytes(pictures()["a.png"])
    shutil.copy(OLD / "pairs.csv", folder)
    shutil.copytree(OLD / "interactions-finished", folder / "run")
    backbone = build_backbone("convnet", image_size=8)
    save_backbone(backbone, folder / "b.safetensors", mean=(0.5,) * 3, std=(0.2,) * 3, method="moco")
    return folder


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"{LEARN.format('moco')} --method.queue {HUGE}", rf"moco {TAKES}give a smaller moco.queue \(it is 1,000,000"),
        (f"{LEARN.format('moco')} --method.dim {10**11}", rf"moco {TAKES}give a smaller moco.dim"),
        (f"{LEARN.format('moco')} --method.queue {10**18}", TAKES),
        (f"{LEARN.format('moco')} --method.queue {10**30}", "at most 64 bits"),
        (f"{LEARN.format('swav')} --method.prototypes {HUGE}", TAKES),
        (f"{LEARN.format('swav')} --method.iterations {MANY}", HOURS),
        (f"{LEARN.format('dino')} --method.hidden {MANY}", TAKES),
        (f"{LEARN.format('dino')} --method.local_views {MANY}", HOURS),
        (f"{LEARN.format('simclr')} --method.layers {MANY}", HOURS),
        (f"{LEARN.format('vicreg')} --method.dim {10**8}", TAKES),
        (f"{LEARN.format('barlow')} --method.layers {MANY}", HOURS),
        (f"{LEARN.format('simsiam')} --method.layers {MANY}", HOURS),
        (f"{LEARN.format('moco-v3')} --method.layers {MANY}", HOURS),
        (f"{LEARN.format('wmse')} --method.repeats {MANY}", HOURS),
        (f"{LEARN.format('wmse')} --method.views {MANY}", HOURS),
        (f"{LEARN.format('byol')} --method.hidden {10**10}", TAKES),
        (f"{LEARN.format('moco+tkc')} --method.teachers {MANY}", HOURS),
        (f"{LEARN.format('moco')} --epochs {HUGE}", YEARS),
        ("pretrain moco photos --backbone convnet --steps 1000000000000", YEARS),
        ("pretrain moco photos --backbone convnet --image-size 1000000 --epochs 1", rf"px {TAKES}give a smaller --im"),
        ("pretrain moco photos --backbone resnet18 --image-size 60000 --epochs 1", rf"px {TAKES}give a smaller --imag"),
        (f"{LEARN.format('moco')} --batch-size {MANY}", "larger than the data"),
        (f"{LEARN.format('moco')} --workers {10**6}", rf"--workers 1,000,000 {TAKES}give fewer"),
        (f"{LEARN.format('moco')} --devices {10**6}", rf"--devices 1,000,000 {TAKES}give fewer"),
        (f"check photos --method moco --epochs {HUGE}", YEARS),
        ("evaluate b.safetensors photos --protocols knn --image-size 1000000", TAKES),
        (f"evaluate b.safetensors photos --protocols finetune --epochs {HUGE}", YEARS),
        ("embed b.safetensors photos --image-size 1000000", TAKES),
        ("embed random:convnet photos --image-size 1000000", TAKES),
        (f"compare moco photos --backbone convnet --image-size 16 --seeds {HUGE}", YEARS),
        (f"compare moco photos --backbone convnet --image-size 16 --minutes {HUGE}", YEARS),
        ("compare moco photos --backbone convnet --image-size 1000000", TAKES),
        (f"{RANK.format('lightgcn')} --method.dim {10**11}", rf"lightgcn {TAKES}give a smaller lightgcn.dim"),
        (f"{RANK.format('sgl')} --method.dim {10**9}", TAKES),
        (f"{RANK.format('sgl')} --method.layers {MANY}", HOURS),
        (f"{RANK.format('bpr-mf')} --epochs {HUGE}", YEARS),
        (f"{RANK.format('lightgcn')} --devices {10**6}", TAKES),
        (f"{RANK.format('lightgcn')} --noise {HUGE}", "random pairs are wanted, but only"),
        (f"{RANK.format('lightgcn')} --core {HUGE}", "give a smaller core"),
        (f"compare lightgcn pairs.csv --seeds {HUGE}", YEARS),
    ],
)
def test_what_no_machine_can_carry(here, monkeypatch, command, says):
    monkeypatch.chdir(here)
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(UserError, match=says) as caught:
        cli.parse(command.split())()
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # kB: below a gigabyte
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "command",
    [
        f"recommend run --k {HUGE} --out a.parquet",
        f"similar run i1 --k {HUGE} --out b.parquet",
        "evaluate run pairs.csv --at 1,999999 --no-floors",
        f"embed b.safetensors photos --batch-size {MANY} --out c.parquet",
    ],
)
def test_what_is_more_than_there_is_stands_for_all(here, monkeypatch, command):
    monkeypatch.chdir(here)
    if command.startswith("similar"):
        command = command.replace("i1", str(twofold.interactions.jobs.store.read_model("run").item_ids[0]))
    cli.parse(command.split())()


def test_a_tensor_is_refused_before_it_is_made(monkeypatch):
    copies: list[torch.Tensor] = []
    monkeypatch.setattr("twofold.resources.free_memory", lambda: 10**8 - 4 * 10**7 * len(copies))
    with WithinMemory("This", "give less"):
        kept = torch.zeros(10**7)  # 40 MB
        with pytest.raises(UserError, match=r"This would take 1.6 GB of memory, and 100 MB are free: give less"):
            kept[:20_000, None] * kept[:20_000]
        with pytest.raises(UserError, match="would take"):
            torch.nn.Linear(2**40, 2**40)
        with pytest.raises(UserError, match="would take"):
            for _ in range(9):
                copies.append(kept.clone())
        assert len(copies) == 1  # of which each is small enough
        assert kept.view(10, -1).add_(1).T.sum() == 10**7  # views and work in place take nothing


def test_what_fits_is_built_as_without_a_look():
    torch.manual_seed(0)
    plain = build_backbone("resnet18", image_size=32).state_dict()
    torch.manual_seed(0)
    with WithinMemory("It", "give less"):
        other = build_backbone("resnet18", image_size=32).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in plain.items())


def test_whole_numbers_are_kept_to_the_last_digit():
    for given in (2**53 + 1, str(2**53 + 1), f" +{2**53 + 1} "):
        assert twofold.images.Pretrain(seed=given).seed == 2**53 + 1
    assert twofold.images.Pretrain(steps="1e3").steps == twofold.images.Pretrain(steps=1000.0).steps == 1000


def test_every_loop_of_a_step_is_bounded():
    """A method's settings that count layers, views or repeats are given to `repeated`."""
    source = Path(twofold.__file__).parent
    counts = re.compile(r"^        (layers|iterations|repeats|local_views|teachers): int = ", re.MULTILINE)
    for file in [*(source / "methods").glob("*.py"), *(source / "interactions" / "methods").glob("*.py")]:
        text = file.read_text("utf-8")
        for name in counts.findall(text) if "(LightGCN)" not in text else ():
            assert re.search(rf"repeated\([^)]*{name}=", text), (file, name)
