"""SimSiam against the official code: loss on features, and one pass of the whole network."""

import pytest
import torch
from small import Flat, fill, tensors
from torch.testing import assert_close

from twofold.methods.simsiam import SimSiam
from twofold.objectives.regression import negative_cosine
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}


def test_loss_on_features(golden):
    file = golden("images_simsiam")
    p1, p2 = (torch.tensor(file[f"feat_p{i}"], requires_grad=True) for i in (1, 2))
    z1, z2 = (torch.as_tensor(file[f"feat_z{i}"]) for i in (1, 2))
    loss = (negative_cosine(p1, z2).mean() + negative_cosine(p2, z1).mean()) / 2
    loss.backward()
    assert_close(loss.detach(), torch.as_tensor(file["feat_loss"]), **CLOSE)
    assert_close(p1.grad, torch.as_tensor(file["feat_grad_p1"]), **CLOSE)
    assert_close(p2.grad, torch.as_tensor(file["feat_grad_p2"]), **CLOSE)


def test_one_pass_of_the_whole_method(golden):
    file = golden("images_simsiam")
    encoder, projector = tensors(file, "param.encoder.lin."), tensors(file, "param.encoder.fc.")
    predictor = tensors(file, "param.predictor.")
    linears = [name for name, value in projector.items() if value.dim() == 2]
    method = SimSiam(
        Flat(encoder["weight"], encoder["bias"], relu=True),
        dim=len(projector[linears[-1]]),
        hidden=len(predictor["0.weight"]),
        layers=len(linears),
    )
    batch_norm = {"eps": float(file["bn_eps"]), "momentum": float(file["bn_momentum"])}
    fill(method.student.projector, projector, **batch_norm)
    fill(method.student.predictor, predictor, **batch_norm)
    x1, x2 = torch.as_tensor(file["x1"]), torch.as_tensor(file["x2"])
    losses = method(Views([x1, x2], [], torch.arange(len(x1))), Progress(step=0, steps=1))
    losses.total.backward()
    assert_close(losses.total.detach(), torch.as_tensor(file["loss"]), **CLOSE)

    parts = {
        "encoder.lin.": method.student.backbone.linear,
        "encoder.fc.": method.student.projector,
        "predictor.": method.student.predictor,
    }
    seen = 0
    for prefix, part in parts.items():
        given = tensors(file, f"grad.{prefix}")
        for name, parameter in part.named_parameters():
            if name in given:
                assert_close(parameter.grad, given[name], **CLOSE)
                seen += 1
            else:
                assert parameter.grad is None and not parameter.requires_grad, name
        for name, value in tensors(file, f"buffer_after.{prefix}").items():
            assert_close(part.get_buffer(name), value, **CLOSE)
    assert seen == len(tensors(file, "grad."))
    norm = torch.cat([p.grad.flatten() for p in method.parameters() if p.grad is not None]).norm().item()
    assert norm == pytest.approx(float(file["gradnorm"]), abs=1e-8)
