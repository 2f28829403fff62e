"""RCRL beside anybody's agent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from twofold.control.methods.beside import RCRLAux


def lived(**settings) -> RCRLAux:
    """60 episodes of 8 steps, of which the third and the last earn something."""
    torch.manual_seed(0)
    aux = RCRLAux(5, 3, 300, count=12, **settings)
    for _ in range(60):
        for t in range(8):
            aux.observe(float(t in (2, 7)), terminated=t == 7, truncated=False)
    return aux


@pytest.mark.parametrize("settings", [{}, {"positives": "bin", "gamma": 0.9}, {"positives": "mix", "squared": False}])
def test_its_loss_reaches_the_features_and_its_own_head(settings):
    aux, asked = lived(**settings), list[np.ndarray]()
    features = torch.randn(300, 5, requires_grad=True)

    def look(rows: np.ndarray):
        asked.append(rows)
        return features[rows], rows % 3

    loss = aux.loss(look)
    loss.backward()
    assert features.grad.abs().max() > 0
    assert all(p.grad is not None for p in aux.parameters())
    assert asked[0].min() >= 0 and asked[0].max() < 300  # of 480 steps the last 300 are kept
    assert len(asked[0]) == 36


def test_what_is_drawn_follows_from_seed_and_number():
    def draws(aux: RCRLAux) -> list[int]:
        found: list[int] = []

        def look(steps: np.ndarray):
            found.extend(steps.tolist())
            return torch.zeros(len(steps), 5), torch.zeros(len(steps), dtype=torch.long)

        aux.loss(look)
        aux.loss(look)
        return found

    assert draws(lived(seed=1)) == draws(lived(seed=1)) != draws(lived(seed=2))
    first = draws(lived(seed=1))
    assert first[:36] != first[36:]


def test_where_nothing_can_be_told_yet_there_is_no_loss():
    aux = RCRLAux(5, 3, 100)
    assert aux.loss(lambda steps: pytest.fail("asked about nothing")) is None


def test_an_update_of_its_own_changes_encoder_and_head():
    aux, encoder = lived(), torch.nn.Linear(4, 5)
    states = torch.randn(300, 4)
    optimizer = torch.optim.Adam([*encoder.parameters(), *aux.parameters()], lr=1e-2)
    found = [aux.learn(lambda rows: (encoder(states[rows]), rows % 3), optimizer) for _ in range(30)]
    assert np.mean(found[-5:]) < np.mean(found[:5])
    before = encoder.weight.clone()
    assert RCRLAux(5, 3, 100).learn(lambda rows: pytest.fail("asked about nothing"), optimizer) is None
    assert torch.equal(before, encoder.weight)
