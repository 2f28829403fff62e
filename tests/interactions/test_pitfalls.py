"""What goes wrong in other implementations of LightGCN and SGL, one test for each trap that is known."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.testing import assert_close

import twofold
from twofold.interactions.graph import Bipartite
from twofold.interactions.jobs.evaluate import below_floors
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.methods.sgl import SGL
from twofold.interactions.views.augment import draw_view
from twofold.interactions.views.triples import Triples
from twofold.objectives.ranking import bpr, contrast
from twofold.seam import Batch, Progress

from .graph_data import graph, random_graph


def triples_of(data: Bipartite, seed: int = 0, epoch: int = 0) -> list[torch.Tensor]:
    index = torch.arange(len(data.pairs))
    return Triples(*data, sampling="user", seed=seed)(Batch(index), epoch).tensors


def step(method: LightGCN, data: Bipartite, number: int = 0, epoch: int = 0):
    progress = Progress(number, 1000, epoch, 100, seed=0)
    method.before_step(progress)
    index = torch.arange(len(data.pairs))
    views = Triples(*data, sampling="user", seed=0)(Batch(index), epoch)
    return method(views, progress)


def test_node_dropout_runs_where_the_share_of_users_is_no_whole_number():
    data = random_graph(users=41, items=29)
    assert torch.isfinite(step(SGL(data, augmentation="nd", ratio=0.13), data).total)


def test_users_with_one_item_or_none_or_drawn_once_are_sampled():
    one_each = Bipartite(torch.stack([torch.arange(9), torch.arange(9) % 4], dim=1), users=11, items=5)
    users, positives, negatives = triples_of(one_each)
    assert len(users) == 9 and users.max() < 9
    assert torch.equal(positives, users % 4) and not torch.equal(positives, negatives)
    assert bool((positives != negatives).all())


def test_an_epoch_draws_as_many_triples_as_there_are_pairs():
    data = random_graph(users=37, items=30)  # whose number is no multiple of the users'
    assert len(data.pairs) % 37 and len(triples_of(data)[0]) == len(data.pairs)


def test_random_walk_has_a_graph_of_its_own_for_every_layer_of_both_views():
    data = random_graph()
    method = SGL(data, layers=3, augmentation="rw", ratio=0.3)
    method.before_step(Progress(0, 10, 0, 10, seed=0))
    drawn = [matrix.to_dense() for view in method.views for matrix in view]
    assert len(drawn) == 6
    assert not any(torch.equal(one, other) for at, one in enumerate(drawn) for other in drawn[:at])


def test_random_walk_propagates_on_what_it_dropped():
    data = random_graph()
    whole, first = (draw_view(*data, kind="rw", ratio=ratio, layers=2, seed=0, keys=(0, 0)) for ratio in (0.0, 0.5))
    rows = torch.ones(data.users + data.items, 3)
    assert all(len(dropped.values()) < len(kept.values()) for dropped, kept in zip(first, whole, strict=True))
    assert not torch.equal(first[0] @ rows, whole[0] @ rows)


def test_ranking_loss_grows_without_bound_where_an_order_is_very_wrong():
    apart = torch.tensor([-300.0], requires_grad=True)
    loss = bpr(apart, torch.zeros(1))
    assert_close(loss, torch.tensor([300.0]))
    loss.sum().backward()
    assert_close(apart.grad, torch.tensor([-1.0]))


def test_contrast_is_finite_at_a_temperature_whose_exponentials_overflow():
    rows = torch.nn.functional.normalize(torch.randn(8, 4), dim=1).requires_grad_()
    loss = contrast(rows, rows, rows, 0.005)
    loss.sum().backward()
    assert torch.isfinite(loss).all() and torch.isfinite(rows.grad).all()


def test_nodes_without_pairs_divide_by_nothing(recwarn):
    data = graph()
    losses = step(SGL(data, augmentation="nd", ratio=0.5), data)
    losses.total.backward()
    assert torch.isfinite(losses.total) and not [w for w in recwarn if "divide" in str(w.message)]


def test_the_seed_changes_the_negatives():
    data = random_graph()
    assert not torch.equal(triples_of(data, seed=0)[2], triples_of(data, seed=1)[2])
    assert torch.equal(triples_of(data, seed=1)[2], triples_of(data, seed=1)[2])


def test_xavier_stays_on_the_start_plateau_where_normal_rows_leave_it_and_the_run_says_so():
    """Two tastes among thousands: Xavier's rows are tiny there, so the contrast rules and ranking stays at chance."""
    users, items, size = 3000, 2000, 1024
    drawn = np.random.default_rng(0)
    pairs = [(u, i) for u in range(users) for i in u % 2 + 2 * drawn.choice(items // 2, 8, replace=False)]
    data = Bipartite(torch.tensor(sorted(pairs)), users, items)
    triples = Triples(*data, sampling="user", seed=0)
    last = {}
    for init in ("normal", "xavier"):
        torch.manual_seed(0)
        method = SGL(data, init=init, negatives="batch", layers=2)
        optimizer = torch.optim.Adam(method.parameters(), lr=5e-3)
        for number in range(60):
            epoch, place = divmod(number * size, len(pairs))
            progress = Progress(number, 1000, epoch, 1000, seed=0)
            method.before_step(progress)
            index = (torch.arange(size) + place) % len(pairs)
            losses = method(triples(Batch(index), epoch), progress)
            optimizer.zero_grad()
            losses.total.backward()
            optimizer.step()
        last[init] = float(losses.terms["bpr"].value.detach())
        assert bool(method.alarms({"step": 500.0, "loss/bpr": last[init]})) == (init == "xavier")
    assert last["normal"] < 0.65 and last["xavier"] > 0.68


def test_a_model_below_popularity_is_named():
    rows = [
        {"protocol": "ranking", "metric": "recall@20", "name": name, "value": value, "floor": floor}
        for name, value, floor in (("run", 0.02, False), ("popularity", 0.03, True), ("graph filter", 0.01, True))
    ]
    assert below_floors(rows).startswith("Below popularity by recall@20")
    assert "(a larger --epochs)" in below_floors(rows) and "(a larger --patience)" in below_floors(rows, "--patience")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on a log with string ids, one of them 0, and gaps between numbers."""
    folder = tmp_path_factory.mktemp("pitfalls")
    drawn = np.random.default_rng(0)
    with (folder / "log.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["user", "item"])
        writer.writerows([(7 * u, 3 * i) for u in range(20) for i in drawn.choice(15, 5, replace=False)])
    return twofold.pretrain(
        "sgl", str(folder / "log.csv"), out=str(folder / "run"), epochs=1, batch_size=32, quiet=True, report=False
    )


def test_id_0_is_a_user_like_others_and_counts_are_exact(run):
    users, items = (pq.read_table(run / f"{kind}_ids.parquet")[kind].to_pylist() for kind in ("user", "item"))
    assert sorted(map(int, users)) == [7 * u for u in range(20)] and len(items) == 15
    assert 0 in map(int, items)


def test_what_a_run_keeps_is_read_without_unpickling(run):
    from safetensors.torch import load_file

    assert load_file(run / "model.safetensors")["user"].shape[0] == 20
    assert not [file for file in run.rglob("*") if file.suffix in (".pkl", ".pickle")]
    for file in (*run.rglob("*.pt"), *run.rglob("*.ckpt")):
        torch.load(file, weights_only=True)
