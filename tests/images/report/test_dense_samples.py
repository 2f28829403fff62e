"""The file of what a dense protocol shows: of a stranger it is read whole or refused."""

import io

import numpy as np
import pytest
from PIL import Image

from twofold.images.report.dense_samples import read_samples


def webp(width=8, height=6, form="WEBP"):
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(file, form)
    return np.frombuffer(file.getvalue(), np.uint8)


def arrays(**replaced):
    """One picture with masks of two classes, one query with two neighbours, one pair, one picture with boxes."""
    box = np.array([[0, 0, 0.5, 0.5]], np.float32)
    made = {
        "about": np.array(["streets, seed 0"]),
        "names": np.array(["a.png", "pair 2", "c.png"]),
        "classes": np.array(["road", "sky"]),
        "picture0": webp(),
        "truth0": np.array([[0] * 8] * 3 + [[-1] * 8] * 3, np.int16),
        "answer0": np.ones((6, 8), np.int16),
        "patches0": webp(18, 6),
        "kinds": np.array([[0, 0, 1]]),
        "cosines": np.array([[0.9, 0.5]]),
        "first1": webp(8, 8),
        "second1": webp(8, 8),
        "points1": np.array([[0.1, 0.2, 0.3, 0.4, 0.3, 0.5], [0.1, 0.2, 0.9, 0.9, 0.1, 0.1]], np.float32),
        "cell": np.array(0.125, np.float32),
        "picture2": webp(),
        "true2": box,
        "found2": np.concatenate([box, box]),
        "hits2": np.array([True, False]),
    }
    return made | replaced


def write(folder, **replaced):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "linear-segmentation.npz", **arrays(**replaced))
    return folder / "linear-segmentation.npz"


def test_all_is_read(tmp_path):
    found = read_samples(write(tmp_path))
    assert (len(found.masks), len(found.queries), len(found.pairs), len(found.boxes)) == (1, 1, 1, 1)
    assert found.queries[0].patches.shape == (3, 6, 6, 3) and found.pairs[0].name == "pair 2"
    assert found.boxes[0].hits == [True, False] and found.masks[0].truth.min() == -1


@pytest.mark.parametrize(
    "replaced",
    [
        {"picture0": webp(1025, 6)},
        {"picture0": webp(form="PNG")},
        {"picture0": np.zeros((4, 4), np.uint8)},
        {"picture0": webp()[:20]},
        {"truth0": np.zeros((5, 8), np.int16)},
        {"answer0": np.full((6, 8), 2, np.int16)},
        {"answer0": np.zeros((6, 8), np.float32)},
        {"kinds": np.array([[0, 0, 2]])},
        {"kinds": np.array([[0, 0]])},
        {"patches0": webp(17, 6)},
        {"cosines": np.array([[0.9, np.nan]])},
        {"points1": np.full((1, 6), np.inf, np.float32)},
        {"points1": np.zeros((2000, 6), np.float32)},
        {"points1": np.zeros((2, 5), np.float32)},
        {"cell": np.zeros(3, np.float32)},
        {"found2": np.zeros((3, 4), np.float32)},
        {"hits2": np.array([1, 0])},
        {"names": np.array(["a"] * 13)},
        {"classes": np.array(["a"] * 1001)},
        {"about": np.array(["a", "b"])},
        {"names": np.array([["a"]], dtype=object)},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, replaced):
    with pytest.raises((ValueError, KeyError, OSError)):
        read_samples(write(tmp_path, **replaced))
