"""CSTP's pairs of boxes and clips, its comparison and its schedule against the official code."""

import numpy as np
import torch
from torch.testing import assert_close

from twofold.objectives.regression import normalised_squared_error
from twofold.randomness import uniforms
from twofold.training.plan import Plan
from twofold.videos.rule import Sampling
from twofold.videos.views.overlap import PACES, RATES, TRIES, place_boxes, place_clips

OURS = 6000


def columns(file, name):
    """The columns of a table of the file, by name."""
    return dict(zip(str(file[f"{name}_cols"]).split(), file[f"{name}_rows"].T, strict=True))


def same_shares(ours, theirs, classes):
    """Whether labels are as frequent in both, within five deviations of what so few draws give by chance."""
    a, b = (np.bincount(labels, minlength=classes) / len(labels) for labels in (ours, theirs))
    spread = np.sqrt(np.maximum(b, 1 / len(theirs)) * (1 / len(ours) + 1 / len(theirs)))
    assert (abs(a - b) < 5 * spread).all(), (a, b)


def covered(first, second):
    """Intersection / area of boxes left, top, width, height."""
    sides = [np.minimum(a, b) + size - np.maximum(a, b) for a, b, size in zip(first, second, first[2:], strict=False)]
    return sides[0] * sides[1] / (first[2] * first[3])


def test_boxes_overlap_by_their_rate_and_rates_are_as_frequent(golden):
    file = golden("video_cstp")
    theirs = columns(file, "spa")
    assert np.array_equal(file["spa_rates"], RATES)
    frames = np.stack([theirs["H"], theirs["W"]], 1)
    room = torch.as_tensor(frames[np.arange(OURS) % len(frames)])
    numbers = uniforms(torch.arange(OURS), 8 * TRIES + 1, 0, "boxes")
    (first, second), labels = place_boxes(room, numbers, "official")
    same_shares(labels.numpy(), theirs["label"], len(RATES))
    gap = covered(first.T.numpy(), second.T.numpy()) - np.array(RATES)[labels]
    assert gap.max() <= 1e-9 and gap.min() > -0.02
    share = (first[:, 2] * first[:, 3]).numpy() / room.prod(1).numpy()
    official = (theirs["x2a"] - theirs["x1a"]) * (theirs["y2a"] - theirs["y1a"]) / frames.prod(1)
    spread = official.std() / np.sqrt(len(official))
    assert abs(share.mean() - official.mean()) < 5 * spread and share.min() > float(file["spa_bottom_area"]) - 0.01


def test_clips_overlap_by_their_rate_and_rates_and_paces_are_as_frequent(golden):
    file = golden("video_cstp")
    theirs, sampling = columns(file, "tem"), Sampling(int(file["tem_sample_duration"]), 1)
    assert np.array_equal(file["tem_rates"], RATES) and np.array_equal(file["pace"], PACES)
    counts, found = theirs["n_frames"], []
    for i in range(OURS):
        numbers = uniforms(torch.tensor([i]), 2 + 2 * TRIES, 0, "clips")[0].double().tolist()
        found.append(place_clips(int(counts[i % len(counts)]), sampling, "official", numbers))
    same_shares([time for _, time, _, _ in found], theirs["tem_label"], len(RATES))
    same_shares([pace for _, _, pace, _ in found], theirs["pace_label"], len(PACES))
    frames = file["tem_idx"].astype(int) - 1
    for n, time, pace, (first, second) in zip(counts, theirs["tem_label"], theirs["pace_label"], frames, strict=True):
        span = (sampling.frames - 1) * PACES[pace]
        if n > span:  # as ours do, in test_overlap.py
            assert abs(second[0] - first[0]) == int((1 - RATES[time]) * span)


def test_the_comparison(golden):
    file = golden("video_cstp")
    p1, p2, z1, z2 = (torch.as_tensor(file[f"byol_{name}"]) for name in ("p1", "p2", "z1", "z2"))
    found = normalised_squared_error(p1, z2) + normalised_squared_error(p2, z1)
    assert_close(found, torch.as_tensor(file["byol_loss_per_sample"]), rtol=0, atol=1e-5)


def test_the_schedule(golden):
    file = golden("video_cstp")
    epochs = int(file["lr_total_steps"])
    plan = Plan(
        batch_size=2,
        epochs=epochs,
        lr=float(file["lr_max"]),
        floor=float(file["lr_min"]),
        schedule="cosine-epoch",
        warmup_epochs=float(file["lr_warmup_steps"]),
    )
    rates = [plan.rate(step, plan.length(2)) for step in range(epochs)]
    assert_close(torch.tensor(rates, dtype=torch.float64), torch.as_tensor(file["lr_300"]), rtol=0, atol=1e-12)
