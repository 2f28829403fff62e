"""What the backbones of pictures and clips share: trying a network, refusing a file, comparing an export."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from twofold.errors import UserError
from twofold.nets.features import Features
from twofold.pixels.backbones import export as shared
from twofold.pixels.backbones import own
from twofold.pixels.backbones.fitting import trying
from twofold.pixels.backbones.loading import admit, hold, rebuilt
from twofold.pixels.backbones.names import downloading, shown


def test_a_trial_leaves_the_mode_and_takes_no_gradients():
    network = nn.BatchNorm1d(2).train()
    with trying(network, "norm", "a row", "rows", "less"):
        assert not network.training and not network(torch.ones(3, 2)).requires_grad
    assert network.training


def test_a_trial_that_fails_is_a_sentence_and_leaves_the_mode():
    network = nn.Linear(2, 2).train()
    with (
        pytest.raises(UserError, match=r"The backbone lines does not run on rows of 3 \(RuntimeError: "),
        trying(network, "lines", "a row of 3", "rows of 3", "less"),
    ):
        network(torch.zeros(1, 3))
    assert network.training


def test_a_trial_beyond_memory_says_what_to_do():
    network = nn.Identity()
    with pytest.raises(UserError, match="make it smaller"), trying(network, "n", "a row", "rows", "make it smaller"):
        network(torch.zeros(2**45))


@pytest.mark.parametrize(
    ("name", "trust", "says"),
    [
        ("a:b", False, "add --trust"),
        ("a:b", "c:d", "and c:d was named"),
        ("x/y", False, "no library has"),
        ("\x1b[31m", True, r"\\x1b"),
    ],
)
def test_who_may_be_named(name, trust, says):
    with pytest.raises(UserError, match=says):
        admit("f", name, trust=trust, own=":" in name, plain=re.compile(r"[a-z0-9]+"))
    admit("f", "a:b", trust="a:b", own=True, plain=re.compile("x"))
    admit("f", "convnet", trust=False, own=False, plain=re.compile("[a-z]+"))


def test_a_small_file_holds_no_large_network(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"0" * 100)
    devices = []

    def make(side):
        layer = nn.Linear(side, side)
        devices.append(layer.weight.device.type)
        return layer

    hold(file, "n", lambda: make(64))
    with pytest.raises(UserError, match="does not hold the weights of the network it names, n"):
        hold(file, "n", lambda: make(10**6))  # 4 TB, never taken
    assert devices == ["meta", "meta"]
    hold(file, "n", lambda: 1 / 0)  # what a library cannot say is let pass


def test_what_cannot_be_made_again_is_a_sentence():
    with pytest.raises(UserError, match="f is damaged"):
        rebuilt("f", "n", lambda: 1 / 0)


def test_a_failed_download_is_a_sentence_and_other_errors_stay():
    with pytest.raises(UserError, match="could not be downloaded"), downloading("n"):
        raise OSError("no route")
    with pytest.raises(RuntimeError, match="shape"), downloading("n"):
        raise RuntimeError("shape")


def test_names_are_printed_safely():
    assert shown("resnet18") == "resnet18" and shown("\x1b") == "'\\x1b'" and len(shown("a" * 999)) == 100


def test_own_networks_take_what_they_name_and_give_maps_of_their_axes(tmp_path, monkeypatch):
    (tmp_path / "some_nets.py").write_text(
        "import torch\ndef make(frames):\n    return torch.nn.Conv3d(3, frames, 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    built = own.build("some_nets:make", {"clip_size": 8, "frames": 4}, "t, h, w")
    assert built.lines[-1] == "model = make(frames=4)"
    found = built.features(built.network, torch.randn(2, 3, 4, 8, 8))
    assert found.map is not None and found.map.shape == (2, 4, 4, 8, 8)
    torch.testing.assert_close(found.pooled, found.map.mean((2, 3, 4)))


class Doubling(nn.Module):
    network = nn.Identity()

    def forward(self, x):
        return Features(None, 2 * x)


@pytest.mark.parametrize(
    ("made", "difference"),
    [
        (lambda x: {"features": 2 * x}, 0.0),
        (lambda x: {"features": 2.2 * x}, 0.1),
        (lambda x: {"features": x[:, :1]}, float("inf")),  # another shape
        (lambda x: {"map": x}, float("inf")),  # there is none
        (lambda x: {}, float("inf")),  # nothing was computed
        (lambda x: {"features": 2 * x if len(x) == 4 else 3 * x}, 0.5),  # wrong for one alone
    ],
)
def test_the_difference_of_an_export(made, difference):
    assert shared.check(Doubling(), torch.ones(4, 3), made) == pytest.approx(difference, rel=1e-5)


def test_a_difference_that_is_no_number_is_refused():
    with pytest.raises(UserError, match="other features"):
        shared.refuse_other_features(float("nan"), 1.0, "onnx", Path("f"))


def test_the_same_random_inputs_each_time():
    assert torch.equal(shared.random_batch(3, 2, 2), shared.random_batch(3, 2, 2))
    assert shared.random_batch(3, 2, 2).shape == (4, 3, 2, 2)
