"""Weights shared out between two processes (gloo) against two processes that hold all of them, and whole runs."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.testing import assert_close

import twofold
from twofold.errors import UserError
from twofold.pixels.batch import ImageBatch
from twofold.runs.checkpoint import Checkpoint, shard_file
from twofold.seam import Monitor, Progress
from twofold.training import distribution
from twofold.training.distribution import Carrier, make_fabric, make_ready
from twofold.training.fsdp import gather_into, parted, share, share_out
from twofold.training.step import Updates

from ..tiny import BASES, JOINT, ON_CLIPS, kind_of, together, variants
from .small import BlockNet, Pictures, make_method, make_plan, run_training, two_views
from .test_two_ranks import Stopping

WORLD, BATCH = 2, 16
FEW = ["simclr", "byol", "moco[masked]+tkc", "swav", "ctp"]
ALL = [*JOINT, *variants(JOINT), *map(together, BASES), *(together(base, kind="videos") for base in ON_CLIPS)]
RUNS = {"sgd": {}, "adamw": {"optimizer": "adamw", "lr": 0.01, "eps": 1e-3, "clip": 0.1, "recompute": True}}


def three_steps(name: str, rank: int, fabric: Any) -> dict[str, Any]:
    """What three steps leave behind on this rank's share of the batch, as whole tensors."""
    whole, method = make_method(name).double(), make_method(name).double()
    make_ready(method, fabric, BATCH, 1)
    updates = Updates(method, make_plan(batch_size=BATCH), fabric, print)
    own = slice(rank * BATCH // WORLD, (rank + 1) * BATCH // WORLD)
    losses = []
    for step in range(3):
        now = Progress(3 + step, 10, seed=5)
        index = torch.arange(step, step + BATCH)[own]
        batch = ImageBatch(index, Pictures().pixels[index], torch.zeros(len(index), 2))
        views = two_views(batch, 0, method.view_count, kind_of(name), method.pretext)
        views.tensors = [tensor.double() for tensor in views.tensors]
        method.before_step(now)
        losses.append(updates(views, now, 0.05).total.detach())
        method.after_step(now)
    shares = sum(share(weight).numel() for weight in method.parameters())
    gather_into(whole, method, fabric)
    return {"losses": torch.stack(losses), "state": whole.state_dict(), "shares": torch.tensor(shares)}


class Looking(Monitor):
    """Runs the backbone, which is the first process's alone then."""

    every_epochs = 1

    def __call__(self, method: Any, progress: Progress) -> dict[str, float]:
        with torch.no_grad():
            return {"seen": float(method.backbone.eval()(Pictures().pixels[:4] / 255).pooled.sum())}


def whole_runs(rank: int, folder: Path, fabrics: dict[str, Any]) -> dict[str, Any]:
    """Runs of 15 steps under both strategies, stopped and gone on with."""

    def run(name: str, strategy: str, **settings: Any) -> dict[str, Any]:
        method, outcome = run_training(
            folder / name, "byol", fabric=fabrics[strategy], net=BlockNet, **{"log_every": 3, **settings}
        )
        return {"state": method.state_dict(), "begun": torch.tensor(outcome.resumed_from)}

    found = {}
    for name, settings in RUNS.items():
        for strategy in fabrics:
            found[f"{name} {strategy}"] = run(f"{name} {strategy}", strategy, monitors=[Looking()], **settings)
    for strategy in fabrics:
        with pytest.raises(SystemExit):
            run(f"stopped {strategy}", strategy, images=Stopping(rank))
    torch.distributed.barrier()
    if rank == 0:
        for copied in ("other way", "alone", "damaged"):
            shutil.copytree(folder / "stopped fsdp", folder / copied)
        shard_file(folder / "damaged" / "checkpoints", 9, 1, WORLD).write_bytes(b"cut")
    torch.distributed.barrier()
    onward = {"stopped fsdp": "fsdp", "other way": "ddp", "stopped ddp": "fsdp", "damaged": "fsdp"}
    return found | {name: run(name, strategy) for name, strategy in onward.items()}


def rank_of_two(rank: int, folder: Path, cases: list[str], runs: bool) -> None:
    torch.set_num_threads(1)
    distribution.KNOWN = (*distribution.KNOWN, "tests")
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": WORLD, "LOCAL_WORLD_SIZE": WORLD, "GROUP_RANK": 0}
    os.environ |= {k: str(v) for k, v in names.items()} | {"TORCHELASTIC_RUN_ID": "here", "MASTER_ADDR": "localhost"}
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    fabrics = {name: make_fabric(WORLD, accelerator="cpu", strategy=name) for name in ("ddp", "fsdp")}
    for fabric in fabrics.values():
        fabric.launch()
    found: dict[str, Any] = {
        f"{case} {name}": three_steps(case, rank, fabric) for case in cases for name, fabric in fabrics.items()
    }
    found |= whole_runs(rank, folder, fabrics) if runs else {}
    torch.save(found, folder / f"rank{rank}.pt")
    torch.distributed.destroy_process_group()


def in_two(folder: Path, processes: Any, cases: list[str], runs: bool) -> list[dict[str, Any]]:
    started = [processes.Process(target=rank_of_two, args=(rank, folder, cases, runs)) for rank in range(WORLD)]
    for process in started:
        process.start()
    for process in started:
        process.join(timeout=600)
    assert [process.exitcode for process in started] == [0] * WORLD
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(WORLD)]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, processes):
    folder = tmp_path_factory.mktemp("ranks")
    return folder, in_two(folder, processes, FEW, True)


def agree(shared: dict[str, Any], expected: dict[str, Any]) -> None:
    assert_close(shared["losses"], expected["losses"], rtol=1e-9, atol=1e-10)
    for name, value in expected["state"].items():
        assert_close(shared["state"][name], value, rtol=1e-7, atol=1e-9, msg=name)


@pytest.mark.parametrize("case", FEW)
def test_shares_learn_what_wholes_learn(ranks, case):
    found = ranks[1]
    for one in found:
        agree(one[f"{case} fsdp"], one[f"{case} ddp"])
    parts, whole = [one[f"{case} fsdp"]["shares"] for one in found], found[0][f"{case} ddp"]["shares"]
    assert sum(parts) == whole and max(parts) < 0.65 * whole


@pytest.mark.slow
def test_shares_of_every_system_learn_what_wholes_learn(tmp_path, processes):
    found = in_two(tmp_path, processes, ALL, False)
    for case in ALL:
        for one in found:
            agree(one[f"{case} fsdp"], one[f"{case} ddp"])


@pytest.mark.parametrize("name", RUNS)
def test_runs_of_shares_follow_runs_of_wholes(ranks, name):
    folder, found = ranks
    rows = [list(csv.DictReader((folder / f"{name} {one}" / "metrics.csv").open())) for one in ("ddp", "fsdp")]
    for column, count in {"loss": 7, "seen": 3}.items():
        numbers = [[float(row[column]) for row in own if row[column]] for own in rows]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-3) and len(numbers[0]) == count
    for one in found:
        for key, value in one[f"{name} ddp"]["state"].items():
            assert_close(one[f"{name} fsdp"]["state"][key], value, rtol=1e-3, atol=1e-4, msg=key)


def test_a_run_of_shares_goes_on_bit_by_bit(ranks):
    for one in ranks[1]:
        assert one["stopped fsdp"]["begun"] == 9
        for key, value in one["sgd fsdp"]["state"].items():
            assert torch.equal(one["stopped fsdp"]["state"][key], value), key


@pytest.mark.parametrize("name, begun", [("other way", 9), ("stopped ddp", 9), ("damaged", 6)])
def test_runs_go_on_under_the_other_strategy_and_from_the_checkpoint_before(ranks, name, begun):
    folder, found = ranks
    for one in found:
        assert one[name]["begun"] == begun
        for key, value in one["sgd ddp"]["state"].items():
            assert_close(one[name]["state"][key], value, rtol=1e-3, atol=1e-4, msg=key)
    if name == "damaged":
        assert "last.ckpt is damaged" in (folder / name / "log.txt").read_text()


def test_one_process_goes_on_with_what_two_have_learned(ranks):
    folder = ranks[0] / "alone"
    stored = Checkpoint.read(folder / "checkpoints" / "last.ckpt")
    assert (stored.shards, stored.step) == (WORLD, 9)
    assert {name: value.shape for name, value in stored.method.items()} == {
        name: value.shape for name, value in make_method("byol", net=BlockNet).state_dict().items()
    }
    _, outcome = run_training(folder, "byol", net=BlockNet, log_every=3)
    assert outcome.resumed_from == 9 and outcome.steps == 15
    assert not list((folder / "checkpoints").glob("step-9-*")), "no checkpoint is left that needs them"


def test_shares_of_two_checkpoints_are_kept(ranks):
    names = sorted(file.name for file in (ranks[0] / "stopped fsdp" / "checkpoints").iterdir())
    shards = [f"step-{step}-shard-{i}-of-2.ckpt" for step in (12, 15) for i in (1, 2)]
    assert names == sorted(["last.ckpt", "previous.ckpt", *shards])


def test_shards_that_are_missing_are_a_damaged_checkpoint(ranks, tmp_path):
    shutil.copytree(ranks[0] / "sgd fsdp" / "checkpoints", tmp_path / "checkpoints")
    shard_file(tmp_path / "checkpoints", 15, 0, WORLD).unlink()
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        Checkpoint.read(tmp_path / "checkpoints" / "last.ckpt")


def test_states_without_shares_are_alike_in_all_processes():
    state = {"method": {"a": torch.ones(2)}, "optimizer": {"state": {0: {"step": 1}}, "param_groups": []}}
    assert parted(state) == (state, {})


@pytest.mark.slow
def test_what_shares_have_learned_is_a_backbone_like_any(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0)
    for i in range(24):
        file = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, 255, (40, 40, 3), np.uint8)).save(file)
    command = "pretrain moco-v3 photos --backbone resnet18 --image-size 32 --devices 2 --strategy fsdp --steps 3"
    words = [*command.split(), "--activation-checkpointing", "--batch-size", "8", "--out", "run", "--no-report"]
    subprocess.run([sys.executable, "-m", "twofold", *words], check=True, timeout=300)
    stored = Checkpoint.read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    model = twofold.load("run")
    for name, value in model.backbone.network.state_dict().items():
        assert torch.equal(stored.method[f"student.backbone.network.{name}"], value), name
    assert len(stored.method) > len(model.state_dict()) and model.encode("photos", quiet=True).shape == (24, 512)


def test_one_device_has_nobody_to_share_with():
    with pytest.raises(UserError, match="among devices, and here is one"):
        make_fabric(1, accelerator="cpu", strategy="fsdp")


def test_a_weight_that_is_a_number_is_refused():
    method = nn.Module()
    method.scale = nn.Parameter(torch.ones(()))
    with pytest.raises(UserError, match=r"single number \(method.scale\)"):
        share_out(Carrier(method), cast(Any, None))


@pytest.mark.parametrize(
    "settings, why",
    [
        ({"strategy": "fsdp", "optimizer": "lars"}, "LARS needs whole weights"),
        ({"strategy": "fsdp", "accumulate": 2}, "do not go together"),
        ({"strategy": "fsdp", "compile": True}, "--compile and --strategy fsdp do not go"),
        ({"recompute": True, "compile": True}, "--compile and --activation-checkpointing do not go"),
    ],
)
def test_plans_that_do_not_go_with_shares_are_refused(settings, why):
    with pytest.raises(UserError, match=why):
        make_plan(**settings)
