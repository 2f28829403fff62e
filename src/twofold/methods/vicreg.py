"""VICReg: Variance-Invariance-Covariance Regularization (Bardes et al., ICLR 2022, 2105.04906)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from twofold.errors import above_zero, repeated
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.objectives.decorrelation import missing_deviation, shared_covariance
from twofold.objectives.regression import squared_error
from twofold.processes import gather


class VICReg(JointEmbedding):
    """Both views of an image agree, every dimension keeps its spread, and no two say the same; nothing is stopped.

    Args:
        invariance: Weight of the mean squared difference of both views.
        variance: Weight of the deviations that are missing, the mean of both views (the authors' code; the paper has
            their sum).
        covariance: Weight of the covariances, the sum of both views.
        deviation: Deviation that each dimension must reach over the global batch.
        epsilon: Number added to each variance before its root is taken.
        dim: Width of the projection (ImageNet 8192, small images 2048).
        hidden: Width inside the projector; dim where None.
        layers: Linear layers of the projector.
    """

    directions = ((0, 1),)

    def __init__(
        self,
        backbone: nn.Module,
        *,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        deviation: float = 1.0,
        epsilon: float = 1e-4,
        dim: int = 8192,
        hidden: int | None = None,
        layers: int = 3,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(layers=layers)
        above_zero(invariance=invariance, variance=variance, covariance=covariance, deviation=deviation)
        above_zero(epsilon=epsilon, dim=dim, hidden=hidden or dim, layers=layers)
        widths = [width_of(backbone), *[hidden or dim] * (layers - 1), dim]
        super().__init__(Branch(backbone, mlp(widths, last_bias=False)), additions)
        self.invariance, self.variance, self.covariance = invariance, variance, covariance
        self.deviation, self.epsilon = deviation, epsilon
        self.dim = dim
        self.join_additions()

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        """Each row's own difference, and with every row the variance and covariance of the global batch."""
        apart = squared_error(student_rows, teacher_rows)
        both = [gather(student_rows), gather(teacher_rows)]
        missing = torch.stack([missing_deviation(rows, self.deviation, self.epsilon) for rows in both]).mean()
        shared = torch.stack([shared_covariance(rows) for rows in both]).sum()
        parts = {"invariance": apart.mean(), "variance": missing, "covariance": shared}
        record.kept |= {name: value.detach() for name, value in parts.items()}
        return self.invariance * apart + self.variance * missing + self.covariance * shared

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """The three parts without their weights."""
        return {name: record.kept[name] for name in ("invariance", "variance", "covariance")}
