"""CO2 against a third party's code (the variant that counts the positive among the entries)."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.methods.co2 import CO2
from twofold.methods.record import Look, Pass
from twofold.objectives.consistency import similarity_distribution
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}


def cases(file):
    found = [re.fullmatch(r"(bank|inbatch)_t([\d.]+)_a([\d.]+)_loss", key) for key in file]
    found = [case for case in found if case]
    assert found
    return [(c.group(1), float(c.group(2)), float(c.group(3)), c.group(0)[: -len("_loss")]) for c in found]


def record_of(queries, keys, negatives):
    student, teacher = {0: Look(None, queries, queries)}, {1: Look(None, keys, keys)}
    views = Views([], [], torch.arange(len(queries)))
    unused = dict.fromkeys(("look", "teach", "networks", "combine", "loss"))
    return Pass(views, [], student, teacher, negatives, ((0, 1),), Progress(1, 1), **unused)


def test_loss_and_gradient(golden):
    file = golden("images_co2")
    for kind, temperature, alpha, stem in cases(file):
        queries, keys = torch.tensor(file["q"], requires_grad=True), torch.as_tensor(file["k"])
        negatives = F.normalize(torch.as_tensor(file["bank"]), dim=0).T if kind == "bank" else None
        addition = CO2(weight=alpha, temperature=temperature, include_positive=True, ramp=0.0)
        term = addition.terms(record_of(queries, keys, negatives))["co2"]
        loss = term.weight * term.value
        loss.backward()
        assert_close(loss.detach(), torch.as_tensor(file[f"{stem}_loss"]), **CLOSE)
        assert_close(queries.grad, torch.as_tensor(file[f"{stem}_grad_q"]), **CLOSE)
        assert queries.grad.norm().item() == pytest.approx(float(file[f"{stem}_gradnorm"]), abs=1e-8)


def test_log_probabilities(golden):
    file = golden("images_co2")
    for kind, temperature, _, stem in cases(file):
        queries, keys = (F.normalize(torch.as_tensor(file[name]), dim=1) for name in ("q", "k"))
        bank = F.normalize(torch.as_tensor(file["bank"]), dim=0).T
        positive = (queries * keys).sum(1)
        own = None if kind == "bank" else torch.arange(len(queries))
        others = {"query": bank if kind == "bank" else keys, "key": bank if kind == "bank" else queries}
        for side, rows in (("query", queries), ("key", keys)):
            logp = similarity_distribution(rows, others[side], temperature, positive, own)
            assert_close(logp, torch.as_tensor(file[f"{stem}_logp_{side}"]), **CLOSE)
