"""DSC: DenseCL as its special case, neighbours and classes against naive loops, diagnostics, refusals."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods import dsc
from twofold.methods.cells import distances
from twofold.methods.densecl import DenseCL
from twofold.methods.dsc import DSC
from twofold.objectives.clustering import spherical_kmeans
from twofold.objectives.prototypes import sinkhorn
from twofold.seam import Progress

from .small import NOW, Smooth, made, views_of


def run(now=NOW, batch=8, **settings):
    addition = DSC(**{"warmup": 0.0, "ramp": 0.0, "classes": 5} | settings)
    method = made("moco", [addition], Smooth).double()
    views = views_of(2, batch)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, now)
    queries, keys = addition.dense.student(record, 0), addition.dense.teacher(record, record.teacher[1])
    return method, addition, record, queries, keys


def test_with_one_neighbour_and_no_classes_it_is_densecl():
    method, _, record, _, _ = run(neighbours=1, semantic=0.0)
    other = DenseCL()
    twin = made("moco", [other], Smooth).double()
    twin.load_state_dict({k: v for k, v in method.state_dict().items() if "prototypes" not in k})
    assert_close(method.judge(record).total, twin.judge(twin.observe(record.views, NOW)).total)


@pytest.mark.parametrize("radius", [0.0, 1.5])
def test_neighbours_are_the_loop(radius):
    method, addition, record, queries, keys = run(neighbours=3, own_neighbours=2, radius=radius)
    value = method.judge(record).terms["dsc"].value
    own = addition.dense.teacher(record, record.teach(record.views.tensors[0]))
    far = distances(record.views, 0, 1, method.backbone.grid)
    each = []
    for b in range(8):
        for i in range(36):
            allowed = [j for j in range(36) if not radius or far[b, i, j] <= radius]
            cross = sorted(allowed, key=lambda j: -float(queries.backbone[b, i] @ keys.backbone[b, j]))[:3]
            same = sorted(range(36), key=lambda j: -float(queries.backbone[b, i] @ own.backbone[b, j]))[:2]
            positives = [keys.dense[b, j] for j in cross] + [own.dense[b, j] for j in same]
            query = queries.dense[b, i]
            against = addition.dense.queue.rows @ query
            logits = [torch.cat([(query @ p)[None], against]) / method.temperature for p in positives]
            each.append(torch.stack([F.cross_entropy(row[None], torch.tensor([0])) for row in logits]).mean())
    assert_close(value, torch.stack(each).mean())


def test_prototypes_are_the_loop():
    method, addition, record, queries, keys = run(batch=3)
    value = method.judge(record).terms["dsc_classes"].value
    codes = sinkhorn(keys.dense.flatten(0, 1) @ addition.prototypes.detach().T).view(3, 36, -1)
    each = []
    for b in range(3):
        for i in range(36):
            match = int((keys.backbone[b] @ queries.backbone[b, i]).argmax())
            guess = (queries.dense[b, i] @ addition.prototypes.T / 0.1).log_softmax(0)
            each.append(-(codes[b, match] * guess).sum())
    assert_close(value, torch.stack(each).mean())
    value.backward()
    assert addition.prototypes.grad.abs().max() > 0
    with torch.no_grad():
        addition.prototypes.mul_(3)
    method.after_step(NOW)
    assert_close(addition.prototypes.norm(dim=1), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("variant", ["km", "km-supcon"])
def test_classes_of_a_kmeans_are_the_loop(variant):
    method, _, record, queries, keys = run(batch=4, variant=variant)
    value = method.judge(record).terms["dsc_classes"].value
    everyone = keys.dense.flatten(0, 1)
    centroids, labels = spherical_kmeans(everyone, 4, NOW.generator("dsc"))  # 144 cells: one class for 32
    each = []
    for b in range(4):
        for i in range(36):
            wanted = labels[b * 36 + int((keys.backbone[b] @ queries.backbone[b, i]).argmax())]
            query = queries.dense[b, i]
            if variant == "km":
                each.append(F.cross_entropy((centroids @ query / 0.1)[None], wanted[None]))
                continue
            logits = everyone @ query / 0.1
            same, image = labels == wanted, torch.arange(144) // 36
            positive = same & (image != b)
            if positive.any():
                mass = logits[positive | ~same].logsumexp(0)
                each.append((mass - logits[positive]).mean())
    assert_close(value, torch.stack(each).mean())


def test_planted_classes_are_found_and_position_is_not_one():
    """Pictures of two colours: maps of two kinds of cells, the same in every picture but for where they lie."""
    _, addition, record, _, keys = run(batch=16, variant="km", classes=2)
    groups = F.normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64), dim=1)
    kinds = torch.randint(0, 2, (16, 36), generator=torch.Generator().manual_seed(4))
    planted = type(keys)(F.one_hot(kinds, 2).double(), groups[kinds], groups[kinds][:, 0])
    loss = addition.class_loss(record, planted, planted)
    assert loss < 0.05 or groups[0] @ groups[1] > 0.5
    assert record.kept["dsc_used"] > 0.9 and record.kept["dsc_position"] < 0.1


def test_classes_wait_and_then_grow():
    _, addition, record, _, _ = run(now=Progress(0, 100), warmup=0.1, ramp=0.05)
    assert [addition.semantic_at(Progress(s, 100)) for s in (0, 9, 10, 15, 90)] == pytest.approx([0, 0, 0, 0.5, 0.5])
    assert "dsc_classes" not in addition.terms(record)


def test_cells_are_sampled_where_there_are_many(monkeypatch):
    monkeypatch.setattr(dsc, "ANCHORS", 20)
    monkeypatch.setattr(dsc, "KEYS", 50)
    method, _, record, _, _ = run(variant="km-supcon")
    losses = method.judge(record)
    losses.total.backward()
    assert torch.isfinite(losses.total) and method.student.backbone.conv.weight.grad.abs().max() > 0


def test_what_is_refused_and_what_is_said():
    with pytest.raises(UserError, match="at most the 36 cells"):
        run(neighbours=37)
    for settings in ({"neighbours": 0}, {"weight": 2.0}, {"radius": -1.0}, {"classes": -1}):
        with pytest.raises(UserError):
            DSC(**settings)
    assert DSC().alarms({"dsc_used": 0.1}) and not DSC().alarms({"dsc_used": 0.5})
