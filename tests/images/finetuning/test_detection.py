"""Detection as a protocol: perfect answers are 1 in every odd case, odd labels are counted, and it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.images.finetuning.situations import situation, tiny_detection
from tests.images.finetuning.starts import start
from tests.images.finetuning.truths import filled, instances, scenes, stored
from twofold.errors import UserError
from twofold.images.finetuning import coco
from twofold.images.finetuning.detection import DetectionTask
from twofold.images.finetuning.training import Keeper, drawing, train
from twofold.images.labels.records import Labelled


class Perfect(nn.Module):
    """Answers with the truth of the test's pictures, one after another; `also` adds boxes to pictures by number."""

    def __init__(self, data, also=None, masks=False):
        super().__init__()
        self.data, self.also, self.masks, self.asked = data, also or {}, masks, 0

    def forward(self, pictures):
        truth = self.data.instances(self.asked)
        truth = truth.select(~truth.crowd)
        boxes, labels = truth.boxes, truth.classes + 1
        scores = torch.linspace(0.9, 0.6, len(truth))
        if self.asked in self.also:
            boxes, labels = torch.cat([boxes, self.also[self.asked]]), torch.cat([labels, torch.tensor([1])])
            scores = torch.cat([scores, torch.tensor([0.95])])
        found = {"boxes": boxes, "labels": labels, "scores": scores}
        if self.masks:
            found["masks"] = truth.masks[:, None].float()
        self.asked += 1
        return [found]


def data_of(objects, size=64, classes=("square", "bar"), name="odd"):
    pictures = [torch.full((3, size, size), 50 * i % 255, dtype=torch.uint8) for i in range(len(objects))]
    names = tuple(f"{i}.png" for i in range(len(objects)))
    return Labelled(name, classes, names, (), stored(pictures), None, objects.__getitem__)


ODD = [
    instances([[1.5, 2.25, 30.75, 40.5]], [0]),
    instances([]),
    instances([[0, 0, 64, 64], [10, 10, 20, 20], [30, 30, 50, 60]], [1, 0, 1], crowd=[0]),
    instances([[3, 3, 4, 4], [5, 5, 5.6, 9]], [0, 0]),
]


def test_perfect_answers_are_1_whatever_is_odd_and_a_false_alarm_lowers_it():
    test = data_of(ODD)
    task = DetectionTask(situation("faster-rcnn", test=test))
    found = task.test(Perfect(test), None)
    assert {m: v for m, v in found.metrics.items() if v < 1 - 1e-9} == {}
    assert "coco-AP" in found.metrics and "voc07-11pt-AP" in found.metrics
    alarm = task.test(Perfect(test, {1: torch.tensor([[5.0, 5, 30, 30]])}), None)
    assert alarm.metrics["coco-AP"] < 1 and alarm.metrics["voc07-11pt-AP"] < 1


def test_perfect_masks_are_1():
    boxes = [[2, 2, 20, 12], [30, 30, 60, 64]]
    test = data_of([instances(boxes, [0, 1], masks=filled(boxes, 64, 64)), instances([], masks=filled([], 64, 64))])
    found = DetectionTask(situation("mask-rcnn", test=test)).test(Perfect(test, masks=True), None)
    assert found.metrics["coco-mask-AP"] == pytest.approx(1.0)
    assert found.metrics["coco-AP"] == pytest.approx(1.0)


def test_the_number_does_not_depend_on_the_order_of_the_pictures():
    also = {0: torch.tensor([[5.0, 5, 30, 30]]), 3: torch.tensor([[1.0, 1, 9, 9]])}
    test = data_of([*ODD, *ODD[::-1]])
    task = DetectionTask(situation("faster-rcnn", test=test))
    known = task.test(Perfect(test, also), None).metrics
    order = [5, 0, 7, 3, 1, 6, 2, 4]
    turned = test.select(order)
    moved = {order.index(i): boxes for i, boxes in also.items()}
    shuffled = DetectionTask(situation("faster-rcnn", test=turned)).test(Perfect(turned, moved), None).metrics
    assert shuffled == pytest.approx(known, abs=1e-12)


def test_difficult_objects_count_in_coco_only_and_it_is_said():
    truth = instances([[2, 2, 20, 20], [30, 30, 60, 60]], [0, 0], difficult=[1])
    test = data_of([truth])
    task = DetectionTask(situation("faster-rcnn", test=test))
    easy = Perfect(data_of([truth.select(torch.tensor([0]))]))
    found = task.test(easy, None).metrics
    assert found["voc07-11pt-AP"] == pytest.approx(1.0)
    assert found["coco-AP"] < 0.6
    assert "1 difficult objects: left out by voc07-11pt, counted by coco" in task.words(start())


def test_what_is_not_in_the_test_set_is_named_and_in_no_number():
    test = data_of([instances([[2, 2, 20, 20]], [0])])
    found = DetectionTask(situation("faster-rcnn", test=test)).test(Perfect(test), None)
    assert found.by_class == {"square": pytest.approx(1.0), "bar": None}
    assert found.metrics["coco-AP"] == pytest.approx(1.0)
    assert "none in test set: bar" in found.notes
    assert "none in test set, so no coco-AP-medium, coco-AP-large" in found.notes
    assert not {"coco-AP-medium", "coco-AP-large"} & set(found.metrics)


def test_nothing_found_is_0():
    test = data_of(ODD)
    nothing = Perfect(data_of([instances([])] * len(ODD)))
    assert set(DetectionTask(situation("faster-rcnn", test=test)).test(nothing, None).metrics.values()) == {0.0}


def test_caps_are_raised_with_the_data_and_said():
    many = instances([[i % 20 * 3, i // 20 * 3, i % 20 * 3 + 2, i // 20 * 3 + 2] for i in range(150)], [0] * 150)
    test = data_of([many])
    task = DetectionTask(situation("faster-rcnn", test=test))
    assert task.cap == 300
    assert "at most 300 detections an image" in task.words(start())
    assert task.build(start()).roi_heads.detections_per_img == 300
    assert task.test(Perfect(test), None).metrics["coco-AP"] == pytest.approx(1.0)


def test_empty_pictures_are_left_out_of_training_with_a_count_or_kept():
    train = scenes(6, empty=(1, 4))[0]
    out = DetectionTask(situation("faster-rcnn", train=train))
    assert out.rows == [0, 2, 3, 5]
    assert "2 of 6 training images without objects left out" in out.words(start())
    kept = DetectionTask(situation("faster-rcnn", train=train), keep_empty=True)
    assert len(kept.rows) == 6
    targets = [target for step in range(3) for target in kept.batch(step)[1]]
    assert sum(len(t["boxes"]) == 0 for t in targets) == 2
    assert {t["boxes"].shape[1] for t in targets} == {4}
    model = kept.build(start())
    empty = next(step for step in range(3) if any(len(t["boxes"]) == 0 for t in kept.batch(step)[1]))
    assert torch.isfinite(kept.work(model).loss_of(kept.batch(empty)))


def test_crowds_are_not_learned_from_and_slivers_are_counted():
    data = data_of([instances([[0, 0, 60, 60], [5, 5, 30, 30], [8, 8, 8.4, 30]], [0, 1, 1], crowd=[0])] * 2)
    task = DetectionTask(situation("faster-rcnn", tiny_detection(crop=1.0), train=data))
    _, targets, lost = task.batch(0)
    assert [t["labels"].tolist() for t in targets] == [[2], [2]]
    assert lost == 2
    assert any("2 crowds not learned from" in word for word in task.words(start()))


def test_masks_follow_the_objects():
    task = DetectionTask(situation("mask-rcnn", count=4))
    for step in range(4):
        pictures, targets, _ = task.batch(step)
        for picture, target in zip(pictures, targets, strict=True):
            assert len(target["boxes"]) == len(target["labels"]) == len(target["masks"])
            assert target["masks"].shape[1:] == picture.shape[1:]
            for mask, label in zip(target["masks"].bool(), target["labels"].tolist(), strict=True):
                assert (picture[label - 1][mask] == 230).all()  # squares are red, bars green


def test_labels_that_do_not_do_are_refused_in_words(monkeypatch):
    boxes_only = scenes(3, masks=False, name="only")[0]
    with pytest.raises(UserError, match=r"only has boxes without masks \(000.png\): use faster-rcnn"):
        DetectionTask(situation("mask-rcnn", train=boxes_only))
    with pytest.raises(UserError, match="has no object on any picture"):
        DetectionTask(situation("faster-rcnn", test=data_of([instances([])])))
    with pytest.raises(UserError, match="has masks but no boxes"):
        DetectionTask(situation("faster-rcnn", train=scenes(3)[1]))
    monkeypatch.setattr(coco, "_PLACES", {})
    with pytest.raises(UserError, match=r"twofold\[dense\]"):
        DetectionTask(situation("faster-rcnn"))


@pytest.mark.parametrize(("batch", "fixed"), [(2, True), (8, False)])
def test_batch_norm_is_fixed_below_8_images_and_trained_from_8_on(batch, fixed):
    task = DetectionTask(situation("faster-rcnn", tiny_detection(batch=batch, calibration=16)))
    torch.manual_seed(0)
    model = task.build(start())
    work = task.work(model)
    norm = model.backbone.body.inner.bn1
    fresh = norm.running_mean.clone()
    work.prepare()
    calibrated = norm.running_mean.clone()
    assert work.fixed == fixed
    assert torch.equal(fresh, calibrated) == (not fixed)
    task.finish(model)
    assert torch.equal(norm.running_mean, calibrated) == fixed
    rule = next(word for word in task.words(start()) if word.startswith("batch norm"))
    assert rule.startswith(
        "batch norm: statistics of 16 training images, then fixed, alike for every start" if fixed
        else "batch norm: trained, on one device; statistics of 16 training images before the test"
    )  # fmt: skip
    # All is trainable either way.
    assert all(p.requires_grad for p in model.parameters())


def test_batches_are_the_same_in_any_process_and_never_alike():
    one, other = (DetectionTask(situation("faster-rcnn")) for _ in range(2))
    for step in range(3):
        assert all(torch.equal(a, b) for a, b in zip(one.batch(step)[0], other.batch(step)[0], strict=True))
    assert not torch.equal(one.batch(0)[0][0], one.batch(1)[0][0])
    assert len(one.batch(2)[0]) == 2  # five pictures in batches of two: the third batch runs into the next epoch


def test_it_learns():
    preset = tiny_detection(batch=8, iterations=12, lr=0.02, warmup=3, drops=(11,), calibration=16, crop=1.0)
    task = DetectionTask(situation("faster-rcnn", preset, count=16))
    torch.manual_seed(0)
    model = task.build(start())
    work, batch = task.work(model), task.batch(100)

    def loss():
        with drawing(torch.device("cpu"), 0, "a test"), torch.no_grad():
            return float(work.loss_of(batch))

    before = loss()
    train(work, Keeper(None, "k"))
    assert loss() < 0.7 * before


def test_a_class_that_is_never_learned_is_named():
    train = data_of([instances([[5, 5, 30, 30]], [1])] * 2, name="t")
    test = data_of(ODD)
    task = DetectionTask(replace(situation("faster-rcnn"), train=train, test=test))
    assert "none in training set: square" in task.test(Perfect(test), None).notes
