"""Batch norm over a part of the batch (split) or over the batches of all processes (global)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.processes import total, world


def interleave(rows: Tensor, groups: int) -> Tensor:
    """Rows (B, ...) in the order that puts row n into part n mod `groups` of the batch, the parts being contiguous."""
    return rows.unflatten(0, (-1, groups)).transpose(0, 1).flatten(0, 1)


def deinterleave(rows: Tensor, groups: int) -> Tensor:
    """Rows as they were before `interleave`."""
    return rows.unflatten(0, (groups, -1)).transpose(0, 1).flatten(0, 1)


class SplitBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm whose batch is cut into groups with statistics of their own (what MoCo does on one device).

    The groups are contiguous parts of the batch, which costs nothing; `interleave` before the network makes them the
    official code's, where sample n belongs to group n mod `groups`. Running statistics move by the mean over groups. A
    batch that the groups do not divide is taken as one. Evaluation is plain batch norm.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, features: int, groups: int, *, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(features, eps=eps, momentum=momentum)
        self.groups = groups

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 4:
            raise ValueError(f"expected maps, of 4 dimensions or more, got {x.dim()}")

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or len(x) % self.groups or len(x) == self.groups:
            return super().forward(x)
        means, variances = (value.repeat(self.groups, 1) for value in (self.running_mean, self.running_var))
        rate = 0.0 if self.momentum is None else self.momentum
        parts = [
            F.batch_norm(part, mean, variance, self.weight, self.bias, True, rate, self.eps)
            for part, mean, variance in zip(x.chunk(self.groups), means, variances, strict=True)
        ]
        self.running_mean.copy_(means.mean(0))
        self.running_var.copy_(variances.mean(0))
        self.num_batches_tracked.add_(1)
        return torch.cat(parts)


class GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the batches of all processes, on any device (torch's SyncBatchNorm runs on GPUs only)."""

    num_batches_tracked: Tensor

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"expected at least 2 dimensions, got {x.dim()}")

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or world() == 1:
            return super().forward(x)
        axes = [0, *range(2, x.dim())]
        shape = [1, -1] + [1] * (x.dim() - 2)
        values = x.double() if x.dtype == torch.float64 else x.float()
        # Processes may bring different numbers of rows (regions of images), so these are counted with the sums.
        own = values.new_full((1,), values.numel() // values.shape[1])
        sums, count = total(torch.cat([values.sum(axes), own])).split([values.shape[1], 1])
        mean = sums / count
        centred = values - mean.view(shape)
        variance = total((centred * centred).sum(axes)) / count
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                unbiased = variance * count / (count - 1)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
                self.num_batches_tracked.add_(1)
        y = centred * (variance.view(shape) + self.eps).rsqrt()
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)


_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def replace_batch_norm(module: nn.Module, make: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    """Put `make(layer)` in the place of every batch norm below `module`, with the very same weights and statistics.

    A layer for which `make` gives None stays. Returns the module (or its replacement, where it is a batch norm itself).
    """
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        made = make(module)
        if made is None:
            return module
        made._parameters, made._buffers = module._parameters, module._buffers
        return made.train(module.training)
    for name, child in module.named_children():
        setattr(module, name, replace_batch_norm(child, make))
    return module


def split(module: nn.Module, groups: int) -> nn.Module:
    """Every batch norm of maps in the module with its batch cut into `groups`."""

    def make(layer: nn.Module) -> nn.Module | None:
        if not isinstance(layer, (nn.BatchNorm2d, nn.BatchNorm3d)):
            return None
        return SplitBatchNorm(layer.num_features, groups, eps=layer.eps, momentum=layer.momentum)

    return replace_batch_norm(module, make)


def synchronise(module: nn.Module, device: torch.device) -> nn.Module:
    """Every plain batch norm of the module over the batches of all processes. device: where it is going to run."""

    def make(layer: nn.Module) -> nn.Module | None:
        if not isinstance(layer, _PLAIN) or isinstance(layer, SplitBatchNorm):
            return None
        kind = nn.SyncBatchNorm if device.type == "cuda" else GlobalBatchNorm
        return kind(layer.num_features, eps=layer.eps, momentum=layer.momentum, affine=layer.affine)

    return replace_batch_norm(module, make)
