"""One step's gradients: forward and backward, whole or in parts, compiled or not; and the optimizer's step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.optim import Optimizer

from twofold.methods.joint_embedding import JointEmbedding
from twofold.randomness import derive
from twofold.seam import Losses, Method, Progress, Views
from twofold.training.accumulate import accumulate, check_accumulation
from twofold.training.compilation import Compilation
from twofold.training.distribution import join
from twofold.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Gradients:
    """Called with views it leaves gradients in the method's parameters; `apply` makes the optimizer's step of them."""

    def __init__(
        self, method: Method, optimizer: Optimizer, plan: Plan, fabric: Fabric, say: Callable[[str], None]
    ) -> None:
        if plan.accumulate > 1:
            check_accumulation(method)
        self.method, self.plan, self.fabric = method, plan, fabric
        self.carrier, self.optimizer = join(method, optimizer, fabric)
        self.compiled: Callable[[Callable[[], Losses]], Losses] = (
            Compilation(method, say) if plan.compile else lambda work: work()
        )

    def __call__(self, views: Views, progress: Progress) -> Losses:
        """The losses of a step, its gradients being left in `.grad`. views: of this process."""
        views.tensors = [_channels_last(tensor) for tensor in views.tensors]
        if self.plan.accumulate > 1:
            return self.compiled(lambda: self._in_parts(views, progress))
        return self.compiled(lambda: self._whole(views, progress))

    def apply(self) -> None:
        """Shorten the gradient where the plan says so, make the optimizer's step, clear the gradients."""
        if self.plan.clip is not None:
            # A norm that is not finite shows in the loss of the next step, and there it is reported.
            self.fabric.clip_gradients(self.carrier, self.optimizer, max_norm=self.plan.clip, error_if_nonfinite=False)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _whole(self, views: Views, progress: Progress) -> Losses:
        def work() -> Losses:
            with self._autocast():
                return self.method(views, progress)

        losses: Losses = self.carrier(work)
        self.fabric.backward(losses.total)
        return losses

    def _in_parts(self, views: Views, progress: Progress) -> Losses:
        seed, rank = self.plan.seed, self.fabric.global_rank
        return accumulate(
            cast(JointEmbedding, self.method),
            views,
            progress,
            self.plan.accumulate,
            run=self.carrier,
            no_sync=self._no_sync,
            autocast=self._autocast,
            reseed=lambda part: reseed(self.fabric.device, seed, "step", progress.step, rank, part),
        )

    def _no_sync(self, enabled: bool) -> AbstractContextManager[Any]:
        if self.fabric.world_size == 1:
            return nullcontext()
        return self.fabric.no_backward_sync(self.carrier, enabled=enabled)

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.fabric.device.type, torch.bfloat16, enabled=self.plan.precision == "bf16")


def reseed(device: torch.device, seed: int, *keys: int | str) -> None:
    """Set torch's own generators, of the CPU and of the device, from (seed, keys).

    As torch.manual_seed, which takes half a millisecond where there is no GPU.
    """
    torch.default_generator.manual_seed(derive(seed, *keys))
    if device.type == "cuda":
        torch.cuda.manual_seed(derive(seed, *keys))


def _channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
