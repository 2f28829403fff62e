"""DINO: Emerging Properties in Self-Supervised Vision Transformers (Caron et al., ICCV 2021, 2104.14294)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, between_0_and_1, repeated
from twofold.methods.addition import Addition
from twofold.methods.byol import teacher_momentum
from twofold.methods.multicrop import MultiCrop, look_by_size
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import gelu_mlp
from twofold.objectives.prototypes import cosines, cross_entropy, entropy, sharpened
from twofold.processes import total, world
from twofold.seam import Progress


class DINO(MultiCrop):
    """All views guess what the EMA teacher, centred and sharpened, says of the two large ones: a softmax over outputs.

    Args:
        prototypes: Number of outputs K, the rows of a weight-normalised last layer.
        hidden: Width inside the projector.
        dim: Width of the projector's end, the unit rows before the last layer.
        head_norm: Whether the projector has batch norm.
        local_views: Number of small crops, for a recipe that has them.
        temperature: Temperature of the student's softmax.
        teacher_temperature: Temperature of the teacher's softmax once it has grown.
        start_temperature: Temperature of the teacher's softmax at the start.
        temperature_warmup: Share of the run over which the teacher's temperature grows (paper: 0.04 to 0.07 in 30 of
            300 epochs).
        momentum: Momentum of the teacher at the start; it grows to 1 along a cosine.
        center_momentum: Momentum of the mean output that is subtracted from the teacher's.
        frozen_epochs: Number of first epochs in which the last layer does not learn.
    """

    leaves_out = True  # the last layer is frozen at first

    teacher_kind = "twin"
    center: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        *,
        prototypes: int = 65536,
        hidden: int = 2048,
        dim: int = 256,
        head_norm: bool = False,
        local_views: int = 8,
        temperature: float = 0.1,
        teacher_temperature: float = 0.07,
        start_temperature: float = 0.04,
        temperature_warmup: float = 0.1,
        momentum: float = 0.996,
        center_momentum: float = 0.9,
        frozen_epochs: int = 1,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(local_views=local_views)
        above_zero(prototypes=prototypes, hidden=hidden, dim=dim, temperature=temperature)
        above_zero(teacher_temperature=teacher_temperature, start_temperature=start_temperature)
        between_0_and_1(temperature_warmup=temperature_warmup, momentum=momentum, center_momentum=center_momentum)
        if local_views < 0 or frozen_epochs < 0:
            raise UserError(f"local_views and frozen_epochs count from 0, not {min(local_views, frozen_epochs)}.")
        projector = gelu_mlp([width_of(backbone), hidden, hidden, dim], norm=head_norm)
        super().__init__(Branch(backbone, projector), additions)
        self.prototypes = nn.Linear(dim, prototypes, bias=False)
        self.teacher, self.teacher_prototypes = self.twin(self.student), self.twin(self.prototypes)
        self.register_buffer("center", torch.zeros(prototypes))
        self.directions = self.small_guess_large(local_views)
        self.temperature, self.teacher_temperature = temperature, teacher_temperature
        self.start_temperature, self.temperature_warmup = start_temperature, temperature_warmup
        self.momentum, self.center_momentum, self.frozen_epochs = momentum, center_momentum, frozen_epochs
        self.dim = dim
        self.join_additions()

    def teach_at(self, tensors: Sequence[Tensor], wanted: Sequence[int], progress: Progress) -> dict[int, Look]:
        return look_by_size(lambda view: self.teach(view, progress), tensors, wanted)

    def sharpness(self, progress: Progress) -> float:
        """The teacher's temperature at this point of the run."""
        grown = min(progress.fraction / self.temperature_warmup, 1.0) if self.temperature_warmup else 1.0
        return self.start_temperature + grown * (self.teacher_temperature - self.start_temperature)

    def guess(self, rows: Tensor, progress: Progress) -> Tensor:
        """The student's log-probabilities (B, K)."""
        return (cosines(rows, self.prototype_rows(progress)) / self.temperature).log_softmax(1)

    def outputs(self, rows: Tensor) -> Tensor:
        """The teacher's outputs (B, K), as they are before centre and temperature."""
        return cosines(rows, self.teacher_prototypes.weight)  # type: ignore[arg-type]

    def base_loss(self, record: Pass) -> Tensor:
        outputs = {j: self.outputs(look.row) for j, look in record.teacher.items()}
        targets = {j: sharpened(logits, self.center, self.sharpness(record.progress)) for j, logits in outputs.items()}
        unsure = entropy(torch.cat(list(targets.values()))).mean() / math.log(max(len(self.center), 2))
        record.kept["mean_output"] = total(torch.cat(list(outputs.values())).mean(0)) / world()
        record.kept["target_entropy"] = unsure.detach()
        guesses = {i: self.guess(look.row, record.progress) for i, look in record.student.items()}
        return self.combine([cross_entropy(targets[j], guesses[i]).mean() for i, j in record.directions])

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        targets = sharpened(self.outputs(teacher_rows), self.center, self.sharpness(record.progress))
        return cross_entropy(targets, self.guess(student_rows, record.progress))

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """target_entropy: of what the teacher says, as a share of its most; 1 where it says the same of all."""
        return {"target_entropy": record.kept["target_entropy"]}

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        alarms = []
        if row.get("target_entropy", 0.0) > 0.99:
            alarms.append("DINO's teacher says the same of every image: a lower --method.teacher_temperature may help.")
        return alarms + super().alarms(row)

    def finish(self, record: Pass) -> None:
        self.center.lerp_(record.kept["mean_output"].to(self.center.dtype), 1 - self.center_momentum)
        self.move_teacher(teacher_momentum(self.momentum, record.progress.fraction))
