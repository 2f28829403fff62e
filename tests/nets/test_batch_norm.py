"""Batch norm over parts of a batch, and over the batches of all processes."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.testing import assert_close

from twofold.nets.batch_norm import GlobalBatchNorm, SplitBatchNorm, deinterleave, interleave, split, synchronise


def test_split_batch_norm_is_one_batch_norm_a_group():
    torch.manual_seed(0)
    x = torch.randn(8, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    layer = SplitBatchNorm(3, 4).double()
    y = layer(x)
    for part, made in zip(x.chunk(4), y.chunk(4), strict=True):
        mean, var = part.mean((0, 2, 3), keepdim=True), part.var((0, 2, 3), unbiased=False, keepdim=True)
        assert_close(made, (part - mean) / (var + layer.eps).sqrt())
    y.square().sum().backward()
    assert torch.isfinite(x.grad).all()
    layer.eval()
    plain = nn.BatchNorm2d(3).double().eval()
    plain.load_state_dict(layer.state_dict())
    assert_close(layer(x), plain(x))


def test_interleaving_puts_row_n_into_part_n_mod_groups():
    rows = torch.arange(12).view(12, 1)
    assert interleave(rows, 4).chunk(4)[1].flatten().tolist() == [1, 5, 9]
    assert torch.equal(deinterleave(interleave(rows, 4), 4), rows)
    assert torch.equal(interleave(rows, 1), rows)


def test_a_batch_that_the_groups_do_not_divide_is_taken_whole():
    x = torch.randn(7, 3, 2, 2)
    assert_close(SplitBatchNorm(3, 4)(x), nn.BatchNorm2d(3)(x))


def test_replaced_layers_keep_their_very_parameters():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))
    network[1].weight.requires_grad_(False)
    wanted = list(network.parameters())
    state = copy.deepcopy(network.state_dict())
    cut = split(network, 2)
    assert isinstance(cut[1], SplitBatchNorm) and isinstance(cut[2][0], SplitBatchNorm)
    assert all(a is b for a, b in zip(cut.parameters(), wanted, strict=True))
    assert not cut[1].weight.requires_grad
    assert all(torch.equal(value, state[key]) for key, value in cut.state_dict().items())


def test_synchronised_batch_norm_of_one_process_is_plain():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.BatchNorm1d(12, affine=False))
    same = synchronise(copy.deepcopy(network), torch.device("cpu"))
    assert isinstance(same[0], GlobalBatchNorm) and isinstance(same[2], GlobalBatchNorm)
    x = torch.randn(5, 3, 2, 2)
    assert_close(same(x), network(x))
    assert_close(same.state_dict(), network.state_dict())
