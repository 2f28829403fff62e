"""Tensors that settings ask for, held against the free memory before they are made; memory kept for the next."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from twofold.resources import SMALL, require

_TRIM, _MMAP = -1, -3  # of glibc's malloc.h: what is given back from the end of the heap, and what never lies in it


class WithinMemory(TorchDispatchMode):
    """In this block torch makes nothing that is larger than what is free: a UserError comes before it is made.

    what: whose tensors these are, in words. remedy: what to do about it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__()
        self.what, self.remedy, self._made = what, remedy, 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        made, self._made = self._made + _bytes_made(func, args, given), 0.0
        require(made, self.what, self.remedy)
        if made <= SMALL:  # what was made before is no longer among what is free
            self._made = made
        return func(*args, **given)


def _bytes_made(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """How many bytes of new tensors an operation makes, by making them without memory; 0 where that cannot be told."""
    if _gives_back(func):
        return 0
    try:
        dry_args, dry_kwargs = tree_map(_without_memory, (args, kwargs))
        before = {_storage(leaf) for leaf in tree_leaves((dry_args, dry_kwargs)) if isinstance(leaf, Tensor)}
        if not before or "device" in dry_kwargs:
            dry_kwargs["device"] = torch.device("meta")
        made = [leaf for leaf in tree_leaves(func(*dry_args, **dry_kwargs)) if isinstance(leaf, Tensor)]
        return sum(tensor.untyped_storage().nbytes() for tensor in made if _storage(tensor) not in before)
    except Exception as error:  # an operation that needs values, or a kind of tensor without such a form
        return math.inf if "overflow" in str(error).lower() else 0


@functools.cache
def _gives_back(func: Any) -> bool:
    """Whether all that an operation returns are its arguments, changed in place, or views of them."""
    returns = func._schema.returns if isinstance(func, OpOverload) else ()
    return bool(returns) and all(one.alias_info is not None for one in returns)


def _without_memory(value: Any) -> Any:
    if isinstance(value, torch.Generator):
        return None
    if not isinstance(value, Tensor):
        return value
    return torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device="meta")


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def keep_freed_memory() -> None:
    """Let the C library keep large blocks that are freed, for the next ones: glibc gives them back to the system, which
    small updates in a row pay for by thousands of page faults each. Nothing where it is another library."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(_TRIM, 1 << 30)
        adjust(_MMAP, 1 << 25)
