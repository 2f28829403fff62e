"""One step's updates: forward and backward, whole or in parts, compiled or not, and the optimizer's step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from twofold.methods.joint_embedding import JointEmbedding
from twofold.randomness import derive
from twofold.seam import Losses, Method, Progress, Views
from twofold.training.accumulate import accumulate, check_accumulation
from twofold.training.compilation import Compilation
from twofold.training.distribution import join
from twofold.training.optimizer import Several, build_optimizer, set_rate
from twofold.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Updates:
    """Called with views it makes a step's updates: one, or those that the method makes in order."""

    def __init__(self, method: Method, plan: Plan, fabric: Fabric, say: Callable[[str], None]) -> None:
        if plan.accumulate > 1:
            check_accumulation(method)
        self.method, self.plan, self.fabric = method, plan, fabric
        self.carrier = join(method, fabric, plan.accumulate)
        self.optimizer = build_optimizer(method, plan)  # of the weights as they are shared out now
        by_name = self.optimizer.by_name if isinstance(self.optimizer, Several) else {"": self.optimizer}
        self.optimizers: dict[str, Any] = {name: fabric.setup_optimizers(one) for name, one in by_name.items()}
        self.compiled: Callable[[Callable[[], Losses]], Losses] = (
            Compilation(method, say) if plan.compile else lambda work: work()
        )

    def __call__(self, views: Views, progress: Progress, rate: float) -> Losses:
        """Make a step's updates at this learning rate. views: of this process. Returns the losses of all."""
        views.tensors = [_channels_last(tensor) for tensor in views.tensors]
        made = list[Losses]()
        for name, optimizer in self.optimizers.items():
            if (losses := self.gradients(name, views, progress)) is not None:
                set_rate(optimizer.param_groups, rate, self.plan.peak_lr)
                self._apply(optimizer)
                made.append(losses)
        return made[0] if len(made) == 1 else _together(made)

    def gradients(self, name: str, views: Views, progress: Progress) -> Losses | None:
        """The losses of an update, "" where there is but one; its gradients are left in `.grad`. None: not due."""
        if not name:
            work = self._in_parts if self.plan.accumulate > 1 else self._whole
            return self.compiled(lambda: work(views, progress))
        return self._one_of_several(name, views, progress)

    def _apply(self, optimizer: Any) -> None:
        """Shorten the gradient where the plan says so, make the optimizer's step, clear the gradients."""
        if self.plan.clip is not None:
            self._shorten(optimizer, self.plan.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if len(self.optimizers) > 1:
            self.method.zero_grad(set_to_none=True)  # a loss may reach what its update leaves as it is

    def _shorten(self, optimizer: Any, longest: float) -> None:
        # A norm that is not finite shows in the loss of the next step, and there it is reported.
        if self.fabric.device.type != "cpu" or self.fabric.world_size > 1:
            self.fabric.clip_gradients(self.carrier, optimizer, max_norm=longest, error_if_nonfinite=False)
            return
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        if not norm + 1e-6 <= longest:  # otherwise all would be multiplied by 1, a twentieth of a small step
            clip_grads_with_norm_(weights, longest, norm)

    def _whole(self, views: Views, progress: Progress) -> Losses:
        def work() -> tuple[Tensor, Losses]:
            with self._autocast():
                losses: Losses = self.method(views, progress)
            return losses.total, losses  # FSDP looks for the tensors of an output, and not into records

        total, losses = self.carrier(work)
        self.fabric.backward(total)
        return cast(Losses, losses)

    def _one_of_several(self, name: str, views: Views, progress: Progress) -> Losses | None:
        def work() -> Losses | None:
            with self._autocast():
                return self.method.update(name, views, progress)

        losses: Losses | None = self.carrier(work)
        if losses is not None:
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


def _together(made: Sequence[Losses]) -> Losses:
    """The losses of several updates as those of one step."""
    terms = {name: term for losses in made for name, term in losses.terms.items()}
    scalars = {name: value for losses in made for name, value in losses.scalars.items()}
    rows = next((losses.rows for losses in made if losses.rows is not None), None)
    return Losses(terms, rows, scalars, next((losses.each for losses in made if losses.each is not None), None))


def _channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
