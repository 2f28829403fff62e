"""LeJEPA against the official code: the test of columns, of slices and of views, the loss, the projector, two ranks."""

import pytest
import torch
from small import Flat, fill, tensors
from torch.testing import assert_close

from twofold.methods import lejepa
from twofold.methods.lejepa import LeJEPA
from twofold.objectives import sigreg as objective
from twofold.objectives.sigreg import epps_pulley, knots, sigreg
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}


def unit(columns):
    return columns / columns.norm(dim=0)


def leaf(array):
    return torch.tensor(array, requires_grad=True)


def of(file, prefix):
    at = {name: torch.as_tensor(file[f"{prefix}{name}"]) for name in ("t", "phi", "weights")}
    found = knots(at["t"][-1].item(), len(at["t"]))
    for mine, theirs in zip(found, at.values(), strict=True):
        assert_close(mine, theirs, **CLOSE)
    return found


def learned(file, at, slices, views, local, monkeypatch, projector=None):
    """The method over views (V, N, F) with these slices and knots; the last `local` of the views are small."""
    method = LeJEPA(
        Flat(width=views.shape[-1]),
        sigreg=float(file["lambda"]),
        knots=len(at.t),
        reach=at.t[-1].item(),
        global_views=len(views) - local,
        local_views=local,
        dim=len(slices),
        hidden=2 if projector is None else len(projector["0.weight"]),
    )
    method.student.projector = torch.nn.Identity() if projector is None else method.student.projector
    monkeypatch.setattr(lejepa, "slices", lambda *_: slices)
    return method


def losses_of(method, views):
    losses = method(Views(list(views), [], torch.arange(views.shape[1])), Progress(0, 1))
    losses.total.backward()
    return losses


def test_the_test_of_each_column(golden):
    file = golden("images_lejepa")
    tags = [name.removesuffix("t") for name in file if name.startswith("ep_t") and name.endswith("_t")]
    assert tags
    for tag in tags:
        x = leaf(file["ep_x"])
        values = epps_pulley(x, of(file, tag))
        values.sum().backward()
        assert_close(values.detach(), torch.as_tensor(file[f"{tag}stat"]), **CLOSE)
        assert_close(x.grad, torch.as_tensor(file[f"{tag}grad"]), **CLOSE)


@pytest.mark.parametrize("call", ["call0", "call1"])
@pytest.mark.parametrize("views", ["one", "views"])
def test_the_test_of_slices(golden, views, call):
    file = golden("images_lejepa")
    slices = unit(torch.as_tensor(file[f"sig_{call}_A_raw"]))
    assert_close(slices, torch.as_tensor(file[f"sig_{call}_A"]), **CLOSE)
    z = leaf(file["sig_z"] if views == "views" else file["sig_z"][:1])
    at = knots(float(file["sig_t_max"]), int(file["sig_n_points"]))
    each = epps_pulley(z @ slices, at)
    assert_close(each.detach().squeeze(0), torch.as_tensor(file[f"sig_{views}_{call}_none"]), **CLOSE)
    assert_close(each.detach().sum(), torch.as_tensor(file[f"sig_{views}_{call}_sum"]), **CLOSE)
    value = sigreg(z, slices, at)
    value.backward()
    assert_close(value.detach(), torch.as_tensor(file[f"sig_{views}_{call}_mean"]), **CLOSE)
    assert_close(z.grad.squeeze(0), torch.as_tensor(file[f"sig_{views}_{call}_grad"]), **CLOSE)


def test_the_loss_of_views_of_one_size(golden, monkeypatch):
    file = golden("images_lejepa")
    z = leaf(file["min_z"])
    method = learned(file, of(file, "min_"), torch.as_tensor(file["min_A"]), z, 0, monkeypatch)
    losses = losses_of(method, z)
    assert_close(losses.scalars["prediction"], torch.as_tensor(file["min_inv"]), **CLOSE)
    assert_close(losses.scalars["sigreg"], torch.as_tensor(file["min_sigreg"]), **CLOSE)
    assert_close(losses.total.detach(), torch.as_tensor(file["min_loss"]), **CLOSE)
    assert_close(z.grad, torch.as_tensor(file["min_grad"]), **CLOSE)


def test_the_loss_through_the_projector(golden, monkeypatch):
    file = golden("images_lejepa")
    names = {"0": "0", "1": "1", "4": "3", "5": "4", "8": "6"}  # of torchvision's MLP, whose dropouts are empty here
    before = {
        ".".join([names[layer], name]): value
        for key, value in tensors(file, "net_before.").items()
        for layer, name in [key.split(".")]
    }
    emb = leaf(file["net_emb"])
    views = emb.transpose(0, 1)  # image-major in the file
    method = learned(file, of(file, "min_"), torch.as_tensor(file["net_A"]), views, 0, monkeypatch, before)
    fill(method.student.projector, before, eps=float(file["net_bn_eps"]), momentum=float(file["net_bn_momentum"]))
    record = method.observe(Views(list(views), [], torch.arange(len(emb))), Progress(0, 1))
    rows = torch.stack([record.student[i].projection for i in range(len(views))])
    assert_close(rows.detach(), torch.as_tensor(file["net_proj"]), **CLOSE)
    losses = method.judge(record)
    losses.total.backward()
    assert_close(losses.scalars["prediction"], torch.as_tensor(file["net_inv"]), **CLOSE)
    assert_close(losses.scalars["sigreg"], torch.as_tensor(file["net_sigreg"]), **CLOSE)
    assert_close(losses.total.detach(), torch.as_tensor(file["net_loss"]), **CLOSE)
    assert_close(emb.grad, torch.as_tensor(file["net_grad_emb"]), **CLOSE)
    for key, value in tensors(file, "net_grad.").items():
        layer, name = key.split(".")
        assert_close(method.student.projector.get_parameter(f"{names[layer]}.{name}").grad, value, **CLOSE)
    for key, value in tensors(file, "net_after.").items():
        layer, name = key.split(".")
        assert_close(method.student.projector.get_buffer(f"{names[layer]}.{name}"), value, **CLOSE)


def test_the_loss_of_large_and_small_views(golden, monkeypatch):
    file = golden("images_lejepa")
    tags = [name.removesuffix("_A") for name in file if name.startswith("gl_") and name.endswith("_A")]
    assert tags
    for tag in tags:
        large, small = leaf(file["gl_global"]), leaf(file["gl_local"])
        views = torch.cat([large, small])
        at = knots(float(file[f"{tag}_t_max"]), int(file[f"{tag}_n_points"]))
        method = learned(file, at, torch.as_tensor(file[f"{tag}_A"]), views, len(small), monkeypatch)
        losses = losses_of(method, views)
        assert_close(losses.scalars["prediction"], torch.as_tensor(file[f"{tag}_inv"]), **CLOSE)
        assert_close(losses.scalars["sigreg"], torch.as_tensor(file[f"{tag}_sigreg"]), **CLOSE)
        assert_close(losses.total.detach(), torch.as_tensor(file[f"{tag}_loss"]), **CLOSE)
        assert_close(large.grad, torch.as_tensor(file[f"{tag}_grad_global"]), **CLOSE)
        assert_close(small.grad, torch.as_tensor(file[f"{tag}_grad_local"]), **CLOSE)


def test_another_composition_of_the_same_parts(golden):
    """All views as one sample, and the sum of both parts: a check of the parts, not what we compute."""
    file = golden("images_lejepa")
    z = leaf(torch.cat([torch.as_tensor(file["gl_global"]), torch.as_tensor(file["gl_local"])]).numpy())
    apart = (z - z[: int(file["pooled_n_global"])].mean(0)).square().mean()
    gaussian = sigreg(z.flatten(0, 1)[None], unit(torch.as_tensor(file["pooled_A_raw"])), knots())
    assert_close(apart.detach(), torch.as_tensor(file["pooled_inv"]), **CLOSE)
    assert_close(gaussian.detach(), torch.as_tensor(file["pooled_sigreg"]), **CLOSE)
    total = apart + float(file["lambda"]) * gaussian
    total.backward()
    assert_close(total.detach(), torch.as_tensor(file["pooled_loss"]), **CLOSE)
    assert_close(z.grad, torch.as_tensor(file["pooled_grad"]), **CLOSE)


@pytest.mark.parametrize("whose", ["official", "lightly"])
def test_two_ranks_hold_the_test_of_all_rows(golden, whose, monkeypatch):
    """Each rank's gradient is twice its share. The ranks take turns here; two real ones: tests/training."""
    file = golden("images_lejepa")
    every, slices = torch.as_tensor(file["ddp_z"]), torch.as_tensor(file["ddp_A"])
    halves = every.chunk(2, dim=1)
    for rank, own in enumerate(halves):
        z = own.clone().requires_grad_()
        other = halves[1 - rank]

        def total(value, other=other):
            if value.ndim == 0:
                return value + other.shape[1]
            rest = objective._Sums.apply(other @ slices, 3 / 16, 17)
            return 2 * value - value.detach() + rest  # what W equal losses send back, summed

        monkeypatch.setattr(objective, "total", total)
        value = sigreg(z, slices, knots())
        value.backward()
        assert_close(value.detach(), torch.as_tensor(file[f"ddp_{whose}_rank{rank}_stat"]), **CLOSE)
        assert_close(z.grad, torch.as_tensor(file[f"ddp_{whose}_rank{rank}_grad"]), **CLOSE)
