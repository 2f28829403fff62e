"""Devices: Lightning Fabric as the engine, precision, and the method made ready for it."""

from __future__ import annotations

import logging
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import nn

from twofold.errors import UserError
from twofold.launcher import mistake_noted, note_mistake
from twofold.nets.batch_norm import synchronise
from twofold.printable import say
from twofold.resources import require
from twofold.seam import Method, Part
from twofold.training import fsdp
from twofold.training.sampler import check_even_parts

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")

KNOWN = ("twofold", "torch", "torchvision", "timm")


def make_fabric(
    devices: int | Literal["auto"] = "auto",
    *,
    num_nodes: int = 1,
    accelerator: str = "auto",
    strategy: Literal["ddp", "fsdp"] = "ddp",
) -> Fabric:
    """The engine: one process a device, joined where there are several. Call `.launch()` before training.

    devices: of each node; "auto" is every GPU, or one process on a CPU. strategy: of several; see `training.fsdp`.
    torchrun and SLURM are recognised; otherwise the command starts its own processes. Raises UserError for devices that
    are not there, or for one where weights are to be shared out.
    """
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    present = torch.cuda.device_count() if accelerator == "cuda" else None
    if accelerator == "cuda" and not present:
        raise UserError("There is no GPU that torch can use here: leave --accelerator out, or give cpu.")
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if "RANK" in os.environ else 1
    count = (present or local) if devices == "auto" else devices
    if count > 1 and "RANK" not in os.environ and "ps1" in vars(sys):
        say(
            f"An interactive session cannot start further processes: one device is used and not {count}. "
            f"A script, or the command line, takes them all."
        )
        count = 1
    if count < 1 or (present is not None and count > present):
        raise UserError(f"{count} devices are wanted, but {present or 'at least 1'} can be used here.")
    chosen: Any = "auto"
    if count * num_nodes > 1:
        # So that the code that divides the cores knows, in the children too.
        os.environ["LOCAL_WORLD_SIZE"] = str(count)
        backend = None if accelerator == "cuda" else "gloo"
        chosen = fsdp.strategy(count * num_nodes, backend) if strategy == "fsdp" else _data_parallel(backend)
    elif strategy == "fsdp":
        raise UserError("--strategy fsdp shares weights out among devices, and here is one: leave it out.")
    try:
        return Fabric(accelerator=accelerator, devices=count, num_nodes=num_nodes, strategy=chosen)
    except (ValueError, TypeError, RuntimeError) as error:  # what it finds wrong with SLURM's or the user's settings
        raise UserError(f"These devices cannot be used ({' '.join(str(error).split()).rstrip('.')}).") from error


def _data_parallel(backend: str | None) -> Any:
    from lightning_fabric.strategies import DDPStrategy
    from torch.nn.parallel import DistributedDataParallel

    class DataParallel(DDPStrategy):
        def setup_module(self, module: nn.Module) -> DistributedDataParallel:
            # With a static graph the first step tells which parameters there are gradients for.
            searched = not isinstance(module, Carrier) or module.searched
            self._ddp_kwargs |= {"find_unused_parameters": searched, "static_graph": not searched}
            return super().setup_module(module)

    return DataParallel(
        broadcast_buffers=False,  # each process keeps batch statistics of its own
        gradient_as_bucket_view=True,
        process_group_backend=backend,
    )


def choose_precision(asked: Literal["auto", "bf16", "fp32"], device: torch.device) -> Literal["bf16", "fp32"]:
    """bf16 where "auto" and the device has arithmetic for it: GPUs from Ampere on, CPUs with avx512_bf16 or AMX."""
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if device.type == "cpu" and _cpu_has_bf16() else "fp32"


def _cpu_has_bf16() -> bool:
    try:
        possible = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        if platform.machine() not in ("x86_64", "AMD64"):
            return possible
        # On x86 "possible" includes processors that only imitate it, slower than float32.
        return possible and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    except (AttributeError, RuntimeError):
        return False


class Carrier(nn.Module):
    """What data parallelism wraps: a forward pass that runs any piece of work on the method's networks.

    So the method keeps its own signature, and a pass over a part of a batch goes through the same door as a whole step.
    searched: whether DDP is to look in each step for the parameters that it leaves out.
    """

    def __init__(self, method: nn.Module, searched: bool = False) -> None:
        super().__init__()
        self.method, self.searched = method, searched
        if searched:
            # DDP warns at every step where it finds none: here is one.
            self.left_out = nn.Parameter(torch.zeros(1))

    def forward(self, work: Callable[[], T]) -> T:
        return work()


def make_ready(method: Method, fabric: Fabric, batch_size: int, accumulate: int) -> None:
    """Move a method to the device, weights as channels_last, batch norm global where it asks for that and can be.

    Where weights are shared out, which moves them and keeps them as rows, it stays where it is.
    """
    check_even_parts(batch_size, fabric.world_size, accumulate)
    shared = fsdp.shares_weights(fabric)
    if fabric.device.type == "cuda":
        size = sum(value.nbytes for value in method.state_dict().values()) // (fabric.world_size if shared else 1)
        require(size, "The method", "take a smaller network, or smaller settings of the method", fabric.device)
    if fabric.world_size > 1 and method.batch_norm == "global":
        synchronise(method, fabric.device)
    if not shared:
        method.to(fabric.device)
    for parameter in () if shared else method.parameters():
        if parameter.ndim == 4:
            # Not `contiguous`: a 1x1 kernel is contiguous in either order, and keeps strides that its gradient lacks.
            ordered = torch.empty_like(parameter.data, memory_format=torch.channels_last)
            parameter.data = ordered.copy_(parameter.data)
    if fabric.device.type == "cuda":
        torch.backends.cudnn.benchmark = True


def steps_alike(method: nn.Module) -> bool:
    """Whether every step gives a gradient to the same parameters: as its parts say, where all of it is ours or of a
    library that is known; networks and methods of somebody's own may do as they like."""
    parts = list(method.modules())
    known = all(type(part).__module__.partition(".")[0] in KNOWN for part in parts)
    return known and not any(part.leaves_out for part in parts if isinstance(part, Part))


def join(method: nn.Module, fabric: Fabric, accumulate: int = 1) -> Any:
    """The method behind the door of data parallelism (call it with a piece of work); before it has an optimizer.

    accumulate: in how many parts a batch comes; where there are several, DDP cannot take one step for the next.
    """
    several = fabric.world_size > 1 and not fsdp.shares_weights(fabric)
    searched = several and (accumulate > 1 or not steps_alike(method))
    with warnings.catch_warnings():
        # broadcast_buffers has a new name in the newest torch alone.
        warnings.filterwarnings("ignore", message=".*broadcast_buffers")
        return fabric.setup_module(Carrier(method, searched))


@contextmanager
def together(fabric: Fabric) -> Iterator[None]:
    """Where this process fails, end those that it launched: they would wait for it forever.

    Where another process has met a mistake of the user's, which it says itself, this one ends quietly (SystemExit).
    """
    try:
        yield
    except UserError:
        note_mistake()
        _stop_others(fabric)
        raise
    except Exception as error:
        if isinstance(error, RuntimeError) and fabric.world_size > 1 and mistake_noted():
            raise SystemExit(2) from error
        _stop_others(fabric)
        raise


def _stop_others(fabric: Fabric) -> None:
    from lightning_fabric.strategies.launchers import _SubprocessScriptLauncher

    launcher = fabric.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        for process in launcher.procs:
            process.kill()
