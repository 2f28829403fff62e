"""MoCo, its queue and its split batch norm against the official code."""

import re

import pytest
import torch
import torch.nn.functional as F
from small import Flat, tensors
from torch.testing import assert_close

from twofold.methods.moco import MoCo
from twofold.nets.batch_norm import SplitBatchNorm, deinterleave, interleave
from twofold.objectives.contrastive import info_nce
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}
NOW = Progress(step=0, steps=10)


def test_info_nce_matches_loss_and_gradient(golden):
    file = golden("images_moco")
    queue, keys = torch.as_tensor(file["feat_queue"]).T, torch.as_tensor(file["feat_k"])
    temperatures = [key[len("feat_loss_T") :] for key in file if key.startswith("feat_loss_T")]
    assert temperatures
    for t in temperatures:
        queries = torch.tensor(file["feat_q"], requires_grad=True)
        loss = info_nce(F.normalize(queries, dim=1), F.normalize(keys, dim=1), queue, float(t)).mean()
        (gradient,) = torch.autograd.grad(loss, queries)
        assert_close(loss.detach(), torch.as_tensor(file[f"feat_loss_T{t}"]), **CLOSE)
        assert_close(gradient, torch.as_tensor(file[f"feat_grad_q_T{t}"]), **CLOSE)
        assert gradient.norm().item() == pytest.approx(float(file[f"feat_gradnorm_T{t}"]), abs=1e-8)


def versions(file):
    found = sorted({key.split("_")[0] for key in file if re.match(r"v\d+_loss", key)})
    assert found
    return found


def replay(file, version):
    """One step of our MoCo with the file's weights; returns the method, the losses and the record."""
    student, teacher = tensors(file, f"{version}_q.fc."), tensors(file, f"{version}_k_before.fc.")
    queue = torch.as_tensor(file[f"{version}_queue_before"]).T
    queries, keys = torch.as_tensor(file[f"{version}_im_q"]), torch.as_tensor(file[f"{version}_im_k"])
    method = MoCo(
        Flat(width=queries.shape[1]),
        temperature=float(file[f"{version}_T"]),
        momentum=float(file[f"{version}_m"]),
        queue=len(queue),
        dim=queue.shape[1],
        head="linear" if "weight" in student else "mlp",
        key_bn="plain",
    ).double()
    method.student.projector.load_state_dict(student)
    method.teacher.projector.load_state_dict(teacher)
    method.queue.rows.copy_(queue)
    method.queue.pointer.fill_(int(file[f"{version}_ptr_before"]))
    views = Views([queries, keys], [], torch.arange(len(queries)))
    method.before_step(NOW)
    record = method.observe(views, NOW)
    losses = method.judge(record)
    losses.total.backward()
    method.after_step(NOW)
    return method, losses, record


def test_one_step_of_the_whole_method(golden):
    file = golden("images_moco")
    for version in versions(file):
        method, losses, _ = replay(file, version)
        assert_close(losses.total.detach(), torch.as_tensor(file[f"{version}_loss"]), **CLOSE)
        for name, value in tensors(file, f"{version}_k_after.fc.").items():
            assert_close(method.teacher.projector.get_parameter(name), value, **CLOSE, check_stride=False)
        gradients = tensors(file, f"{version}_grad_q.fc.")
        for name, value in gradients.items():
            assert_close(method.student.projector.get_parameter(name).grad, value, **CLOSE)
        assert all(p.grad is None for p in method.teacher.parameters())
        norm = torch.cat([p.grad.flatten() for p in method.student.parameters()]).norm().item()
        assert norm == pytest.approx(float(file[f"{version}_gradnorm"]), abs=1e-8)
        assert_close(method.queue.rows.T, torch.as_tensor(file[f"{version}_queue_after"]), **CLOSE, check_stride=False)
        assert method.queue.pointer.item() == int(file[f"{version}_ptr_after"])
        assert not file[f"{version}_labels"].any()


def test_logits(golden):
    file = golden("images_moco")
    for version in versions(file):
        _, _, record = replay(file, version)
        queries, keys = F.normalize(record.student[0].row, dim=1), F.normalize(record.teacher[1].row, dim=1)
        before = torch.as_tensor(file[f"{version}_queue_before"])
        logits = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ before], 1) / float(file[f"{version}_T"])
        assert_close(logits.detach(), torch.as_tensor(file[f"{version}_logits"]), **CLOSE)


def test_split_batch_norm(golden):
    file = golden("images_moco")
    x = torch.as_tensor(file["sbn_x"])
    settings = {"eps": float(file["sbn_eps"]), "momentum": float(file["sbn_momentum"])}
    layer = SplitBatchNorm(x.shape[1], int(file["sbn_splits"]), **settings).double()
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(file["sbn_w"]))
        layer.bias.copy_(torch.as_tensor(file["sbn_b"]))
    for memory_format in (torch.contiguous_format, torch.channels_last):
        layer.running_mean.zero_()
        layer.running_var.fill_(1)
        grouped = interleave(x, layer.groups).contiguous(memory_format=memory_format)
        y = deinterleave(layer(grouped), layer.groups)
        assert_close(y, torch.as_tensor(file["sbn_y"]), **CLOSE, check_stride=False)
        assert_close(layer.running_mean, torch.as_tensor(file["sbn_running_mean"]), **CLOSE)
        assert_close(layer.running_var, torch.as_tensor(file["sbn_running_var"]), **CLOSE)
