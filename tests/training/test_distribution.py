"""Devices, precision, and the method made ready for them."""

from __future__ import annotations

import os

import pytest
import torch
from lightning_fabric.strategies import DDPStrategy
from lightning_fabric.strategies.launchers import _SubprocessScriptLauncher
from torch import nn

from twofold.errors import UserError
from twofold.launcher import first_process
from twofold.nets.batch_norm import GlobalBatchNorm
from twofold.training import distribution
from twofold.training.distribution import Carrier, choose_precision, make_fabric, make_ready, steps_alike, together

from .small import make_method

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
        ({"SLURM_PROCID": "1", "LOCAL_RANK": "0"}, False),
        ({"LOCAL_RANK": "1"}, False),
        ({"NODE_RANK": "1"}, False),
    ],
)
def test_the_first_process_is_known_from_its_surroundings(monkeypatch, names, first):
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert first_process() is first


def test_one_cpu_process_by_default():
    fabric = make_fabric(accelerator="cpu")
    assert (fabric.world_size, fabric.device) == (1, CPU)


def test_devices_that_are_not_there_are_refused(monkeypatch):
    with pytest.raises(UserError, match="0 devices"):
        make_fabric(0, accelerator="cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match="3 devices are wanted, but 2"):
        make_fabric(3, accelerator="cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match="no GPU"):
        make_fabric(1, accelerator="cuda")


def test_several_cpu_processes_are_joined_by_gloo_without_sharing_buffers(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    strategy = make_fabric(2, accelerator="cpu").strategy
    assert isinstance(strategy, DDPStrategy)
    assert strategy.process_group_backend == "gloo"
    assert strategy._ddp_kwargs["broadcast_buffers"] is False
    assert os.environ["LOCAL_WORLD_SIZE"] == "2"


def test_precision_asked_for_is_taken_and_auto_follows_the_hardware(monkeypatch):
    assert [choose_precision(p, CPU) for p in ("bf16", "fp32")] == ["bf16", "fp32"]
    for has, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(distribution, "_cpu_has_bf16", lambda has=has: has)
        assert choose_precision("auto", CPU) == precision


def test_cpus_without_the_question_are_taken_as_without_bf16(monkeypatch):
    monkeypatch.setattr(distribution.torch, "ops", object())
    assert distribution._cpu_has_bf16() is False


def test_weights_are_channels_last_and_one_process_keeps_its_batch_norm():
    method = make_method("byol")
    parameters = list(method.parameters())
    make_ready(method, make_fabric(1, accelerator="cpu"), 8, 1)
    assert [id(p) for p in method.parameters()] == [id(p) for p in parameters]
    convolutions = [p for p in parameters if p.ndim == 4]
    assert convolutions and all(p.is_contiguous(memory_format=torch.channels_last) for p in convolutions)
    assert not any(isinstance(m, GlobalBatchNorm) for m in method.modules())


@pytest.mark.parametrize(
    "name, alike", [("moco+co2+unmix", True), ("byol+scrl", True), ("moco+tkc", False), ("dino", False), ("dsc", False)]
)
def test_parameters_are_looked_for_only_where_a_part_leaves_some_out(monkeypatch, name, alike):
    assert not steps_alike(make_method(name)), "whose network is nobody's that is known"
    monkeypatch.setattr(distribution, "KNOWN", (*distribution.KNOWN, "tests"))
    assert steps_alike(make_method(name)) is alike


class TwoDevices:
    world_size, device, strategy = 2, CPU, None


@pytest.mark.parametrize(("name", "joined"), [("simclr", True), ("byol", True), ("moco", False)])
def test_batch_norm_goes_over_all_devices_where_the_method_says_so(name, joined):
    method = make_method(name)
    keys = list(method.state_dict())
    make_ready(method, TwoDevices(), 8, 1)
    assert any(isinstance(m, GlobalBatchNorm) for m in method.modules()) is joined
    assert list(method.state_dict()) == keys


def test_a_batch_that_devices_cannot_share_is_refused():
    with pytest.raises(UserError, match="8 or 10"):
        make_ready(make_method("simclr"), TwoDevices(), 9, 1)


def test_a_carrier_runs_work_and_adds_nothing_to_the_method():
    method = make_method("simclr")
    assert Carrier(method)(lambda: 7) == 7
    assert len(list(Carrier(method).parameters())) == len(list(method.parameters()))


def test_a_failure_ends_the_processes_that_were_launched():
    class Process:
        killed = False

        def kill(self):
            self.killed = True

    other = Process()

    class Launched:
        class strategy:
            launcher = object.__new__(_SubprocessScriptLauncher)

    Launched.strategy.launcher.procs = [other]

    with pytest.raises(UserError), together(Launched):
        raise UserError("no")
    assert other.killed
    assert "RANK" not in os.environ


def test_weights_have_the_strides_of_their_gradients():
    """Else DDP copies each gradient in every step, and says so in every process."""
    method = make_method("simclr")
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 3, groups=4))
    method.backbone = layers
    before = {name: value.clone() for name, value in method.state_dict().items()}
    make_ready(method, make_fabric(1, accelerator="cpu"), 8, 1)
    layers(torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)).sum().backward()
    for name, weight in layers.named_parameters():
        assert weight.grad is not None and weight.grad.stride() == weight.stride(), name
        assert torch.equal(weight, before[f"backbone.{name}"])


def test_an_interactive_session_takes_one_device_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr("sys.ps1", ">>> ", raising=False)
    fabric = make_fabric(2, accelerator="cpu")
    assert fabric.world_size == 1
    assert "one device is used and not 2" in capsys.readouterr().out
