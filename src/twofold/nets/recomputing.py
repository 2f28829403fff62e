"""Activation checkpointing (Chen et al., 2016): of what a block computes its input alone is kept for the gradient, and
the rest is computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from twofold.nets.blocks import repeated_blocks


def recompute_blocks(network: nn.Module) -> int:
    """Let every block of a network that learns (`repeated_blocks`) keep its input alone; how many these are.

    Outputs, gradients, batch statistics and the draws of dropout stay what they are. Names in the state dict stay, too.
    """
    blocks = [one for one in repeated_blocks(network) if any(weight.requires_grad for weight in one.parameters())]
    for block in blocks:
        # A partial of a bound method, for copies of the network are to run their own blocks.
        block.forward = partial(_forward, block, block.forward)
    return len(blocks)


def _forward(block: nn.Module, forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs, **named)
    return checkpoint(
        partial(forward, **named), *inputs, use_reentrant=False, context_fn=partial(_first_and_again, block)
    )


def _first_and_again(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """The contexts of the first pass and of the second, which begins with the buffers as they were before the first,
    and leaves them alone: batch statistics move once."""
    before = [
        (module, name, buffer.clone())
        for module in block.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    return nullcontext(), _with_buffers(before)


@contextmanager
def _with_buffers(before: list[tuple[nn.Module, str, Tensor]]) -> Iterator[None]:
    now = [(module, name, module._buffers[name]) for module, name, _ in before]
    for module, name, value in before:
        module._buffers[name] = value
    try:
        yield
    finally:
        for module, name, current in now:
            module._buffers[name] = current
