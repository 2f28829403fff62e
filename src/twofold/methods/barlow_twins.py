"""Barlow Twins: Self-Supervised Learning via Redundancy Reduction (Zbontar et al., ICML 2021, 2103.03230)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from twofold.errors import above_zero, repeated
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.objectives.decorrelation import apart_from_identity, cross_correlation
from twofold.processes import gather


class BarlowTwins(JointEmbedding):
    """The cross-correlation of both views over the global batch is to be the identity; no negatives, nothing stopped.

    Args:
        redundancy: Weight lambda of the entries off the diagonal.
        dim: Width of the projection (ImageNet 8192, small images 2048).
        hidden: Width inside the projector; dim where None.
        layers: Linear layers of the projector.
        scale: Factor of the whole loss; under LARS it changes the pace of biases and norms alone (the authors' 0.0048
            against 0.2 is 0.024).
    """

    directions = ((0, 1),)

    def __init__(
        self,
        backbone: nn.Module,
        *,
        redundancy: float = 5e-3,
        dim: int = 8192,
        hidden: int | None = None,
        layers: int = 3,
        scale: float = 1.0,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(layers=layers)
        above_zero(redundancy=redundancy, dim=dim, hidden=hidden or dim, layers=layers, scale=scale)
        widths = [width_of(backbone), *[hidden or dim] * (layers - 1), dim]
        super().__init__(Branch(backbone, mlp(widths, bias=False)), additions)
        self.redundancy, self.scale = redundancy, scale
        self.dim = dim
        self.join_additions()

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        """The loss of the global batch, one number, given to every row."""
        correlation = cross_correlation(gather(student_rows), gather(teacher_rows))
        own, others = apart_from_identity(correlation)
        record.kept |= {"invariance": own.detach() / self.dim, "redundancy": others.detach() / self.dim}
        return (self.scale * (own + self.redundancy * others)).expand(len(student_rows))

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """Both sums over the number of dimensions: (1 - C_ii)^2, 0 to 4, and C_ij^2 off the diagonal, to D - 1."""
        return {name: record.kept[name] for name in ("invariance", "redundancy")}
