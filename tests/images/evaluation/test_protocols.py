"""Protocols by name: their rows, their floors, and the features behind them computed once."""

import json

import pytest

from twofold.errors import UserError
from twofold.evaluation.knn import knn_accuracy
from twofold.images.evaluation import PROTOCOLS, evaluate, labelled
from twofold.images.evaluation.protocols import check_protocols


def test_rows_and_floors(backbone, train_images, test_images, settings):
    train, test = labelled(train_images), labelled(test_images)
    scores = list(
        evaluate(backbone, train, test, 3, settings, protocols=("knn", "5nn", "linear"), name="moco", data="trees")
    )
    assert [(s.name, s.protocol) for s in scores if not s.floor] == [("moco", p) for p in ("knn", "5nn", "linear")]
    assert {s.name for s in scores if s.floor} == {"random network", "pixels (k 200, T 0.1)", "pixels (k 20, T 0.07)"}
    assert all(0 <= s.value <= 1 and s.metric == "top1" and s.data == "trees" for s in scores)
    assert json.loads(json.dumps(scores[0].row()))["settings"] == {
        "classes": 3,
        "train": 60,
        "test": 30,
        "labels": 1.0,
        "seed": 0,
    }
    bank, labels = train.features(backbone, settings)
    queries, truth = test.features(backbone, settings)
    assert scores[0].value == knn_accuracy(queries, truth, bank, labels, classes=3)


def test_without_floors_only_the_backbone(backbone, train_images, test_images, settings):
    told = []
    scores = list(
        evaluate(
            backbone,
            labelled(train_images),
            labelled(test_images),
            3,
            settings,
            protocols=("finetune", "linear-simclr-cifar"),
            floors=False,
            share=0.5,
            epochs=1,
            progress=lambda what: told.append(what),
        )
    )
    assert [s.protocol for s in scores] == ["finetune", "linear-simclr-cifar"] == told
    assert scores[0].settings["train"] == 30


def test_an_unknown_protocol_is_answered_with_the_nearest():
    check_protocols(PROTOCOLS)
    with pytest.raises(UserError, match='Did you mean "linear-moco"'):
        check_protocols(["linear-moko"])
