"""Methods in a loop of one's own: a plain network, plain tensors."""

import pytest
import torch
import torchvision
from torch import nn
from torch.testing import assert_close

from tests.tiny import make
from twofold import wings
from twofold.errors import UserError
from twofold.methods.moco import MoCo
from twofold.nets.features import Features, features_of, width_of
from twofold.seam import Progress

CATALOG = wings.catalog()
ON_MAPS = {"densecl", "scrl", "dsc"}  # which need to know where cells lie
IMAGES = [name for name in CATALOG.systems if "images" in CATALOG.recipes[name] and name not in ON_MAPS]


class Plain(nn.Module):
    """A network as anybody has one: a vector for each image."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x):
        return self.layers(x).flatten(1)


def test_a_torchvision_network_learns_in_ten_lines():
    torch.manual_seed(0)
    pictures = torch.rand(16, 3, 32, 32)
    method = MoCo(torchvision.models.resnet18(), queue=32, key_bn="plain", temperature=0.1)
    optimizer = torch.optim.SGD(method.parameters(), 0.05, momentum=0.9)
    losses = []
    for step in range(12):
        views = [pictures + 0.05 * torch.randn_like(pictures) for _ in range(2)]
        progress = Progress(step, steps=12)
        loss = method.loss(views, progress)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(progress)
        losses.append(loss.item())
    assert min(losses[-3:]) < losses[4] and method.queue.filled() == 32
    assert method.backbone(pictures).shape == (16, 1000)


@pytest.mark.parametrize("name", IMAGES)
def test_every_system_takes_a_plain_network(name):
    torch.manual_seed(0)
    method = make(name, Plain())
    views = [torch.rand(8, 3, 32, 32) for _ in range(method.view_count)]
    loss = method.loss(views, Progress(0, 10))
    loss.backward()
    method.after_step(Progress(0, 10))
    assert loss.ndim == 0 and torch.isfinite(loss)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in method.backbone.parameters())


def test_views_that_do_not_fit_are_refused():
    method = MoCo(Plain(), queue=32)
    for views in ([torch.rand(4, 3, 32, 32)], [torch.rand(4, 3, 32, 32), torch.rand(5, 3, 32, 32)], []):
        with pytest.raises(UserError, match="MoCo takes 2 views of one batch"):
            method.loss(views, Progress(0, 1))


def test_what_networks_give_becomes_features():
    vector, cells = torch.rand(2, 5), torch.rand(2, 5, 3, 4)
    assert features_of(vector) == Features(None, vector)
    assert_close(features_of(cells).pooled, cells.mean((2, 3)))
    assert features_of(Features(cells, vector)).map is cells
    with pytest.raises(TypeError, match="list where"):
        features_of([vector])


def test_the_width_of_a_network_is_told_or_found():
    network = Plain().train()
    assert width_of(network) == 8 and network.training
    assert width_of(torchvision.models.resnet18()) == 1000
    with pytest.raises(UserError, match="give it an attribute `width`"):
        width_of(nn.Linear(5, 3))
    network = nn.Linear(5, 3)
    network.width = 3
    assert width_of(network) == 3
