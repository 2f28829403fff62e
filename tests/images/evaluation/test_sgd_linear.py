"""Linear evaluation with crops: the published inputs, a frozen backbone, and learning."""

import copy
import dataclasses
import math

import pytest
import torch

from twofold.images.evaluation import labelled
from twofold.images.evaluation.sgd_linear import LINEAR_RECIPES, make_layer, sgd_linear


def test_published_learning_rates():
    moco, simsiam, simclr = (LINEAR_RECIPES[name] for name in ("moco", "simsiam", "simclr"))
    assert [moco.rate(e, 100, 256) for e in (0, 59, 60, 79, 80, 99)] == pytest.approx([30, 30, 3, 3, 0.3, 0.3])
    assert simsiam.rate(0, 90, 4096) == pytest.approx(1.6)
    assert simsiam.rate(30, 90, 4096) == pytest.approx(1.6 * 0.5 * (1 + math.cos(math.pi / 3)))
    assert simclr.rate(45, 90, 4096) == pytest.approx(0.8) and simclr.weight_decay == 1e-6 and simclr.nesterov
    assert moco.rate(0, 100, 64) == pytest.approx(7.5)


def test_the_layer_starts_as_in_moco():
    layer = make_layer(400, 50, 0.01, seed=0)
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05) and not layer.bias.any()
    assert torch.equal(layer.weight, make_layer(400, 50, 0.01, seed=0).weight)


@pytest.mark.parametrize("name", LINEAR_RECIPES)
def test_it_learns_and_leaves_the_backbone_alone(name, backbone, train_images, test_images, inputs):
    backbone.train()
    before = copy.deepcopy(backbone.state_dict())
    train, test = labelled(train_images), labelled(test_images)
    recipe, calls, epochs = LINEAR_RECIPES[name], [], 80 if name == "simsiam" else 15
    # the published rates are for a thousand times as many images, and LARS moves a thousandth of the weights at a time
    recipe = dataclasses.replace(recipe, lr={"moco": 30, "simsiam": 200}.get(name, 10))
    found = sgd_linear(
        backbone, train, test, 3, inputs, recipe=recipe, epochs=epochs, on_progress=lambda *p: calls.append(p)
    )
    assert found["top1"] > 0.5 and "top5" not in found
    assert calls[-1] == (epochs, epochs) and backbone.training
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())
    assert all(p.grad is None for p in backbone.parameters())


def test_the_seed_decides(backbone, train_images, test_images, inputs):
    train, test = labelled(train_images), labelled(test_images)
    runs = [
        sgd_linear(backbone, train, test, 3, inputs, recipe=LINEAR_RECIPES["simclr"], epochs=2, seed=s) for s in (0, 0)
    ]
    assert runs[0] == runs[1]
