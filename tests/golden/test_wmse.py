"""W-MSE against the official code: whitening with its gradient, and every case of the loss."""

import re

import pytest
import torch
from small import Flat
from torch.testing import assert_close

from twofold.methods.wmse import WMSE
from twofold.objectives.decorrelation import whiten
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}
CASE = r"d(\d+)_bs(\d+)_ws(\d+)_it(\d+)_(norm|mse)_eps([\d.e-]+)_loss"


def test_whitening_and_its_gradient(golden):
    file = golden("images_wmse")
    rows = torch.tensor(file["wh_x"], requires_grad=True)
    white, used = whiten(rows)
    assert_close(white.detach(), torch.as_tensor(file["wh_z"]), **CLOSE)
    assert used == 0
    (gradient,) = torch.autograd.grad((white * torch.as_tensor(file["wh_g"])).sum(), rows)
    assert_close(gradient, torch.as_tensor(file["wh_grad_x"]), **CLOSE)
    assert_close(torch.cov(white.detach().T), torch.eye(rows.shape[1], dtype=rows.dtype), **CLOSE)
    mixed = [key for key in file if key.startswith("wh_z_eps")]
    assert mixed
    for key in mixed:
        white, used = whiten(rows, float(key.removeprefix("wh_z_eps")))
        assert_close(white.detach(), torch.as_tensor(file[key]), **CLOSE)


def cases(file):
    found = [match for key in file if (match := re.fullmatch(CASE, key))]
    assert found
    return found


def test_loss_and_gradient_of_the_whole_method(golden, monkeypatch):
    file = golden("images_wmse")
    for case in cases(file):
        stem = case.group(0).removesuffix("_loss")
        views, _, size, repeats = map(int, case.groups()[:4])
        samples = torch.tensor(file[f"{stem}_samples"], requires_grad=True)
        orders = torch.as_tensor(file[f"{stem}_perms"]).long()
        method = WMSE(
            Flat(width=samples.shape[2]),
            views=views,
            dim=samples.shape[2],
            whiten_size=size,
            repeats=repeats,
            epsilon=float(case.group(6)),
            normalise=case.group(5) == "norm",
        )
        method.student.projector = torch.nn.Identity()
        drawn = iter(orders)
        monkeypatch.setattr(torch, "randperm", lambda *_, drawn=drawn, **__: next(drawn))
        losses = method(Views(list(samples), [], torch.arange(samples.shape[1])), Progress(0, 1))
        losses.total.backward()
        assert_close(losses.total.detach(), torch.as_tensor(file[f"{stem}_loss"]), **CLOSE, check_dtype=False)
        assert_close(samples.grad, torch.as_tensor(file[f"{stem}_grads"]), **CLOSE)
        assert samples.grad.norm().item() == pytest.approx(float(file[f"{stem}_gradnorm"]), abs=1e-8)
