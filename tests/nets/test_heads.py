"""Heads have the layers that they say."""

from __future__ import annotations

from twofold.nets.heads import mlp


def test_mlp_has_the_layers_it_says():
    head = mlp([4, 6, 6, 2], bias=False, last_bias=True, last_norm="plain")
    kinds = [type(layer).__name__ for layer in head]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d"]
    assert [head[i].bias is not None for i in (0, 3, 6)] == [False, False, True]
    assert head[7].weight is None
    scaled = mlp([4, 2], last_norm="scale")[-1]
    assert scaled.weight.requires_grad and not scaled.bias.requires_grad
    assert [type(layer).__name__ for layer in mlp([4, 6, 2], norm=False)] == ["Linear", "ReLU", "Linear"]
