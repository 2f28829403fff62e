"""Un-Mix against the official code: boxes, mixtures, and one step of MoCo in every case."""

import re

import pytest
import torch
from small import tensors
from torch import nn
from torch.testing import assert_close

from twofold.methods.mixing import region
from twofold.methods.moco import MoCo
from twofold.methods.unmix import UnMix
from twofold.nets.features import Features
from twofold.seam import Progress, Views

CLOSE = {"rtol": 0, "atol": 1e-8}
NOW = Progress(step=0, steps=10)


class Pixels(nn.Module):
    """The pixels of an image as its feature."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        return Features(None, x.flatten(1))


class Drawn:
    """A source of draws that gives the file's: r, lambda, and the centre of the box."""

    def __init__(self, r, ratio, centre):
        self.r, self.ratio, self.centre = r, ratio, list(centre)

    def random(self):
        return self.r

    def betavariate(self, alpha, beta):
        return self.ratio

    def randrange(self, side):
        return self.centre.pop(0)


def test_boxes(golden):
    file = golden("images_unmix")
    (key,) = [key for key in file if key.startswith("bbox_lam_cx_cy_x1y1x2y2_")]
    side = int(re.search(r"(\d+)px", key).group(1))
    for ratio, x, y, *box in torch.as_tensor(file[key]).double().tolist():
        found = region((side, side), torch.tensor([ratio], dtype=torch.float64), torch.tensor([[int(x), int(y)]]))
        assert found[0].tolist() == [int(edge) for edge in box]


def cases(file):
    found = sorted(key.removesuffix("_im1") for key in file if key.endswith("_im1"))
    assert found
    return found


def centre_of(file, case, sides):
    """A centre that gives the file's box, found by trying all."""
    if f"{case}_bbox" not in file:
        return (0, 0)
    wanted, ratio = torch.as_tensor(file[f"{case}_bbox"]).tolist(), torch.tensor([float(file[f"{case}_lam0"])]).double()
    tried = [(x, y) for x in range(sides[0]) for y in range(sides[1])]
    return next(c for c in tried if region(sides, ratio, torch.tensor([c]))[0].tolist() == wanted)


def test_one_step_of_moco_with_it(golden, monkeypatch):
    file = golden("images_unmix")
    for case in cases(file):
        first, second = (torch.as_tensor(file[f"{case}_{name}"]) for name in ("im1", "im2"))
        queue = torch.as_tensor(file[f"{case}_queue"]).T
        addition = UnMix(global_share=float(case.startswith("global")))
        method = MoCo(
            Pixels(first[0].numel()),
            temperature=float(file["T"]),
            momentum=float(file["m"]),
            queue=len(queue),
            dim=queue.shape[1],
            head="linear",
            key_bn="plain",
            symmetric=case.endswith("_sym"),
            additions=[addition],
        ).double()
        for branch, name in ((method.student, "q"), (method.teacher, "k")):
            branch.projector.load_state_dict(tensors(file, f"{case}_param_before.encoder_{name}.lin."))
        method.queue.rows.copy_(queue)
        drawn = float(file[f"{case}_r"]), float(file[f"{case}_lam0"]), centre_of(file, case, first.shape[2:])
        monkeypatch.setattr("random.Random", lambda _, drawn=drawn: Drawn(*drawn))
        mixed, ratio = addition.mix(first, NOW)
        assert_close(mixed, torch.as_tensor(file[f"{case}_mixed"]), **CLOSE)
        assert ratio == pytest.approx(float(file[f"{case}_lam"]), abs=1e-8)
        method.before_step(NOW)
        losses = method(Views([first, second], [], torch.arange(len(first))), NOW)
        losses.total.backward()
        method.after_step(NOW)
        parts = torch.as_tensor(file[f"{case}_parts_orig_mix_mixflip"]).sum(0)
        assert list(losses.terms) == ["base", "unmix", "unmix_reversed"]
        assert_close(torch.stack([term.value.detach() for term in losses.terms.values()]), parts, **CLOSE)
        assert_close(losses.total.detach(), torch.as_tensor(file[f"{case}_loss"]), **CLOSE, check_dtype=False)
        gradients = tensors(file, f"{case}_grad.encoder_q.lin.")
        for name, value in gradients.items():
            assert_close(method.student.projector.get_parameter(name).grad, value, **CLOSE)
        norm = torch.cat([p.grad.flatten() for p in method.student.parameters()]).norm().item()
        assert norm == pytest.approx(float(file[f"{case}_gradnorm"]), abs=1e-8)
        assert_close(method.queue.rows, torch.as_tensor(file[f"{case}_queue_after"]).T, **CLOSE)
