"""Un-Mix: what is compared with what, on every base; mixtures, their shares and their mirror."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.mixing import blend
from twofold.methods.moco import MoCo
from twofold.methods.unmix import UnMix
from twofold.seam import Progress

from ..tiny import BASES, kind_of, refused
from .small import NOW, Tiny, made, views_of

# wmse4 is wmse with more views than are mixed here.
NAMES = [
    base for base in BASES if kind_of(base) == "images" and base != "wmse4" and not refused(base, "unmix", "images")
]
LARGE_ONLY = {name: {"local_views": 0} for name in ("dino", "swav", "lejepa")}


def run(name, **settings):
    torch.manual_seed(0)
    addition = UnMix(**settings)
    if name in ("moco", "moco-symmetric"):
        symmetric = "symmetric" in name
        method = MoCo(Tiny(), dim=8, queue=24, key_bn="plain", symmetric=symmetric, additions=[addition]).double()
    else:
        method = made(name, [addition], **LARGE_ONLY.get(name, {})).double()
    views = views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, NOW)
    losses = method.judge(record)
    return method, addition, record, losses


def expected_of(method, addition, record):
    """The two terms written out as in the paper, base by base, running the networks afresh."""
    mixed, ratio = addition.mix(record.views.tensors[0], NOW)
    first, second = record.views.tensors
    name, student = type(method).__name__, method.student
    compare = record.compare

    def pair(flip):
        turn = (lambda rows: rows.flip(0)) if flip else (lambda rows: rows)
        if name == "SimCLR":
            rows = student(torch.cat([second, mixed])).projection
            return compare(turn(rows[len(mixed) :]), rows[: len(mixed)]).mean()
        if name == "MoCo":
            query = turn(student(mixed).projection)
            keys = [method.teacher(view).projection for view in (first, second)]
            # The direction (i, j) has the key of view j.
            values = [compare(query, keys[j]).mean() for _, j in method.directions]
            return torch.stack(values).sum()
        if student.predictor is None:
            return compare(turn(student(mixed).projection), record.teacher[1].row).mean()
        target, teacher = record.teacher[1].projection, getattr(method, "teacher", student)
        to_student = compare(turn(student(mixed).prediction), target).mean()
        to_teacher = compare(student(second).prediction, turn(teacher(mixed).projection)).mean()
        return (to_student + to_teacher) / (2 if name == "SimSiam" else 1)

    return ratio, pair(False), pair(True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("global_share", [0.0, 1.0])
def test_mixtures_are_like_both_their_images_by_their_share(name, global_share):
    method, addition, record, losses = run(name, global_share=global_share)
    ratio, own, turned = expected_of(method, addition, record)
    assert_close(losses.terms["unmix"].value, own, msg=name)
    assert_close(losses.terms["unmix_reversed"].value, turned)
    assert (losses.terms["unmix"].weight, losses.terms["unmix_reversed"].weight) == (ratio, 1 - ratio)
    assert 0 < ratio < 1
    losses.total.backward()
    assert method.student.backbone.conv.weight.grad.abs().max() > 0


def test_one_share_a_batch_and_new_at_every_step():
    addition, images = UnMix(global_share=1.0), torch.randn(6, 3, 4, 4)
    mixed, ratio = addition.mix(images, NOW)
    assert_close(mixed, blend(images, images.flip(0), torch.tensor([ratio])))
    again, same = addition.mix(images, NOW)
    assert torch.equal(mixed, again) and same == ratio
    assert addition.mix(images, Progress(4, 10, seed=5))[1] != ratio
    shares = [UnMix(alpha=8.0, global_share=1.0).mix(images, Progress(step, 100))[1] for step in range(60)]
    assert all(0.1 < share < 0.9 for share in shares)


def test_half_of_the_batches_are_blended_and_a_region_keeps_its_true_share():
    addition, images = UnMix(), torch.randn(5, 3, 8, 12)
    blended = 0
    for step in range(200):
        mixed, ratio = addition.mix(images, Progress(step, 200))
        own = (mixed == images).all(1)
        theirs = (mixed == images.flip(0)).all(1)
        if (own | theirs)[0].all():
            assert own[0].double().mean().item() == pytest.approx(ratio)
        else:
            blended += 1
        # With an odd batch the middle image is mixed with itself.
        assert_close(mixed[2], images[2])
    assert 70 < blended < 130


def test_the_reversed_mixtures_are_the_same_images():
    addition, images = UnMix(global_share=0.0), torch.randn(6, 3, 8, 8)
    mixed, ratio = addition.mix(images, NOW)
    # Image b of the reversed order holds the share 1 - lambda of image b.
    assert (mixed.flip(0) == images).double().mean().item() == pytest.approx(1 - ratio)


def test_the_first_view_as_partner():
    _, addition, record, losses = run("moco", partner="first")
    mixed, _ = addition.mix(record.views.tensors[0], NOW)
    key = record.teach(record.views.tensors[0]).row
    assert_close(losses.terms["unmix"].value, record.compare(record.look(mixed).row, key).mean())


def test_mixtures_may_stay_out_of_the_teacher():
    _, addition, record, losses = run("byol", mix_branch="online")
    mixed, _ = addition.mix(record.views.tensors[0], NOW)
    assert_close(losses.terms["unmix"].value, record.compare(record.look(mixed).row, record.teacher[1].row).mean())


def test_mixtures_enter_neither_key_encoder_nor_queue():
    method, _, record, _ = run("moco")
    assert list(record.teacher) == [1]
    keys = F.normalize(record.teacher[1].row, dim=1)
    method.after_step(NOW)
    assert_close(method.queue.rows[:8], keys)
    assert method.queue.pointer == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UnMix(alpha=0.0), "alpha must be a number above 0"),
        (lambda: UnMix(global_share=1.5), "global_share must lie between 0 and 1"),
        (lambda: made("moco-symmetric", [UnMix(partner="first")]), "with both views: leave partner out"),
        (lambda: made("simclr", [UnMix(mix_branch="online")]), "no mix_branch to choose"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(UserError) as caught:
        make()
    assert message in str(caught.value)
