"""DenseCL against the official code: neck, loss, and steps of the whole method with both queues."""

import re

import pytest
import torch
import torch.nn.functional as F
from small import tensors
from torch import nn
from torch.testing import assert_close

from twofold.methods.cells import DenseHead, matches
from twofold.methods.densecl import DenseCL
from twofold.methods.dsc import DSC
from twofold.methods.moco import MoCo
from twofold.nets.features import Features, Grid
from twofold.nets.heads import mlp
from twofold.objectives.contrastive import info_nce
from twofold.seam import Progress, Views

CLOSE = {"rtol": 1e-4, "atol": 2e-5}  # the file is in float32
MARGIN = 1e-5  # between the best and the next cell, below which float32 may choose otherwise


class Convolutions(nn.Module):
    """The file's backbone: two convolutions with ReLU between them."""

    def __init__(self, file):
        super().__init__()
        settings = {"stride": int(file["conv_stride"]), "padding": int(file["conv_padding"])}
        weights = [file[f"init_q.0.{name}.weight"] for name in ("c1", "c2")]
        self.c1, self.c2 = (nn.Conv2d(w.shape[1], w.shape[0], w.shape[2:], **settings) for w in weights)
        self.width = self.map_width = len(weights[-1])
        self.grid = Grid(*(int(v**0.5) for v in [file["s0_match_idx"].shape[1]] * 2), settings["stride"] ** 2, 0.0)

    def forward(self, x):
        map = self.c2(self.c1(x).relu())
        return Features(map, map.mean((2, 3)))


def of_linear(state):
    """The weights of 1x1 convolutions as those of linear layers."""
    return {name: value.flatten(1) if value.ndim == 4 else value for name, value in state.items()}


@pytest.mark.parametrize("case", ["none", "g3"])
def test_the_neck(golden, case):
    file = golden("dense_densecl")
    weights = tensors(file, "neck_w.")
    dense = of_linear({k[len("mlp2.") :]: v for k, v in weights.items() if k.startswith("mlp2.")})
    (hidden, width), dim = dense["0.weight"].shape, len(dense["2.weight"])
    head, whole = DenseHead(width, hidden, dim), mlp([width, hidden, dim], norm=False)
    head.layers.load_state_dict(dense)
    whole.load_state_dict({k[len("mlp.") :]: v for k, v in weights.items() if k.startswith("mlp.")})
    x = torch.as_tensor(file[f"neck_{case}_x"])
    grid = f"neck_{case}_num_grid"
    map = F.adaptive_avg_pool2d(x, int(file[grid])) if grid in file else x
    made = head(map)
    assert_close(whole(x.mean((2, 3))), torch.as_tensor(file[f"neck_{case}_global"]), **CLOSE)
    assert_close(made.transpose(1, 2), torch.as_tensor(file[f"neck_{case}_dense"]), **CLOSE)
    assert_close(made.mean(1), torch.as_tensor(file[f"neck_{case}_densepool"]), **CLOSE)


def test_the_loss_without_a_copy_of_positives_and_negatives(golden):
    file = golden("dense_densecl")
    positive, negative = torch.as_tensor(file["head_pos"]).double(), torch.as_tensor(file["head_neg"]).double()
    temperatures = [key[len("head_loss_t") :] for key in file if key.startswith("head_loss_t")]
    assert temperatures
    for t in temperatures:
        # Similarities as they are: queries with a 1 at the positive's place, and keys of similarities.
        for b in range(len(positive)):
            query, key = torch.ones(1, 1, dtype=torch.float64), positive[b : b + 1]
            loss = info_nce(query, key, negative[b][:, None], float(t))
            wanted = F.cross_entropy(torch.cat([positive[b], negative[b]])[None] / float(t), torch.tensor([0]))
            assert_close(loss[0], wanted)
        both = [
            info_nce(torch.ones(1, 1).double(), positive[b : b + 1], negative[b][:, None], float(t))
            for b in range(len(positive))
        ]
        assert_close(torch.cat(both).mean().float(), torch.as_tensor(file[f"head_loss_t{t}"]), **CLOSE)


ADDITIONS = {
    "densecl": lambda weight: DenseCL(weight=weight),
    "dsc": lambda weight: DSC(weight=weight, neighbours=1, semantic=0.0),
}


def start(file, name):
    """Our method with the file's weights and queues."""
    weights = tensors(file, "init_q.")
    hidden = len(weights["1.mlp.0.weight"])
    addition = ADDITIONS[name](float(file["lambda"]))
    addition.hidden = hidden
    queue = torch.as_tensor(file["init_queue"]).T
    method = MoCo(
        Convolutions(file),
        temperature=float(file["temperature"]),
        momentum=float(file["momentum"]),
        queue=len(queue),
        dim=queue.shape[1],
        key_bn="plain",
        additions=[addition],
    )
    own = method.student.projector[0].weight.shape[0]
    method.student.projector = mlp([own, hidden, queue.shape[1]], norm=False)
    method.teacher.projector = mlp([own, hidden, queue.shape[1]], norm=False).requires_grad_(False)
    for branch, head in ((method.student, addition.dense.head), (method.teacher, addition.dense.twin)):
        branch.backbone.load_state_dict({k[2:]: v for k, v in weights.items() if k.startswith("0.")})
        branch.projector.load_state_dict(tensors(file, "init_q.1.mlp."))
        head.layers.load_state_dict(of_linear(tensors(file, "init_q.1.mlp2.")))
    method.queue.rows.copy_(queue)
    addition.dense.queue.rows.copy_(torch.as_tensor(file["init_queue2"]).T)
    return method.double(), addition


def ours(name, method, addition):
    """Our parameter of the name in the file, student's or teacher's."""
    part, rest = name.split(".", 1)
    branch, head = method, addition
    if part == "0":
        return branch.backbone.get_parameter(rest)
    layers, rest = rest.split(".", 1)
    return head.layers.get_parameter(rest) if layers == "mlp2" else branch.projector.get_parameter(rest)


@pytest.mark.parametrize("name", ADDITIONS)
def test_steps_of_the_whole_method(golden, name):
    file = golden("dense_densecl")
    method, addition = start(file, name)
    term = name
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], float(file["lr"]))
    steps = int(file["n_steps"])
    assert steps > 0
    for step in range(steps):
        now = Progress(step, steps)
        images = torch.as_tensor(file[f"s{step}_img"]).double()
        views = Views([images[:, 0], images[:, 1]], [], torch.arange(len(images)))
        for queue, key in ((method.queue, "queue"), (addition.dense.queue, "queue2")):
            assert_close(
                queue.rows.T.float(), torch.as_tensor(file[f"s{step}_{key}_before"]), **CLOSE, check_stride=False
            )
        method.before_step(now)
        record = method.observe(views, now)
        losses = method.judge(record)
        base, dense = (losses.terms[t].weight * losses.terms[t].value for t in ("base", term))
        assert_close(base.float().detach(), torch.as_tensor(file[f"s{step}_loss_single_weighted"]), **CLOSE)
        assert_close(dense.float().detach(), torch.as_tensor(file[f"s{step}_loss_dense_weighted"]), **CLOSE)
        queries, keys = addition.dense.student(record, 0), addition.dense.teacher(record, record.teacher[1])
        found = matches(queries.backbone, keys.backbone)
        best = (queries.backbone @ keys.backbone.transpose(1, 2)).topk(2, dim=2).values
        sure = best[..., 0] - best[..., 1] > MARGIN
        assert sure.any()
        assert torch.equal(found[sure], torch.as_tensor(file[f"s{step}_match_idx"])[sure])
        assert_close(keys.dense.transpose(1, 2).float(), torch.as_tensor(file[f"s{step}_k_grid_unit"]), **CLOSE)
        positive = (queries.dense * keys.dense.gather(1, found[:, :, None].expand_as(queries.dense))).sum(2)
        assert_close(
            positive.flatten().float().detach(), torch.as_tensor(file[f"s{step}_lpos_dense"]).flatten(), **CLOSE
        )
        against = (queries.dense @ addition.dense.queue.rows.T).sum(2)
        assert_close(against.flatten().float().detach(), torch.as_tensor(file[f"s{step}_lneg_dense_rowsum"]), **CLOSE)
        optimizer.zero_grad()
        losses.total.backward()
        for key, value in tensors(file, f"s{step}_grad_q.").items():
            mine = ours(key, method.student, addition.dense.head).grad
            assert_close(mine.float().view_as(value), value, **CLOSE)
        optimizer.step()
        method.after_step(now)
        for queue, key in ((method.queue, "queue"), (addition.dense.queue, "queue2")):
            assert_close(
                queue.rows.T.float(), torch.as_tensor(file[f"s{step}_{key}_after"]), **CLOSE, check_stride=False
            )
        assert [int(method.queue.pointer), int(addition.dense.queue.pointer)] == file[f"s{step}_ptr"].tolist()
        for key, value in tensors(file, f"s{step}_param_k.").items():
            mine = ours(key, method.teacher, addition.dense.twin)
            assert_close(mine.float().view_as(value), value, **CLOSE)
    final = {k: v for k, v in tensors(file, "final_q.").items() if re.match(r"[01]\.", k)}
    assert final
    for key, value in final.items():
        assert_close(ours(key, method.student, addition.dense.head).float().view_as(value), value, **CLOSE)
    # What the last step's keys were made with is checked where the file has it.
    assert [key for key in file if "_param_k." in key]
