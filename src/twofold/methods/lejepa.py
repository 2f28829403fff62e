"""LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics (Balestriero & LeCun, 2511.08544)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, between_0_and_1, repeated
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.multicrop import look_by_size
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.features import features_of, width_of
from twofold.nets.heads import mlp
from twofold.objectives.regression import squared_error
from twofold.objectives.sigreg import knots, sigreg, slices
from twofold.processes import total, world


class LeJEPA(JointEmbedding):
    """Every view agrees with the mean of the large ones, and random slices of each view are to be Gaussian.

    Args:
        sigreg: Share λ of SIGReg in the loss; prediction has the rest. More for batches below 64.
        slices: Random directions M of each step.
        knots: Places T at which characteristic functions are compared, from 0 to reach.
        reach: The last of these places.
        global_views: Number of large views, whose mean is the centre.
        local_views: Number of small crops, for a recipe that has them.
        hidden: Width inside the projector.
        dim: Width of the projection.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        sigreg: float = 0.05,
        slices: int = 1024,
        knots: int = 17,
        reach: float = 3.0,
        global_views: int = 2,
        local_views: int = 6,
        hidden: int = 2048,
        dim: int = 128,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(global_views=global_views, local_views=local_views, knots=knots)
        above_zero(slices=slices, reach=reach, hidden=hidden, dim=dim)
        between_0_and_1(sigreg=sigreg)
        if knots < 2 or global_views < 1 or local_views < 0 or global_views + local_views < 2:
            raise UserError(
                f"LeJEPA takes 2 knots, 1 large view and 2 views in all at least, not {knots} knots, {global_views} "
                f"large views and {local_views} small ones."
            )
        super().__init__(Branch(backbone, mlp([width_of(backbone), hidden, hidden, dim])), additions)
        self.directions = tuple((i, j) for j in range(global_views) for i in range(j + 1, global_views + local_views))
        self.sigreg, self.slices, self.knots, self.reach = sigreg, slices, knots, reach
        self.global_views, self.dim = global_views, dim
        self.join_additions()

    def look_at(self, shown: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
        """The backbone sees views of one size together, the projector all of them."""
        seen = look_by_size(self._unprojected, shown, wanted)
        projections = self.student.projector(torch.cat([look.feature for look in seen.values()]))
        each = zip(seen.items(), projections.chunk(len(seen)), strict=True)
        return {i: replace(look, projection=rows) for (i, look), rows in each}

    def base_loss(self, record: Pass) -> Tensor:
        if len({record.shown[i].shape for i in range(self.global_views)}) > 1:
            raise UserError(
                f"LeJEPA's {self.global_views} large views are not of one size: a recipe with small crops has 2 large "
                f"views; set --method.local_views 0, or leave --method.global_views at 2."
            )
        rows = torch.stack([record.student[i].row for i in range(self.compared_views)])
        apart = (rows - rows[: self.global_views].mean(0)).square().mean()
        gaussian = self.tested(record, rows)
        record.kept |= {"prediction": apart.detach(), "sigreg": gaussian.detach()}
        record.kept["deviation"] = rows.detach().std(1).mean()
        return self.weighed(apart, gaussian, rows.shape[1])

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        """The loss of two large views: each row's own distance from both their centres, and with every row SIGReg."""
        apart = squared_error(student_rows, teacher_rows) / 4
        return self.weighed(apart, self.tested(record, torch.stack([student_rows, teacher_rows])), len(apart))

    def weighed(self, apart: Tensor, gaussian: Tensor, rows: int) -> Tensor:
        """(1 - λ) P + λ R; P is of this process's rows, which may be more or fewer than another's."""
        share = rows * world() / total(apart.new_tensor(float(rows)))
        return (1 - self.sigreg) * share * apart + self.sigreg * gaussian

    def tested(self, record: Pass, rows: Tensor) -> Tensor:
        """SIGReg of rows (V, B, D), by the slices of this step, which are the same in every process."""
        if "slices" not in record.kept:
            record.kept["slices"] = slices(self.dim, self.slices, record.progress.generator("slices"))
        return sigreg(rows, record.kept["slices"], knots(self.reach, self.knots))

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """prediction and sigreg without their weights; deviation: of the projection, 1 where it is as it should be."""
        return {name: record.kept[name] for name in ("prediction", "sigreg", "deviation")}

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        alarms = []
        if row.get("step", 0) >= 100 and not 0.7 <= row.get("deviation", 1.0) <= 3.0:
            alarms.append(
                "LeJEPA's projections should deviate by about 1 in each dimension (see deviation), but do so by less "
                "than 0.7 or more than 3: more --method.sigreg or larger batches help where it is less, a lower rate "
                "where it is more."
            )
        return alarms + super().alarms(row)

    def collapse_causes(self) -> list[str]:
        """SIGReg alone keeps rows apart here."""
        return [f"the share of SIGReg ({self.sigreg:g}) is too low for this batch", *super().collapse_causes()[1:]]

    def _unprojected(self, view: Tensor) -> Look:
        features = features_of(self.backbone(view))
        return Look(features.map, features.pooled, features.pooled)
