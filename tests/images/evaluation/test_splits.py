"""Labelled images: which ones, numbered how, balanced and nested."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.errors import UserError
from twofold.images.evaluation import few_labels, hold_out, labelled
from twofold.images.evaluation.splits import numbered, remarks

from .trees import opened, write


def test_images_without_a_label_are_left_out(tmp_path):
    folder = write(tmp_path / "set", 3, 0)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "loose.png")
    split = labelled(opened(folder))
    assert len(split) == 9 and split.labels.min() == 0
    assert all("loose" not in split.images.source.names[i] for i in split.indices)


def test_a_flat_folder_is_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "one.png")
    with pytest.raises(UserError, match="no labels"):
        labelled(opened(tmp_path))


def test_classes_are_matched_by_name(tmp_path, train_images):
    classes = train_images.source.classes
    part = labelled(opened(write(tmp_path / "part", 2, 0, classes=("elm", "oak"))), classes)
    assert part.labels.tolist() == [1, 1, 2, 2]
    odd = write(tmp_path / "odd", 2, 0, classes=("elm", "oak"))
    (odd / "oak").rename(odd / "yew")
    with pytest.raises(UserError, match=r'"yew", which the training images do not have .ash, elm, oak.'):
        labelled(opened(odd), classes)


def test_a_test_set_of_one_class_is_read_by_the_classes_of_the_training_set(tmp_path, train_images):
    source, classes = train_images.source, train_images.source.classes
    one = write(tmp_path / "one", 2, 0, classes=("elm",))
    deep = write(tmp_path / "deep", 2, 0, classes=("oak",))
    for year in ("2020", "2021"):
        (deep / "oak" / year).mkdir()
        (deep / "oak" / ("00.png" if year == "2020" else "01.png")).rename(deep / "oak" / year / "x.png")
    for folder, label in ((one, 1), (one / "elm", 1), (deep, 2), (deep / "oak", 2)):
        images = opened(folder)
        assert labelled(images, classes).labels.tolist() == [label, label]
        said = f"classes of {folder} are the folders named as those of the training images ({classes[label]})"
        assert remarks(source, images.source) == [said]
    with pytest.raises(UserError, match="no labels"):
        labelled(opened(one))


def test_a_class_that_no_training_image_has_is_said(tmp_path):
    np.savez(tmp_path / "train.npz", images=np.zeros((3, 8, 8), np.uint8), labels=np.array([0, 2, 2]))
    np.savez(tmp_path / "test.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.array([0, 1, 1, 2]))
    train, test = opened(tmp_path / "train.npz"), opened(tmp_path / "test.npz")
    assert labelled(test, train.source.classes).labels.tolist() == [0, 1, 1, 2]
    assert remarks(train.source, test.source) == [
        f"2 of 4 images of {tmp_path / 'test.npz'} are of classes that no training image has (1): these always count "
        "as wrong"
    ]
    assert remarks(test.source, train.source) == []


def test_hold_out_takes_a_share_of_each_class(train_images):
    split = labelled(train_images)
    train, test = hold_out(split, 0.2, seed=3)
    assert test.labels.bincount().tolist() == [4, 4, 4] and train.labels.bincount().tolist() == [16, 16, 16]
    assert sorted([*train.indices.tolist(), *test.indices.tolist()]) == split.indices.tolist()
    assert hold_out(split, 0.2, seed=4)[1].indices.tolist() != test.indices.tolist()


def test_few_labels_are_balanced_nested_and_at_least_one_a_class(train_images):
    split = labelled(train_images)
    tenth, half = few_labels(split, 0.1, seed=1), few_labels(split, 0.5, seed=1)
    assert tenth.labels.bincount().tolist() == [2, 2, 2] and half.labels.bincount().tolist() == [10, 10, 10]
    assert set(tenth.indices.tolist()) < set(half.indices.tolist())
    assert few_labels(split, 0.001).labels.tolist() == [0, 1, 2]
    assert all(split.labels[split.indices == i] == label for i, label in zip(tenth.indices, tenth.labels, strict=True))
    with pytest.raises(UserError, match="share"):
        few_labels(split, 1.5)


def test_labels_are_numbered_by_those_that_occur(train_images):
    whole = labelled(train_images)
    gapped = replace(whole, labels=torch.tensor([3, 9, 12])[whole.labels])
    only = gapped.take(gapped.labels == 9)
    (first, second), classes = numbered(only, gapped.take(gapped.labels == 12))
    assert classes == 2 and first.labels.unique().tolist() == [0] and second.labels.unique().tolist() == [1]
    (back,), classes = numbered(gapped)
    assert classes == 3 and torch.equal(back.labels, whole.labels)
