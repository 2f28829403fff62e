"""LightGCN and SGL against the official code: graphs, propagation, views, every term, gradients."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.interactions.graph import Bipartite, adjacency, propagate
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.methods.sgl import SGL
from twofold.interactions.views.augment import without
from twofold.objectives.ranking import bpr, contrast, half_squares
from twofold.seam import Progress, Views

KINDS = ("ed", "nd", "rw")
VALUE = {"rtol": 1e-5, "atol": 1e-6}
GRADIENT = {"rtol": 1e-4, "atol": 1e-6}


def data_of(file):
    return Bipartite(torch.as_tensor(file["edges"]).long(), int(file["n_users"]), int(file["n_items"]))


def batch_of(file):
    return [torch.as_tensor(file[f"batch_{name}"]) for name in ("users", "pos", "neg")]


def view_of(file, data, kind, number):
    """The layers' graphs of one view, from the file's index sets."""
    layers = int(file["n_layers"])
    if kind == "nd":
        gone = [torch.as_tensor(file[f"nd_drop_{side}{number}"]).long() for side in ("users", "items")]
        return [adjacency(without(data.pairs, data.users, data.items, *gone), data.users, data.items)] * layers
    kept = torch.as_tensor(file[f"{kind}_keep{number}"]).long()
    if kind == "ed":
        return [adjacency(data.pairs[kept], data.users, data.items)] * layers
    return [adjacency(data.pairs[layer], data.users, data.items) for layer in kept]


def fill(method, file):
    method.backbone.user.data, method.backbone.item.data = (
        torch.tensor(file["user_emb"]), torch.tensor(file["item_emb"]),
    )  # fmt: skip
    return method


def test_adjacency_of_the_graph_and_of_every_view(golden):
    file = golden("rec_sgl_lightgcn")
    data = data_of(file)
    assert_close(adjacency(*data).to_dense(), torch.as_tensor(file["adj"]), **VALUE)
    for kind in KINDS:
        for number in (1, 2):
            found = torch.stack([matrix.to_dense() for matrix in view_of(file, data, kind, number)])
            expected = torch.as_tensor(file[f"{kind}_adj{number}"])
            assert_close(found, expected if expected.ndim == 3 else expected.expand_as(found), **VALUE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_term_and_its_gradient(golden, kind):
    file = golden("rec_sgl_lightgcn")
    data, (users, positives, negatives) = data_of(file), batch_of(file)
    layers, batch = int(file["n_layers"]), len(users)
    method = fill(
        SGL(
            data, dim=int(file["dim"]), layers=layers, regularisation=float(file["reg"]), reduction="sum",
            augmentation=kind, ratio=float(file["ratio"]), temperature=float(file["tau"]),
            weight=float(file["ssl_reg"]), negatives="full",
        ),
        file,
    )  # fmt: skip
    method.views = [view_of(file, data, kind, number) for number in (1, 2)]
    user, item = method.represent()
    for prefix in (kind, "lgnpt"):
        assert_close(user.detach(), torch.as_tensor(file[f"{prefix}_z_user"]), **VALUE)
        assert_close(item.detach(), torch.as_tensor(file[f"{prefix}_z_item"]), **VALUE)
    rows = method.backbone().detach()
    seen = [propagate(view, rows) for view in method.views]
    for number, view in enumerate(seen, 1):
        for name, part in (("user", view[: data.users]), ("item", view[data.users :])):
            assert_close(part, torch.as_tensor(file[f"{kind}_view{number}_{name}"]), **VALUE)
    unit = [F.normalize(view, dim=1) for view in seen]
    tau = float(file["tau"])
    for name, nodes, ends in (
        ("user", users, slice(0, data.users)),
        ("item", positives + data.users, slice(data.users, None)),
    ):
        for key, anchors, pool in (
            (f"{kind}_nce_{name}", nodes, torch.arange(len(rows))[ends]),
            (f"{kind}_nce_{name}_inbatch_dup", nodes, nodes),
            (f"{kind}_nce_{name}_inbatch_unique", nodes.unique(), nodes.unique()),
        ):
            found = contrast(unit[0][anchors], unit[1][anchors], unit[1][pool], tau).sum()
            assert found.item() == pytest.approx(float(file[key]), rel=1e-5), key
    losses = method(Views([users, positives, negatives], [], torch.arange(batch)), Progress(0, 1))
    assert losses.terms["bpr"].value.item() == pytest.approx(float(file[f"{kind}_bpr"]), rel=1e-5)
    assert losses.terms["l2"].value.item() == pytest.approx(float(file[f"{kind}_l2"]), rel=1e-5)
    assert losses.total.item() == pytest.approx(float(file[f"{kind}_loss"]), rel=1e-5)
    losses.total.backward()
    for name in ("user", "item"):
        found = method.backbone.get_parameter(name).grad
        assert_close(found, torch.as_tensor(file[f"{kind}_grad_{name}"]), **GRADIENT)


def test_batch_negatives_are_the_unique_nodes(golden):
    file = golden("rec_sgl_lightgcn")
    data, (users, positives, negatives) = data_of(file), batch_of(file)
    for kind in KINDS:
        for reduction in ("sum", "mean"):
            method = fill(
                SGL(
                    data, dim=int(file["dim"]), layers=int(file["n_layers"]), temperature=float(file["tau"]),
                    negatives="batch", reduction=reduction, augmentation=kind,
                ),
                file,
            )  # fmt: skip
            method.views = [view_of(file, data, kind, number) for number in (1, 2)]
            losses = method(Views([users, positives, negatives], [], torch.arange(len(users))), Progress(0, 1))
            parts = {"user": len(users.unique()), "item": len(positives.unique())}
            wanted = sum(
                float(file[f"{kind}_nce_{name}_inbatch_unique"]) / (count if reduction == "mean" else 1)
                for name, count in parts.items()
            )
            assert losses.terms["contrast"].value.item() == pytest.approx(wanted, rel=1e-5)


def test_the_merged_pool(golden):
    file = golden("rec_sgl_lightgcn")
    data, (users, positives, negatives) = data_of(file), batch_of(file)
    method = fill(
        SGL(
            data, dim=int(file["dim"]), layers=int(file["n_layers"]), temperature=float(file["tau"]), negatives="merge"
        ),
        file,
    )
    method.views = [view_of(file, data, "ed", number) for number in (1, 2)]
    losses = method(Views([users, positives, negatives], [], torch.arange(len(users))), Progress(0, 1))
    wanted = float(file["selfrec_merge_infonce_mean_ed"])
    assert losses.terms["contrast"].value.item() == pytest.approx(wanted, rel=1e-5)


def test_lightgcn_alone_in_batch_means(golden):
    file = golden("rec_sgl_lightgcn")
    users, positives, negatives = batch_of(file)
    method = fill(LightGCN(data_of(file), dim=int(file["dim"]), layers=int(file["n_layers"])), file)
    losses = method(Views([users, positives, negatives], [], torch.arange(len(users))), Progress(0, 1))
    assert losses.terms["bpr"].value.item() == pytest.approx(float(file["lgnpt_bpr_mean"]), rel=1e-5)
    assert losses.terms["l2"].value.item() == pytest.approx(float(file["lgnpt_reg_mean"]), rel=1e-5)
    user, item = (torch.as_tensor(np.asarray(file[f"lgnpt_z_{name}"])) for name in ("user", "item"))
    own = (user[users] * item[positives]).sum(1), (user[users] * item[negatives]).sum(1)
    assert bpr(*own).mean().item() == pytest.approx(float(file["lgnpt_bpr_mean"]), rel=1e-5)
    raw = torch.as_tensor(file["user_emb"])
    assert half_squares(raw).sum().item() == pytest.approx(raw.square().sum().item() / 2)
