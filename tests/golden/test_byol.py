"""BYOL against the official code: loss, momentum schedule, and one step of the whole network (third-party code)."""

import pytest
import torch
from small import Flat, fill, tensors
from torch.testing import assert_close

from twofold.methods.byol import BYOL, teacher_momentum
from twofold.objectives.regression import normalised_squared_error
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}


def test_loss_on_features(golden):
    file = golden("images_byol")
    tags = [key[: -len("_p1")] for key in file if key.endswith("_p1") and "grad" not in key]
    assert tags
    for tag in tags:
        p1, p2 = (torch.tensor(file[f"{tag}_p{i}"], requires_grad=True) for i in (1, 2))
        z1, z2 = (torch.as_tensor(file[f"{tag}_z{i}"]) for i in (1, 2))
        rows = normalised_squared_error(p1, z2)
        loss = rows.mean() + normalised_squared_error(p2, z1).mean()
        loss.backward()
        assert_close(rows.detach(), torch.as_tensor(file[f"{tag}_per_sample_12"]), **CLOSE)
        assert_close(loss.detach(), torch.as_tensor(file[f"{tag}_loss"]), **CLOSE)
        assert_close(p1.grad, torch.as_tensor(file[f"{tag}_grad_p1"]), **CLOSE)
        assert_close(p2.grad, torch.as_tensor(file[f"{tag}_grad_p2"]), **CLOSE)


def test_momentum_schedule(golden):
    file = golden("images_byol")
    total = int(file["ema_max_steps"])
    keys = [key for key in file if key.startswith("ema_tau_base")]
    assert keys
    for key in keys:
        start = float(key[len("ema_tau_base") :])
        ours = [teacher_momentum(start, Progress(int(step), total).fraction) for step in file["ema_steps"]]
        assert ours == pytest.approx(list(file[key]), abs=1e-8)


def test_one_step_of_the_whole_method(golden):
    file = golden("images_byol")
    before = tensors(file, "full_param_before.")

    def part(name):
        return {k[len(name) + 1 :]: v for k, v in before.items() if k.startswith(name + ".")}

    model, head = part("model"), part("head")
    method = BYOL(
        Flat(model["weight"], model["bias"]),
        hidden=len(head["0.weight"]),
        dim=len(head["3.weight"]),
        momentum=float(file["full_base_tau"]),
        output_bias="3.bias" in head,
    ).double()
    eps = float(file["full_bn_eps"])
    fill(method.student.projector, head, eps=eps)
    fill(method.student.predictor, part("pred"), eps=eps)
    fill(method.teacher.backbone.linear, part("model_t"))
    fill(method.teacher.projector, part("head_t"), eps=eps)
    x1, x2 = torch.as_tensor(file["full_x1"]), torch.as_tensor(file["full_x2"])
    steps = 1000
    now = Progress(step=round(float(file["full_progress"]) * steps), steps=steps)
    losses = method(Views([x1, x2], [], torch.arange(len(x1))), now)
    losses.total.backward()
    assert_close(losses.total.detach(), torch.as_tensor(file["full_loss"]), **CLOSE)
    parts = {
        "model": method.student.backbone.linear,
        "head": method.student.projector,
        "pred": method.student.predictor,
    }
    for name, module in parts.items():
        gradients = tensors(file, f"full_grad.{name}.")
        assert gradients.keys() == dict(module.named_parameters()).keys()
        for key, value in gradients.items():
            assert_close(module.get_parameter(key).grad, value, **CLOSE)
    norm = torch.cat([p.grad.flatten() for p in method.student.parameters()]).norm().item()
    assert norm == pytest.approx(float(file["full_gradnorm"]), abs=1e-8)
    assert all(p.grad is None for p in method.teacher.parameters())

    method.after_step(now)
    (stem,) = {key.rsplit("model_t.", 1)[0] for key in file if "target_after" in key and "model_t." in key}
    for name, module in {"model_t": method.teacher.backbone.linear, "head_t": method.teacher.projector}.items():
        for key, value in tensors(file, f"{stem}{name}.").items():
            assert_close(module.get_parameter(key).detach(), value, **CLOSE)
