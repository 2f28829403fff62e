"""The presets have the published numbers, and say what is changed of them."""

from __future__ import annotations

import pytest

from twofold.errors import UserError
from twofold.images.finetuning.presets import (
    DETECTION,
    PRESETS,
    PROTOCOLS,
    SEGMENTATION,
    changed,
    deviations,
    preset_named,
    resized,
)


def test_voc_c4_24k_is_the_published_one():
    voc = DETECTION["voc-c4-24k"]
    assert (voc.head, voc.iterations, voc.batch, voc.lr, voc.drops, voc.warmup) == (
        "c4", 24_000, 16, 0.02, (18_000, 22_000), 100
    )  # fmt: skip
    assert voc.short_sides == (480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800)
    assert (voc.long_side, voc.anchors, voc.calibration) == (1333, (32, 64, 128, 256, 512), 200 * 16)
    assert (voc.momentum, voc.weight_decay, voc.norms, voc.crop) == (0.9, 1e-4, True, 1.0)


def test_coco_fpn_1x_is_the_published_one():
    coco = DETECTION["coco-fpn-1x"]
    assert (coco.head, coco.iterations, coco.batch, coco.lr, coco.drops, coco.warmup) == (
        "fpn", 90_000, 16, 0.02, (60_000, 80_000), 1000
    )  # fmt: skip
    assert coco.short_sides == (640, 672, 704, 736, 768, 800)
    assert (coco.convolutions, coco.hidden, coco.norms, coco.calibration) == (4, 1024, True, 3200)


def test_the_segmentation_presets_are_the_published_ones():
    voc, city = SEGMENTATION["densecl-voc-20k"], SEGMENTATION["cityscapes"]
    for preset in (voc, city):
        assert (preset.lr, preset.momentum, preset.weight_decay, preset.power, preset.least) == (
            0.01, 0.9, 5e-4, 0.9, 1e-4
        )  # fmt: skip
        assert (preset.head, preset.auxiliary, preset.stride, preset.ratios) == ("reference", 0.4, 8, (0.5, 2.0))
    assert (voc.crop, voc.batch, voc.iterations, voc.window, voc.align_corners) == (512, 16, 20_000, None, False)
    assert (city.crop, city.batch, city.iterations, city.window, city.align_corners) == (
        769, 8, 40_000, (769, 513), True
    )  # fmt: skip


def test_the_rate_rises_and_drops_as_published():
    voc = DETECTION["voc-c4-24k"]
    assert voc.rate(0) == pytest.approx(0.02 / 1000)
    assert voc.rate(50) == pytest.approx(0.02 * 0.5005)
    assert [voc.rate(step) for step in (100, 17_999)] == [0.02, 0.02]
    assert [voc.rate(step) for step in (18_000, 22_000)] == pytest.approx([0.002, 0.0002])
    city = SEGMENTATION["cityscapes"]
    assert city.rate(0) == pytest.approx(0.01)
    assert city.rate(20_000) == pytest.approx(0.0099 * 0.5**0.9 + 1e-4)
    assert city.rate(39_999) == pytest.approx(1e-4, rel=0.01)


def test_a_shorter_run_keeps_the_shape_of_the_schedule_and_says_so():
    voc = DETECTION["voc-c4-24k"]
    short = changed(voc, iterations=240, batch=4)
    assert (short.drops, short.warmup, short.lr) == ((180, 220), 48, 0.005)
    assert deviations(short, voc) == [
        "iterations 240 instead of 24000", "batch 4 instead of 16", "rate 0.005 instead of 0.02"
    ]  # fmt: skip
    small = resized(voc, 320)
    assert (small.short_sides, small.long_side) == ((320,), 533)
    assert deviations(small, voc) == ["short sides 320 instead of 480-800"]
    assert deviations(voc, voc) == []
    city = resized(SEGMENTATION["cityscapes"], 512)
    assert (city.scale, city.crop, city.window) == ((1024, 512), 384, (384, 256))
    assert deviations(city, SEGMENTATION["cityscapes"]) == [
        "crop 384 instead of 769", "short side 512 instead of 1025"
    ]  # fmt: skip
    assert resized(voc, None) is voc


def test_unknown_presets_are_named_with_what_there_is():
    with pytest.raises(
        UserError, match=r'faster-rcnn has no preset "cityscapes"\. It has: quick, voc-c4-24k, coco-fpn'
    ):
        preset_named("cityscapes", "faster-rcnn")
    with pytest.raises(UserError, match='Did you mean "cityscapes"'):
        preset_named("cityscape", "fcn")
    for protocol in PROTOCOLS:
        assert preset_named("quick", protocol).iterations <= 300
    assert set(PRESETS) == {"quick", "voc-c4-24k", "coco-fpn-1x", "densecl-voc-20k", "cityscapes"}
