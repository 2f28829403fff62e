"""The blocks of a network: parts of one kind that follow one another, as transformers and residual networks have."""

from __future__ import annotations

from collections import Counter

from torch import nn

_LISTS = (nn.Sequential, nn.ModuleList)


def repeated_blocks(network: nn.Module) -> list[nn.Module]:
    """The members of a list or sequence of modules that share their class with another one there and are made of
    parts themselves; where such a block lies in another one, the inner one."""
    found: dict[int, nn.Module] = {}
    for container in network.modules():
        if isinstance(container, _LISTS):
            members = [one for one in container.children() if next(one.children(), None) is not None]
            kinds = Counter(type(one) for one in members)
            found |= {id(one): one for one in members if kinds[type(one)] > 1 and not isinstance(one, _LISTS)}
    outer = {key for key, one in found.items() if any(id(part) in found for part in one.modules() if part is not one)}
    return [one for key, one in found.items() if key not in outer]
