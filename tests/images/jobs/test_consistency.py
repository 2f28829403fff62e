"""Temporal consistency against cosines by hand, over a restart; and the collapse that strong CO2 brings is noticed."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

import twofold
from twofold.images.backbones import build_backbone
from twofold.images.evaluation.features import InputSettings, extract
from twofold.images.jobs.consistency import TemporalConsistency
from twofold.images.reading import Images, open_source
from twofold.seam import Progress

CELLS = Path(__file__).parents[3] / "examples" / "cells"
INPUTS = InputSettings(16, (0.5,) * 3, (0.25,) * 3)


def rows(run):
    with (run / "metrics.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_it_is_the_mean_cosine_to_the_stage_before_also_after_a_restart(tmp_path):
    images = Images(open_source(str(CELLS / "val.parquet")), short_side=32)
    torch.manual_seed(0)
    backbone = build_backbone("convnet", image_size=16)
    method = SimpleNamespace(backbone=backbone)
    before, found, expected = None, [], []
    for epoch in range(2, 9, 2):
        # A new object each time, as after a kill; 20 epochs make stages of 2.
        monitor = TemporalConsistency(images, INPUTS, tmp_path, epochs=20, seed=0)
        assert monitor.every_epochs == 2
        with torch.no_grad():
            for parameter in backbone.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        features = F.normalize(extract(backbone, images, INPUTS, indices=monitor.chosen), dim=1)
        found.append(monitor(method, Progress(epoch, 20, epoch, 20)).get("temporal_consistency"))
        expected.append(None if before is None else (features * before).sum(1).mean().item())
        before = features
    assert found[0] is None
    assert found[1:] == pytest.approx(expected[1:], abs=1e-3)
    assert monitor(method, Progress(9, 20, 9, 20)) == {}
    monitor.clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("count", "epochs", "asked"), [(20, 100, 20), (500, 10, 40), (2000, 10, 160), (500, 80, 256)])
def test_short_stages_ask_few_images(tmp_path, count, epochs, asked):
    monitor = TemporalConsistency(range(count), INPUTS, tmp_path, epochs=epochs, seed=0)
    assert len(monitor.chosen.unique()) == asked
    assert monitor.chosen.max() < count


@pytest.mark.parametrize("collapsing", [True, False])
def test_strong_consistency_on_few_negatives_collapses_and_is_named(tmp_path, collapsing, capsys):
    # The specification's finding at small scale: temperature 0.04 with weight 10 collapses, 0.05 with 0.3 does not.
    weight, temperature = (10.0, 0.04) if collapsing else (0.3, 0.05)
    run = twofold.pretrain(
        "moco+co2", str(CELLS / "train.parquet"), out=str(tmp_path / "run"), backbone="convnet", image_size=16,
        steps=60, batch_size=48, views="moco-v2", precision="fp32", knn_every=0, report=False, quiet=True,
        method_options={
            "co2.weight": weight, "co2.temperature": temperature, "co2.ramp": 0, "moco.temperature": 0.2, "head": "mlp",
        },
    )  # fmt: skip
    printed, last = capsys.readouterr().out, rows(run)[-1]
    assert ("agrees with anything" in printed) == collapsing
    assert (float(last["spread"]) < 0.1) == collapsing
    if collapsing:
        assert "The representation is collapsing" in printed and float(last["loss/co2"]) < 0.05
    assert 0 < float(last["temporal_consistency"]) <= 1.001
    assert not (run / "consistency").exists()
