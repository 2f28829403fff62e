"""Whether a network runs on what it is made for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from twofold.errors import UserError, clause
from twofold.memory import WithinMemory


@contextmanager
def trying(network: nn.Module, name: str, one: str, many: str, remedy: str) -> Iterator[None]:
    """In this block `network` is in evaluation mode, without gradients and within memory; a failure is a UserError.

    one, many: its input in words, such as "an image of 32 px" and "images of 32 px". remedy: where memory is short.
    """
    training = network.training
    try:
        with torch.no_grad(), WithinMemory(f"{name} on {one}", remedy):
            network.eval()
            yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The backbone {name} does not run on {many} ({type(error).__name__}: {clause(error)})."
        ) from error
    finally:
        network.train(training)
