"""Fully sharded data parallelism (Zhao et al., 2023): each process keeps a share of every weight, of its gradient and
of the optimizer's state, cut along the first dimension; a block's weights are whole only while it runs.

A twin has the shapes of its original and is cut alike, so it follows share by share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from twofold.errors import UserError
from twofold.nets.blocks import repeated_blocks
from twofold.runs.checkpoint import Checkpoint, all_finite
from twofold.runs.folder import RunFolder

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.distributed.device_mesh import DeviceMesh

State = dict[Any, Any]  # a state dict, with further ones in it


def strategy(devices: int, backend: str | None) -> Any:
    """Fabric's strategy for so many processes."""
    from lightning_fabric.strategies import ModelParallelStrategy

    return ModelParallelStrategy(
        share_out, data_parallel_size=devices, tensor_parallel_size=1, process_group_backend=backend
    )


def shares_weights(fabric: Fabric) -> bool:
    """Whether each process has a share of the weights alone."""
    from lightning_fabric.strategies import ModelParallelStrategy

    return isinstance(fabric.strategy, ModelParallelStrategy)


def share_out(carrier: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Share out the weights of a network, those of the first process: block by block (`repeated_blocks`), then the rest
    as one. Its `load_state_dict` takes whole tensors all the same."""
    from torch.distributed.fsdp import fully_shard

    scalars = [name for name, weight in carrier.named_parameters() if weight.ndim == 0]
    if scalars:
        raise UserError(f"A weight that is a single number ({scalars[0]}) cannot be shared out: leave --strategy out.")
    own = mesh["data_parallel"]
    for tensor in (*carrier.parameters(), *carrier.buffers()):
        first = tensor.detach().to(own.device_type).contiguous()
        dist.broadcast(first, 0)
        tensor.data.copy_(first)
    for block in repeated_blocks(carrier):
        fully_shard(block, mesh=own)
    fully_shard(carrier, mesh=own)
    for part in carrier.children():
        part.register_load_state_dict_pre_hook(_share_method)
    return carrier


def share(tensor: Any) -> Tensor:
    """What this process holds of a weight."""
    from torch.distributed.tensor import DTensor

    held: Tensor = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return held


def take_whole_states(optimizer: Optimizer) -> None:
    """Let the `load_state_dict` of an optimizer over shares take whole tensors."""
    optimizer.register_load_state_dict_pre_hook(_share_optimizer)


@contextmanager
def in_one_piece(whole: nn.Module, learner: nn.Module, fabric: Fabric) -> Iterator[None]:
    """Within the block, which all processes enter, `whole` is what `learner` has learned; see `gather_into`."""
    gather_into(whole, learner, fabric)
    try:
        yield
    finally:
        if whole is not learner:
            whole.to("cpu")


@torch.no_grad()
def gather_into(whole: nn.Module, learner: nn.Module, fabric: Fabric) -> None:
    """Copy all weights and buffers of a learner in shares into `whole`, which goes to the device in the first process;
    nothing happens where they are the same."""
    from torch.distributed.tensor import DTensor

    if whole is learner:
        return
    taken = whole.state_dict()
    for name, value in learner.state_dict().items():
        taken[name].copy_(value.full_tensor() if isinstance(value, DTensor) else value)
    if fabric.is_global_zero:
        whole.to(fabric.device)


def save(run: RunFolder, checkpoint: Checkpoint, fabric: Fabric) -> bool:
    """Save a checkpoint, unless weights in it are not finite: whether they are. Under FSDP all processes call this, and
    each writes its shares; otherwise the first."""
    alike, own = parted({"method": checkpoint.method, "optimizer": checkpoint.optimizer})
    fine = all_finite({**alike["method"], **own.get("method", {})})
    if own:
        flag = torch.tensor(int(fine), device=fabric.device)
        dist.all_reduce(flag, dist.ReduceOp.MIN)
        fine = bool(flag)
    if not fine:
        return False
    if own:
        checkpoint.method, checkpoint.optimizer = alike["method"], alike["optimizer"]
        checkpoint.shards = fabric.world_size
        run.checkpoints.save_shard(own, checkpoint.step, fabric.global_rank, fabric.world_size)
        fabric.barrier()
    run.save(checkpoint)
    return True


def parted(state: Mapping[Any, Any]) -> tuple[State, State]:
    """(what all processes hold alike, the shares of this one) of a state dict, both of its form."""
    from torch.distributed.tensor import DTensor

    alike: State = {}
    own: State = {}
    for name, value in state.items():
        if isinstance(value, DTensor):
            own[name] = value.to_local().detach()
        elif isinstance(value, Mapping):
            alike[name], inside = parted(value)
            own |= {name: inside} if inside else {}
        else:
            alike[name] = value
    return alike, own


def _share_method(method: nn.Module, state: State, *others: Any) -> None:
    for name, weight in method.named_parameters(remove_duplicate=False):
        if name in state:
            state[name] = _shared_like(weight, state[name])


def _share_optimizer(optimizer: Optimizer, state: State) -> State:
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    kept = {
        number: {
            name: _shared_like(weights[number], value) if isinstance(value, Tensor) and value.ndim else value
            for name, value in parts.items()
        }
        for number, parts in state["state"].items()
    }
    return {**state, "state": kept}


def _shared_like(weight: Any, value: Tensor) -> Tensor:
    """A whole tensor, the same in all processes, shared out as a weight is."""
    from torch.distributed.tensor import distribute_tensor

    value = value.detach().to(weight.device)
    return distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)
