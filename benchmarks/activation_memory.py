"""activation_memory.py: the bytes that networks hold for the gradient, with and without activation checkpointing.

Counted by the tensors that autograd saves in one forward pass of 4 images of 224 px in float32, each storage once;
while a block runs again its own come on top. Runs on a CPU in seconds, and times nothing.
"""

from __future__ import annotations

import torch

from twofold.images.backbones import build_backbone
from twofold.nets.recomputing import recompute_blocks


def held(name: str, recomputing: bool) -> int:
    """Bytes saved for the gradient, without those of weights."""
    torch.manual_seed(0)
    network = build_backbone(name, image_size=224).train()
    if recomputing:
        recompute_blocks(network)
    own = {weight.untyped_storage().data_ptr() for weight in (*network.parameters(), *network.buffers())}
    found: dict[int, int] = {}
    kept: list[torch.Tensor] = []  # so that no storage takes the place of another

    def save(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        network(torch.randn(4, 3, 224, 224)).pooled.sum()
    return sum(found.values())


if __name__ == "__main__":
    for name in ("timm:vit_small_patch16_224", "resnet50"):
        plain, recomputed = (held(name, recomputing) / 2**20 for recomputing in (False, True))
        print(f"{name}: {plain:.0f} -> {recomputed:.0f} MiB")
