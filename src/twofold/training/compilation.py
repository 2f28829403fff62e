"""torch.compile as an option that gives way with one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from twofold.seam import Method

T = TypeVar("T")


class Compilation:
    """Compiles a method's networks in place; names in the state dict stay. The first step shows whether it holds."""

    def __init__(self, method: Method, say: Callable[[str], None]) -> None:
        self.say = say
        self.method = method
        self.networks = method.compiled_networks()
        for network in self.networks:
            network.compile()
        self.proven = False

    def __call__(self, work: Callable[[], T]) -> T:
        """Do the work compiled; where that fails on the first step, plainly, from the same state."""
        if self.proven or not self.networks:
            return work()
        before: list[tuple[Tensor, Tensor]] = [(b, b.detach().clone()) for b in self.method.buffers()]
        try:
            done = work()
        except Exception as error:  # whatever a compiler raises; a fault of the work itself raises again below
            for network in self.networks:
                network._compiled_call_impl = None
            for buffer, value in before:
                buffer.copy_(value)
            for parameter in self.method.parameters():
                parameter.grad = None
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            done = work()
            self.say(f"torch.compile does not work here ({reason[:160]}); going on without it.")
        self.proven = True
        return done
