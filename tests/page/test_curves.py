"""Curves: thinning keeps the extremes, smoothing is a plain moving mean."""

import math

import numpy as np
import pytest

from twofold.page.curves import series, smooth, thin


@pytest.mark.parametrize("count", [1, 4, 99, 100, 101, 12345])
def test_thin_keeps_ends_and_extremes(count):
    values = np.random.default_rng(0).normal(size=count)
    kept = thin(values, 100)
    assert len(kept) <= 100 and (np.diff(kept) > 0).all()
    assert kept[0] == 0 and kept[-1] == count - 1
    assert values[kept].max() == values.max() and values[kept].min() == values.min()


def test_thin_keeps_a_gap_and_survives_all_nan():
    values = np.r_[np.arange(1000.0), np.full(1000, np.nan), np.arange(1000.0)]
    assert np.isnan(values[thin(values, 60)]).any()
    assert len(thin(np.full(5000, np.nan), 60)) <= 60


def test_smooth_is_the_moving_mean():
    values = np.random.default_rng(1).normal(size=50)
    values[7] = np.nan
    for at, got in enumerate(smooth(values, 9)):
        near = values[max(0, at - 4) : at + 5]
        if at == 7:
            assert math.isnan(got)
        else:
            assert got == pytest.approx(np.nanmean(near))


def test_series_passes_over_empty_cells_and_counts_broken_ones():
    rows = [{"step": 1.0, "loss": 2.0}, {"step": 2.0}, {"step": 3.0, "loss": math.inf}, {"step": 4.0, "loss": 1.0}]
    curve = series(rows, "loss", "total")
    assert curve["x"] == {"step": [1, 3, 4]} and curve["y"] == [2, None, 1] and curve["broken"] == 1
    assert series(rows, "knn", "knn") is None and series([], "loss", "total") is None


def test_axes_and_units():
    rows = [{"step": float(s), "epoch": s / 10, "seconds": 30.0 * s, "loss": 1.0} for s in range(1, 4)]
    assert series(rows, "loss", "total")["x"] == {"step": [1, 2, 3], "epoch": [0.1, 0.2, 0.3], "minutes": [0.5, 1, 1.5]}


def test_long_noisy_curves_show_both():
    rows = [{"step": float(s), "loss": float(s % 2), "lr": 0.1} for s in range(5000)]
    curve = series(rows, "loss", "total", 300)
    assert len(curve["y"]) == len(curve["raw"]) == len(curve["x"]["step"]) <= 300
    assert set(curve["raw"]) == {0, 1} and 0.4 < curve["y"][100] < 0.6
    assert "raw" not in series(rows, "lr", "lr", 300)
