"""Fine-tuning: learns from few labels, keeps the original, says when it diverged."""

import copy

import pytest
import torch

from twofold.errors import UserError
from twofold.images.evaluation import few_labels, labelled
from twofold.images.evaluation.finetune import FinetuneRecipe, finetune

QUICK = FinetuneRecipe(epochs=2, min_steps=30)


def test_it_learns_and_leaves_the_backbone_alone(backbone, train_images, test_images, inputs):
    before, calls = copy.deepcopy(backbone.state_dict()), []
    train, test = labelled(train_images), labelled(test_images)
    found = finetune(backbone, train, test, 3, inputs, recipe=QUICK, on_progress=lambda *p: calls.append(p))
    assert found["top1"] > 0.7
    assert calls[-1] == (8, 8)  # 4 batches of 16 an epoch, at least 30 steps
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())
    assert found == finetune(backbone, train, test, 3, inputs, recipe=QUICK)


def test_few_labels_are_gone_through_more_often(backbone, train_images, test_images, inputs, monkeypatch):
    from twofold.images.evaluation import finetune as module

    seen, real = [], module.epoch_batches

    def spy(split, *rest):
        seen.append(split.labels.bincount().tolist())
        return real(split, *rest)

    monkeypatch.setattr(module, "epoch_batches", spy)
    train, test = few_labels(labelled(train_images), 0.1), labelled(test_images)
    finetune(backbone, train, test, 3, inputs, recipe=QUICK)
    assert seen[0] == [2, 2, 2] and len(seen) == 30
    finetune(backbone, train, test, 3, inputs, recipe=QUICK, epochs=3)
    assert len(seen) == 33


def test_divergence_is_said(backbone, train_images, test_images, inputs):
    wild = FinetuneRecipe(lr=1e12, epochs=3, min_steps=0)
    with pytest.raises(UserError, match="learning rate"):
        finetune(backbone, labelled(train_images), labelled(test_images), 3, inputs, recipe=wild)
