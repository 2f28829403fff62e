"""Activation checkpointing against the same network without it."""

from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from twofold.errors import UserError
from twofold.nets.recomputing import recompute_blocks

from ..training.small import BlockNet, make_method, run_training


def held(network: nn.Module, x: Tensor) -> tuple[Tensor, int]:
    """The loss of a pass, and how many bytes are held for its gradient."""
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = network(x).square().mean()
    return loss, sum(size for place, size in sizes.items() if place not in weights)


# name: the network, its blocks, and what share of the memory is left at most
NETWORKS = {
    "vit": (lambda: torchvision.models.VisionTransformer(32, 8, 6, 2, 16, 32, dropout=0.3, num_classes=5), 6, 0.25),
    "resnet": (lambda: torchvision.models.resnet18(num_classes=5), 8, 0.6),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_statistics_and_draws_stay_and_memory_falls(name):
    torch.manual_seed(0)
    make, blocks, left = NETWORKS[name]
    plain = make().train()
    for weight in plain.parameters():
        nn.init.normal_(weight, std=0.05)
    again = copy.deepcopy(plain)
    assert recompute_blocks(again) == blocks
    x, bytes_held = torch.randn(8, 3, 32, 32), []
    for network in (plain, again):
        for _ in range(2):
            torch.manual_seed(1)
            loss, size = held(network, x)
            loss.backward()
        bytes_held.append(size)
    assert bytes_held[1] < left * bytes_held[0]
    for (key, one), other in zip(plain.named_parameters(), again.parameters(), strict=True):
        assert one.grad.abs().max() > 0 and torch.equal(one.grad, other.grad), key
    for (key, value), other in zip(plain.state_dict().items(), again.state_dict().items(), strict=True):
        assert other[0] == key and torch.equal(value, other[1]), key


def test_buffers_that_the_output_depends_on_are_as_they_were():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = spectral_norm(nn.Linear(4, 4))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.line(x)

    torch.manual_seed(0)
    plain = nn.Sequential(Block(), Block())
    again = copy.deepcopy(plain)
    assert recompute_blocks(again) == 2
    x = torch.randn(3, 4)
    for network in (plain, again):
        network(x).square().sum().backward()
    for one, other in zip(plain.parameters(), again.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_copies_run_their_own_blocks():
    network = BlockNet()
    recompute_blocks(network)
    copied = copy.deepcopy(network)
    x = torch.randn(2, 3, 8, 8)
    copied(x).pooled.sum().backward()
    assert all(weight.grad is None for weight in network.parameters())
    assert any(weight.grad is not None for weight in copied.blocks.parameters())


def test_a_teacher_learns_nothing_and_is_left_alone():
    method = make_method("byol", net=BlockNet)
    assert recompute_blocks(method) == 2
    assert not any("forward" in vars(part) for part in method.teacher.modules())


def test_a_network_without_blocks_is_refused(tmp_path):
    with pytest.raises(UserError, match="this network has none that repeat"):
        run_training(tmp_path, "byol", recompute=True)


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}])
def test_a_run_ends_in_the_same_bits(tmp_path, settings):
    plain, again = (
        run_training(tmp_path / str(recompute), "byol", net=BlockNet, recompute=recompute, **settings)[0]
        for recompute in (False, True)
    )
    for key, value in plain.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key
