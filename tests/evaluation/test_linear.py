"""The linear probe: separates what is separable, is seeded, keeps the protocol's schedule."""

import pytest
import torch

from twofold.evaluation.accuracy import accuracies
from twofold.evaluation.linear import linear_probe


@pytest.fixture(scope="module")
def clusters():
    rng = torch.Generator().manual_seed(0)
    centres = torch.randn(7, 16, generator=rng)
    labels = torch.arange(210) % 7
    return centres[labels] + 0.3 * torch.randn(210, 16, generator=rng), labels


def test_separable_clusters_are_learned(clusters):
    x, y = clusters
    found = linear_probe(x[:140], y[:140], x[140:], y[140:], 7, seed=0)
    assert found["top1"] > 0.95 and found["top5"] >= found["top1"]
    assert found == linear_probe(x[:140], y[:140], x[140:], y[140:], 7, seed=0)


def test_shuffled_labels_stay_at_chance(clusters):
    x, y = clusters
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(1))]
    assert linear_probe(x[:140], y[:140], x[140:], y[140:], 7, seed=0)["top1"] < 0.45


def test_learning_rate_falls_exponentially_and_batches_are_nearly_equal(clusters, monkeypatch):
    rates, sizes = [], []

    class Spy(torch.optim.Adam):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            assert self.param_groups[0]["weight_decay"] == 5e-6
            return super().step(closure)

    real = torch.nn.functional.cross_entropy
    monkeypatch.setattr(torch.optim, "Adam", Spy)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda z, y: sizes.append(len(y)) or real(z, y))
    x, y = clusters
    linear_probe(x, y, x, y, 7, epochs=10, batch_size=100)
    assert sizes[:3] == [70, 70, 70] and len(rates) == 30
    assert rates[0] == 1e-2
    ratios = [rates[i + 3] / rates[i] for i in range(0, 27, 3)]
    assert ratios == pytest.approx([(1e-4) ** 0.1] * 9)


def test_top5_counts_and_is_left_out_for_few_classes():
    scores = torch.tensor([[6.0, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1]])
    assert accuracies(scores, torch.tensor([0, 4, 5])) == {"top1": pytest.approx(1 / 3), "top5": pytest.approx(2 / 3)}
    assert accuracies(scores[:, :5], torch.tensor([0, 4, 3])) == {"top1": pytest.approx(1 / 3)}
