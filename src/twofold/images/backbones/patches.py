"""A plain vision transformer of torchvision or timm as the ViTModel of transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_TORCHVISION = (
    (r"class_token", "embeddings.cls_token"),
    (r"conv_proj\.", "embeddings.patch_embeddings.projection."),
    (r"encoder\.pos_embedding", "embeddings.position_embeddings"),
    (r"encoder\.layers\.encoder_layer_(\d+)\.ln_1\.", r"encoder.layer.\1.layernorm_before."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.ln_2\.", r"encoder.layer.\1.layernorm_after."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_", r"encoder.layer.\1.attention.attention.ALL."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.", r"encoder.layer.\1.attention.output.dense."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.0\.", r"encoder.layer.\1.intermediate.dense."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.3\.", r"encoder.layer.\1.output.dense."),
    (r"encoder\.ln\.", "layernorm."),
)
_TIMM = (
    (r"cls_token", "embeddings.cls_token"),
    (r"patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"pos_embed", "embeddings.position_embeddings"),
    (r"blocks\.(\d+)\.norm1\.", r"encoder.layer.\1.layernorm_before."),
    (r"blocks\.(\d+)\.norm2\.", r"encoder.layer.\1.layernorm_after."),
    (r"blocks\.(\d+)\.attn\.qkv\.", r"encoder.layer.\1.attention.attention.ALL."),
    (r"blocks\.(\d+)\.attn\.proj\.", r"encoder.layer.\1.attention.output.dense."),
    (r"blocks\.(\d+)\.mlp\.fc1\.", r"encoder.layer.\1.intermediate.dense."),
    (r"blocks\.(\d+)\.mlp\.fc2\.", r"encoder.layer.\1.output.dense."),
    (r"norm\.", "layernorm."),
)


def transformers_state(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The weights of a vision transformer under the names of ViTModel's files, queries, keys and values apart; None
    where one has no place there (registers, layer scales, a norm before the blocks, ...)."""
    rules = _TORCHVISION if "class_token" in state else _TIMM
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        rule = next((rule for rule in rules if re.match(rule[0], name)), None)
        if rule is None:
            return None
        new = re.sub(f"^{rule[0]}", rule[1], name)
        if "ALL" not in new:
            found[new] = value
            continue
        for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
            found[new.replace("ALL", part)] = third.contiguous()
    return found


def transformers_config(network: Any, state: Mapping[str, Tensor], image_size: int) -> dict[str, Any] | None:
    """What config.json of the ViTModel with these weights (see `transformers_state`) says, or None where the network
    computes something else: the tokens pooled by another rule than the class token's, another activation."""
    kernel, places = (
        state.get("embeddings.patch_embeddings.projection.weight"),
        state.get("embeddings.position_embeddings"),
    )
    norms = [m for m in network.modules() if isinstance(m, nn.LayerNorm)]
    gelu = [m for m in network.modules() if type(m).__module__.startswith("torch.nn.modules.activation") and not
            isinstance(m, nn.MultiheadAttention)]  # fmt: skip
    heads = {m.num_heads for m in network.modules() if isinstance(getattr(m, "num_heads", None), int)}
    layers = sum(name.endswith("attention.attention.query.weight") for name in state)
    plain = (
        kernel is not None
        and places is not None
        and getattr(network, "global_pool", "token") == "token"
        and "embeddings.cls_token" in state
        and len({norm.eps for norm in norms}) == len(heads) == 1
        and len(gelu) == layers
        and all(isinstance(m, nn.GELU) and m.approximate == "none" for m in gelu)
    )
    if not plain or kernel is None or places is None:
        return None
    hidden, _, patch, _ = kernel.shape
    if places.shape[1] != (image_size // patch) ** 2 + 1:  # a class token without a place of its own
        return None
    return {
        "architectures": ["ViTModel"],
        "model_type": "vit",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads.pop(),
        "intermediate_size": state["encoder.layer.0.intermediate.dense.weight"].shape[0],
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "layer_norm_eps": norms[0].eps,
        "image_size": image_size,
        "patch_size": patch,
        "num_channels": 3,
        "qkv_bias": "encoder.layer.0.attention.attention.query.bias" in state,
    }


def filled_up(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same with a bias of zero where the network has no patch bias, which ViTModel has always."""
    weight = state["embeddings.patch_embeddings.projection.weight"]
    bias = {"embeddings.patch_embeddings.projection.bias": torch.zeros(len(weight))}
    return {**bias, **state}
