"""Heads, twin, queue and batch norms."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.testing import assert_close

from twofold.nets.batch_norm import GlobalBatchNorm, SplitBatchNorm2d, deinterleave, interleave, split, synchronise
from twofold.nets.heads import mlp
from twofold.nets.queue import Queue
from twofold.nets.twin import follow, twin_of


def test_mlp_has_the_layers_it_says():
    head = mlp([4, 6, 6, 2], bias=False, last_bias=True, last_norm="plain")
    kinds = [type(layer).__name__ for layer in head]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d"]
    assert [head[i].bias is not None for i in (0, 3, 6)] == [False, False, True]
    assert head[7].weight is None
    scaled = mlp([4, 2], last_norm="scale")[-1]
    assert scaled.weight.requires_grad and not scaled.bias.requires_grad
    assert [type(layer).__name__ for layer in mlp([4, 6, 2], norm=False)] == ["Linear", "ReLU", "Linear"]


def test_twin_follows_parameters_and_never_buffers():
    torch.manual_seed(0)
    original = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    twin = twin_of(original)
    before = [p.clone() for p in twin.parameters()]
    with torch.no_grad():
        for p in original.parameters():
            p.add_(torch.randn_like(p))
    original[1].running_mean.add_(5)
    follow(twin, original, 0.9)
    for old, ours, theirs in zip(before, twin.parameters(), original.parameters(), strict=True):
        assert_close(ours, 0.9 * old + 0.1 * theirs)
        assert not ours.requires_grad
    assert (twin[1].running_mean == 0).all()


def test_queue_longer_batches_than_the_ring_keep_the_newest():
    queue = Queue(4, 2)
    assert_close(queue.rows.norm(dim=1), torch.ones(4))
    queue.enqueue(torch.arange(12.0).view(6, 2))
    assert queue.rows.flatten().sort().values.tolist() == list(range(4, 12))


def test_queue_is_in_the_state():
    assert set(Queue(4, 2).state_dict()) == {"rows", "pointer"}


def test_split_batch_norm_is_one_batch_norm_a_group():
    torch.manual_seed(0)
    x = torch.randn(8, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    layer = SplitBatchNorm2d(3, 4).double()
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
    assert_close(SplitBatchNorm2d(3, 4)(x), nn.BatchNorm2d(3)(x))


def test_replaced_layers_keep_their_very_parameters():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))
    network[1].weight.requires_grad_(False)
    wanted = list(network.parameters())
    state = copy.deepcopy(network.state_dict())
    cut = split(network, 2)
    assert isinstance(cut[1], SplitBatchNorm2d) and isinstance(cut[2][0], SplitBatchNorm2d)
    assert all(a is b for a, b in zip(cut.parameters(), wanted, strict=True))
    assert not cut[1].weight.requires_grad
    assert all(torch.equal(value, state[key]) for key, value in cut.state_dict().items())


def test_synchronised_batch_norm_of_one_process_is_plain():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.BatchNorm1d(12, affine=False))
    same = synchronise(copy.deepcopy(network))
    assert isinstance(same[0], GlobalBatchNorm) and isinstance(same[2], GlobalBatchNorm)
    x = torch.randn(5, 3, 2, 2)
    assert_close(same(x), network(x))
    assert_close(same.state_dict(), network.state_dict())
