"""MoCHi against a third party's code: one step of MoCo with it, from stored draws."""

import pytest
import torch
import torch.nn.functional as F
from small import Flat, tensors
from torch.testing import assert_close

from twofold.methods.mochi import Draw, MoCHi
from twofold.methods.moco import MoCo
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}
NOW = Progress(step=5, steps=10)


class Replayed(MoCHi):
    """MoCHi with the file's draws and its order of the hardest (ours may list the same ones differently)."""

    def __init__(self, file):
        super().__init__(hardest=int(file["N"]), mixed=int(file["s"]), with_query=int(file["s_prime"]), warmup=0.0)
        self.file = file
        names = ("type1_idx_i", "type1_idx_j", "type1_alpha", "type2_idx", "type2_beta")
        i, j, alpha, single, beta = (torch.as_tensor(file[name]) for name in names)
        self.replayed = Draw(i.long(), j.long(), alpha.squeeze(2), single.long(), beta.squeeze(2))

    def synthesise(self, queries, stored, hard, draw):
        theirs = torch.as_tensor(self.file["hard_idx"]).long()
        assert torch.equal(hard.sort(1).values, theirs.sort(1).values)
        assert [part.shape for part in draw] == [part.shape for part in self.replayed]
        self.made = super().synthesise(queries, stored, theirs, self.replayed)
        return self.made


def test_one_step_of_moco_with_it(golden):
    file = golden("images_mochi")
    queue, queries = torch.as_tensor(file["queue_before"]), torch.as_tensor(file["im_q"])
    addition = Replayed(file)
    method = MoCo(
        Flat(width=queries.shape[1]),
        temperature=float(file["T"]),
        momentum=float(file["m"]),
        queue=len(queue),
        dim=queue.shape[1],
        head="linear",
        key_bn="plain",
        additions=[addition],
    ).double()
    for branch in (method.student, method.teacher):
        branch.projector.load_state_dict(tensors(file, "enc_q.fc."))
    method.queue.rows.copy_(queue)
    views = Views([queries, torch.as_tensor(file["im_k"])], [], torch.arange(len(queries)))
    method.before_step(NOW)
    record = method.observe(views, NOW)
    losses = method.judge(record)
    extra = record.kept["extra"]
    losses.total.backward()
    method.after_step(NOW)
    unit = F.normalize(record.student[0].row, dim=1).detach()
    assert_close(unit, torch.as_tensor(file["q"]), **CLOSE)
    assert_close(addition.made, torch.cat([torch.as_tensor(file[n]) for n in ("h", "h_prime")], dim=1), **CLOSE)
    assert not addition.made.requires_grad
    own = torch.einsum("bd,bsd->bs", unit, extra) / float(file["T"])
    assert_close(own, torch.as_tensor(file["logits"])[:, 1 + len(queue) :], **CLOSE)
    assert_close(losses.total.detach(), torch.as_tensor(file["loss"]), **CLOSE, check_dtype=False)
    for name, value in tensors(file, "grad_q.fc.").items():
        assert_close(method.student.projector.get_parameter(name).grad, value, **CLOSE)
    norm = torch.cat([p.grad.flatten() for p in method.student.parameters()]).norm().item()
    assert norm == pytest.approx(float(file["gradnorm"]), abs=1e-8)
    assert_close(method.queue.rows, torch.as_tensor(file["queue_after"]), **CLOSE)
