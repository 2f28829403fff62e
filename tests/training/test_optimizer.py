"""Which parameters decay, which keep their rate."""

import pytest
import torch

from twofold.training.optimizer import build_optimizer, set_rate

from .small import make_method, make_plan


def names_of(method, group):
    known = {id(p): name for name, p in method.named_parameters()}
    return {known[id(p)] for p in group["params"]}


@pytest.mark.parametrize("kind", ["lars", "adamw"])
def test_biases_and_norms_are_spared(kind):
    method = make_method("byol")
    groups = build_optimizer(method, make_plan(optimizer=kind, weight_decay=0.5)).param_groups
    for group in groups:
        dimensions = {p.ndim for p in group["params"]}
        assert group["weight_decay"] == (0.0 if dimensions == {1} else 0.5)
        if kind == "lars":
            assert group["adapt"] == (1 not in dimensions)
    everything = [p for group in groups for p in group["params"]]
    assert len(everything) == len({id(p) for p in everything})
    assert {id(p) for p in everything} == {id(p) for p in method.parameters() if p.requires_grad}


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_sgd_and_adam_decay_everything(kind):
    groups = build_optimizer(make_method("simclr"), make_plan(optimizer=kind, weight_decay=0.5)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.5]


def test_the_teacher_is_not_trained():
    method = make_method("moco")
    trained = {id(p) for g in build_optimizer(method, make_plan()).param_groups for p in g["params"]}
    assert not trained & {id(p) for p in method.teacher.parameters()}


def test_simsiams_predictor_keeps_the_peak_rate():
    method = make_method("simsiam")
    optimizer = build_optimizer(method, make_plan())
    set_rate(optimizer.param_groups, 0.01, 0.1)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in names_of(method, group)}
    assert {rate for name, rate in rates.items() if "predictor" in name} == {0.1}
    assert {rate for name, rate in rates.items() if "predictor" not in name} == {0.01}


def test_adam_decay_is_coupled():
    method = make_method("simclr")
    optimizer = build_optimizer(method, make_plan(optimizer="adam", weight_decay=0.1, lr=0.01))
    weight = next(method.parameters())
    before = weight.detach().clone()
    for parameter in method.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    # Coupled L2 with a zero gradient is Adam on the decay alone: every entry moves by the whole rate.
    moved = (before - weight.detach()).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 0.01), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "lars"])
def test_a_parameter_may_get_its_first_gradient_late(kind):
    method = make_method("simclr")
    optimizer = build_optimizer(method, make_plan(optimizer=kind, lr=0.01, weight_decay=0.0))
    late, *others = (p for p in method.parameters() if p.requires_grad)
    begun = late.detach().clone()
    for step in range(2):
        for parameter in others:
            parameter.grad = torch.ones_like(parameter)
        late.grad = torch.ones_like(late) if step else None
        optimizer.step()
        assert torch.equal(late, begun) == (step == 0)
