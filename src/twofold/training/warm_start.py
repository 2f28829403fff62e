"""Training on from another run: what beside the backbone fits, its heads, its twin, its queue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from twofold.methods.joint_embedding import JointEmbedding
from twofold.runs.checkpoints import Checkpoints
from twofold.seam import Method

HAVE_PARTS = ("student", "teacher")  # whose heads are parts of their own


@torch.no_grad()
def start_from(method: Method, weights: str) -> list[str]:
    """Give a method those parts of the last checkpoint of a run folder that fit as a whole, by names and shapes, beside
    the backbone, which it has already. Returns half a sentence about it, or none where nothing fits.

    weights: as the option; what is no run folder with a checkpoint has nothing more. What of a twin the run did not
    have follows its student from where that starts. Raises UserError where the checkpoint cannot be read.
    """
    folder = Path(weights) / "checkpoints"
    checkpoint = Checkpoints(folder).load(put_aside=False)[0] if folder.is_dir() else None
    if checkpoint is None:
        return []
    fitting = _fitting(method.state_dict(), checkpoint.method)
    method.load_state_dict(fitting, strict=False)
    if isinstance(method, JointEmbedding):
        method.follow_where(lambda name: name not in fitting)
    parts = dict.fromkeys(_part(name) for name in fitting if not name.startswith("student.backbone."))
    return [f"{', '.join(parts).replace('.', ' ')} from there, too".replace("student ", "")] if parts else []


def _fitting(own: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of those parts of which all are there in the right shape."""
    there = {name for name, value in own.items() if name in others and others[name].shape == value.shape}
    lacking = {_part(name) for name in own.keys() - there}
    return {name: others[name] for name in own if _part(name) not in lacking}


def _part(name: str) -> str:
    """'student.projector' of 'student.projector.0.weight', 'queue' of 'queue.rows'."""
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if first in HAVE_PARTS and rest else first
