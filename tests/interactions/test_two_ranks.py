"""Two processes (gloo) against one on the joined batch: losses and gradients of every method on interactions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from twofold.interactions.views.triples import Triples
from twofold.seam import Batch, Progress

from ..tiny import ON_INTERACTIONS, make, variants
from .graph_data import random_graph

DATA, BATCH, NOW = random_graph(), 32, Progress(3, 10, 1, 3, seed=5)
CASES = [*ON_INTERACTIONS, *variants(ON_INTERACTIONS)]


def one_step(case: str, rank: int, world: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    method = make(case, DATA).double()
    method.before_step(NOW)
    index = torch.arange(BATCH)[rank * BATCH // world : (rank + 1) * BATCH // world]
    triples = Triples(*DATA, sampling="user", seed=1)
    losses = method(triples(Batch(index), 1), NOW)
    losses.total.backward()
    return {"loss": losses.total.detach()} | {name: p.grad for name, p in method.named_parameters()}


def rank_of_two(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    torch.save({case: one_step(case, rank, 2) for case in CASES}, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, processes):
    folder = tmp_path_factory.mktemp("ranks")
    started = [processes.Process(target=rank_of_two, args=(rank, folder)) for rank in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join(timeout=120)
    assert [process.exitcode for process in started] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_the_joined_batch(ranks, case):
    joined = one_step(case, 0, 1)
    assert joined["backbone.user"].abs().max() > 1e-6
    for name, expected in joined.items():
        # Data parallelism takes the mean over processes.
        found = torch.stack([rank[case][name] for rank in ranks]).mean(0)
        assert_close(found, expected, rtol=1e-9, atol=1e-12, msg=name)
