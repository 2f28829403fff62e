"""One frame of a clip laid over all of its frames (BE, Wang et al., CVPR 2021, 2009.05769)."""

from __future__ import annotations

import torch
from torch import Tensor


def static_frame_mix(clips: Tensor, frame: Tensor, share: Tensor) -> Tensor:
    """x'_t = (1 - share) x_t + share x_frame for all t: clips (B, C, T, H, W), frame int64 (B,), share (B,) in 0..1."""
    static = clips[torch.arange(len(clips), device=clips.device), :, frame][:, :, None]
    return torch.lerp(clips, static, share.to(clips)[:, None, None, None, None])
