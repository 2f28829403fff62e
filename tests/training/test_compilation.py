"""torch.compile: taken where it works, given up with one line where it does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from .small import run_training

PLAIN_COMPILE = nn.Module.compile


def weights(method):
    return list(method.state_dict().values())


def test_a_compiler_that_fails_is_given_up_with_one_line(tmp_path, monkeypatch, capsys):
    plain, _ = run_training(tmp_path / "plain", "byol")

    def broken(self):
        def call(*arguments):
            self.train()
            raise RuntimeError("no C++ compiler\nand many more lines")

        self._compiled_call_impl = call

    monkeypatch.setattr(nn.Module, "compile", broken)
    capsys.readouterr()
    method, _ = run_training(tmp_path / "compiled", "byol", compile=True)
    messages = [line for line in capsys.readouterr().out.splitlines() if "compile" in line]
    assert messages == ["torch.compile does not work here (no C++ compiler); going on without it."]
    assert all(torch.equal(a, b) for a, b in zip(weights(method), weights(plain), strict=True))


def test_compiled_networks_train_to_the_same_weights_under_the_same_names(tmp_path, monkeypatch):
    calls = []

    def traced(self):
        # Traces as torch.compile does, and runs the graph as it is: no C++ compiler is needed.
        PLAIN_COMPILE(self, backend=lambda graph, inputs: calls.append(graph) or graph.forward)

    monkeypatch.setattr(nn.Module, "compile", traced)
    plain, _ = run_training(tmp_path / "plain", "moco", steps=3, epochs=None)
    method, _ = run_training(tmp_path / "compiled", "moco", steps=3, epochs=None, compile=True)
    assert calls
    assert list(method.state_dict()) == list(plain.state_dict())
    for a, b in zip(weights(method), weights(plain), strict=True):
        torch.testing.assert_close(a, b)


def test_a_fault_of_the_work_itself_is_raised(tmp_path):
    def broken(batch, epoch, **asked):
        raise ValueError("a bug")

    from . import small

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="a bug"):
        patch.setattr(small, "two_views", broken)
        run_training(tmp_path, "simclr", compile=True)
