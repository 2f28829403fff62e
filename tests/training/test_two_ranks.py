"""Two processes (gloo) against one on the joined batch: losses, gradients, state; and whole runs."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from twofold.launcher import first_process
from twofold.methods.build import load
from twofold.pixels.batch import ImageBatch
from twofold.seam import Progress
from twofold.training import distribution
from twofold.training.distribution import make_fabric, make_ready
from twofold.training.step import Updates

from ..tiny import BASES, JOINT, ON_CLIPS, SYSTEMS, kind_of, together, variants
from .small import Pictures, make_method, make_plan, run_training, two_views

WORLD, BATCH = 2, 16
NOW = Progress(3, 10, seed=5)
# case: name of the method, whether its networks have batch norm, parts of the batch
CASES: dict[str, tuple[str, bool, int]] = {}
ON_VIDEOS = [together(base, kind="videos") for base in ON_CLIPS]
for name in [*JOINT, *variants(JOINT), *map(together, BASES), *ON_VIDEOS]:
    CASES[name] = (name, load(SYSTEMS[re.split(r"[+\[]", name)[0]].base).batch_norm == "global", 1)
for name in [*BASES, *variants(BASES), *(together(base, running_networks=False) for base in BASES)]:
    CASES[f"{name} in parts"] = (name, False, 2)

RUNS = {"run": {"log_every": 1}, "run in parts": {"accumulate": 2, "clip": 0.1}}


def one_step(case: str, rank: int, world: int, fabric: Any) -> dict[str, Any]:
    """What a step leaves behind on this rank's share of the batch."""
    name, norm, parts = CASES[case]
    method = make_method(name, norm).double()
    plan = make_plan(batch_size=BATCH, accumulate=parts)
    make_ready(method, fabric, BATCH, parts)
    updates = Updates(method, plan, fabric, print)
    share = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    index = torch.arange(BATCH)[share]
    batch = ImageBatch(index, Pictures().pixels[index], torch.zeros(len(index), 2))
    views = two_views(batch, 0, method.view_count, kind_of(name), method.pretext)
    views.tensors = [t.double() for t in views.tensors]
    method.before_step(NOW)
    losses = updates.gradients("", views, NOW)
    assert losses is not None
    found = {k: v.grad.detach().clone() for k, v in method.named_parameters() if v.grad is not None}
    method.after_step(NOW)
    state = {k: v.clone() for k, v in method.state_dict().items()}
    return {"loss": losses.total.detach(), "gradients": found, "state": state}


class Stopping(Pictures):
    """Sends SIGTERM to the first rank with the seventh batch."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank = rank

    def stream(self, index_batches, epochs=()):
        for count, batch in enumerate(super().stream(index_batches), start=1):
            if count == 7 and self.rank == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch


def rank_of_two(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distribution.KNOWN = (*distribution.KNOWN, "tests")
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": WORLD, "LOCAL_WORLD_SIZE": WORLD, "GROUP_RANK": 0}
    os.environ |= {k: str(v) for k, v in names.items()} | {"TORCHELASTIC_RUN_ID": "here", "MASTER_ADDR": "localhost"}
    assert first_process() == (rank == 0)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=WORLD
    )
    fabric = make_fabric(WORLD, accelerator="cpu")
    fabric.launch()
    assert (fabric.world_size, fabric.global_rank) == (WORLD, rank)
    found: dict[str, Any] = {case: one_step(case, rank, WORLD, fabric) for case in CASES}
    for name, settings in RUNS.items():
        method, outcome = run_training(folder / name, "moco[shuffle]+co2", fabric=fabric, norm=False, **settings)
        found[name] = {"state": method.state_dict(), "loss": torch.tensor(outcome.metrics["loss"])}
    with pytest.raises(SystemExit) as left:
        run_training(folder / "stopped", "simclr", images=Stopping(rank), fabric=fabric, log_every=3)
    assert left.value.code == 128 + signal.SIGTERM
    for name in ("stopped", "unbroken"):
        method, outcome = run_training(folder / name, "simclr", fabric=fabric, log_every=3)
        found[name] = {"state": method.state_dict(), "resumed": torch.tensor(outcome.resumed_from)}
    torch.save(found, folder / f"rank{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, processes):
    folder = tmp_path_factory.mktemp("ranks")
    started = [processes.Process(target=rank_of_two, args=(rank, folder)) for rank in range(WORLD)]
    for process in started:
        process.start()
    for process in started:
        process.join(timeout=200)
    assert [process.exitcode for process in started] == [0] * WORLD
    return folder, [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(WORLD)]


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_the_joined_batch(ranks, case):
    joined = one_step(case, 0, 1, make_fabric(1, accelerator="cpu"))
    found = [rank[case] for rank in ranks[1]]
    assert_close(torch.stack([f["loss"] for f in found]).mean(), joined["loss"], rtol=1e-10, atol=1e-12)
    assert any(g.abs().max() > 1e-6 for g in joined["gradients"].values())
    for each in found:
        assert each["gradients"].keys() == joined["gradients"].keys()
        for name, expected in joined["gradients"].items():
            assert_close(each["gradients"][name], expected, rtol=1e-8, atol=1e-11, msg=name)  # of up to 5
        for name, expected in joined["state"].items():
            assert_close(each["state"][name], expected, rtol=1e-10, atol=1e-12, msg=name)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_on_two_ranks_follows_the_run_on_one(ranks, name, tmp_path):
    folder, found = ranks
    alone, outcome = run_training(tmp_path, "moco[shuffle]+co2", norm=False, **RUNS[name])
    for each in found:
        for key, expected in alone.state_dict().items():
            assert_close(each[name]["state"][key], expected, rtol=1e-4, atol=1e-5, msg=key)
        assert each[name]["loss"].item() == pytest.approx(outcome.metrics["loss"], rel=1e-4)
    assert (folder / name / "metrics.csv").read_text().count("\n") == (tmp_path / "metrics.csv").read_text().count("\n")
    stored = torch.load(folder / name / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["step"] == stored["steps"] == 15


def test_ranks_stop_together_and_go_on_to_the_same_numbers(ranks):
    folder, found = ranks
    for rank, each in enumerate(found):
        assert (each["stopped"]["resumed"], each["unbroken"]["resumed"]) == (9, 0)
        for key, expected in each["unbroken"]["state"].items():
            assert torch.equal(each["stopped"]["state"][key], expected), (rank, key)
    assert (folder / "stopped" / "log.txt").read_text().count("Stopped by SIGTERM after step 9") == 1
