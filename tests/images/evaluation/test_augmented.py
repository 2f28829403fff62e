"""Epochs of crops: every image once, seeded, never a replacement under another label."""

import torch

from twofold.images.evaluation import labelled
from twofold.images.evaluation.augmented import epoch_batches

from .trees import opened, write


def gathered(split, epoch, inputs, seed=0, batch_size=8):
    parts = list(epoch_batches(split, epoch, batch_size, inputs, seed))
    return [len(x) for x, _ in parts], torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def test_an_epoch_shows_every_image_once_in_a_seeded_order(train_images, inputs):
    split = labelled(train_images)
    sizes, x, labels = gathered(split, 0, inputs)
    assert sizes == [8, 8, 8, 8, 7, 7, 7, 7] and labels.bincount().tolist() == [20, 20, 20]
    assert x.shape == (60, 3, 16, 16)
    assert torch.equal(x, gathered(split, 0, inputs)[1])
    assert not torch.equal(labels, gathered(split, 1, inputs)[2])
    assert not torch.equal(labels, gathered(split, 0, inputs, seed=1)[2])


def test_crops_depend_on_the_image_and_not_on_the_batch(train_images, inputs):
    split = labelled(train_images)
    whole = gathered(split, 0, inputs, batch_size=60)[1]
    torch.testing.assert_close(gathered(split, 0, inputs, batch_size=8)[1], whole)


def test_views_are_normalised(train_images, inputs):
    x = gathered(labelled(train_images), 0, inputs)[1]
    raw = x * torch.tensor(inputs.std)[:, None, None] + torch.tensor(inputs.mean)[:, None, None]
    assert raw.min() > -1e-5 and raw.max() < 1 + 1e-5 and raw.mean().sub(120 / 255).abs() < 0.05


def test_replacements_are_left_out(tmp_path, inputs):
    folder = write(tmp_path / "set", 5, 0)
    (folder / "elm" / "02.png").write_bytes(b"broken")
    _, _, labels = gathered(labelled(opened(folder, max_unreadable=0.5)), 0, inputs, batch_size=1)
    assert labels.bincount().tolist() == [5, 4, 5]
