"""A batch in parts is the step of the whole batch."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.methods.simclr import SimCLR
from twofold.pixels.batch import ImageBatch
from twofold.seam import Progress, Term
from twofold.training.accumulate import accumulate, check_accumulation

from ..tiny import BASES, Net, kind_of, together, variants
from .small import Pictures, make_method, two_views, without_norm

NOW = Progress(3, 10, seed=5)
ALONE = [*BASES, *variants(BASES)]
NAMES = list(dict.fromkeys([*ALONE, *(together(base, running_networks=False) for base in BASES)]))


def views(count: int = 12, kind: str = "images", pretext=None):
    pictures = Pictures()
    index = torch.arange(count)
    made = two_views(ImageBatch(index, pictures.pixels[:count], torch.zeros(count, 2)), 0, 4, kind, pretext)
    made.tensors = [t.double() for t in made.tensors]
    return made


def in_parts(method, made, parts, precision=nullcontext):
    return accumulate(
        method,
        made,
        NOW,
        parts,
        run=lambda work: work(),
        no_sync=lambda enabled: nullcontext(),
        autocast=precision,
        reseed=torch.manual_seed,
    )


def gradients(method):
    return {name: None if p.grad is None else p.grad.clone() for name, p in method.named_parameters()}


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_whole_batch(name, parts):
    whole, split = (make_method(name, norm=False).double() for _ in range(2))
    for method in (whole, split):
        method.before_step(NOW)
    plain = whole(views(kind=kind_of(name), pretext=whole.pretext), NOW)
    plain.total.backward()
    joined = in_parts(split, views(kind=kind_of(name), pretext=whole.pretext), parts)
    for method in (whole, split):
        method.after_step(NOW)
    assert_close(joined.total, plain.total, rtol=0, atol=1e-12)
    assert_close(joined.rows, plain.rows, rtol=0, atol=1e-12)
    assert joined.scalars.keys() == plain.scalars.keys()
    expected, found = gradients(whole), gradients(split)
    assert any(g is not None and g.abs().max() > 1e-6 for g in expected.values())
    for key in expected:
        assert (expected[key] is None) == (found[key] is None), key
        if expected[key] is not None:
            assert_close(found[key], expected[key], rtol=1e-9, atol=1e-12, msg=key)
    for (key, a), b in zip(whole.state_dict().items(), split.state_dict().values(), strict=True):
        assert_close(b, a, rtol=0, atol=1e-12, msg=key)


class Head(Addition):
    """A term with parameters of its own, on the pooled feature and the map."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 1)

    def terms(self, record):
        pooled = self.linear(record.student[0].feature).pow(2).mean()
        return {"head": Term(0.5, pooled + self.linear(record.student[1].map.mean((2, 3))).mean())}


def test_additions_on_features_and_maps_take_part():
    found = []
    for parts in (1, 4):
        torch.manual_seed(0)
        method = without_norm(SimCLR(Net(False), dim=6, additions=[Head()])).double()
        if parts == 1:
            method(views(), NOW).total.backward()
        else:
            in_parts(method, views(), parts)
        found.append(gradients(method))
    assert found[0]["additions.0.linear.weight"].abs().max() > 0
    for name in found[0]:
        assert_close(found[1][name], found[0][name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["simclr", "moco", "byol"])
def test_batch_statistics_move_once_a_part(name):
    method = make_method(name).double()
    in_parts(method, views(), 3)
    passes = 1 if name in ("simclr", "moco") else 2
    tracked = {key: int(v) for key, v in method.state_dict().items() if key.endswith("num_batches_tracked")}
    student = {value for key, value in tracked.items() if key.startswith("student.")}
    assert student == {3 * passes}
    if name != "simclr":
        assert {value for key, value in tracked.items() if key.startswith("teacher.")} == {3 * passes}


def test_dropout_draws_the_same_in_both_passes():
    class Dropping(Net):
        def forward(self, x):
            features = super().forward(x)
            self.seen.append(nn.functional.dropout(torch.ones(6), 0.5))
            return features._replace(pooled=features.pooled * self.seen[-1].repeat(2)[:8])

    net = Dropping(False)
    net.seen = []
    method = without_norm(SimCLR(net, dim=6)).double()
    in_parts(method, views(), 2)
    first, second = net.seen[:2], net.seen[2:]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(*first)


def test_bf16_gradients_reach_every_parameter():
    method = make_method("byol", norm=False)
    made = views()
    made.tensors = [t.float() for t in made.tensors]
    in_parts(method, made, 2, partial(torch.autocast, "cpu", torch.bfloat16))
    missing = [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []


class Again(Addition):
    def terms(self, record):
        return {"again": Term(1.0, record.look(record.shown[0]).projection.mean())}


class Declared(Addition):
    runs_network = True


def test_additions_that_run_networks_are_refused():
    with pytest.raises(UserError, match="Declared runs the network"):
        check_accumulation(SimCLR(Net(), dim=6, additions=[Declared()]))
    undeclared = SimCLR(Net(), dim=6, additions=[Again()])
    check_accumulation(undeclared)
    with pytest.raises(UserError, match="runs the network"):
        in_parts(undeclared.double(), views(), 2)


def test_methods_of_another_shape_are_refused():
    with pytest.raises(UserError, match="Linear cannot accumulate"):
        check_accumulation(nn.Linear(1, 1))
