"""Every form of a segmentation becomes one mask (field row 14)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twofold.images.labels import open_labelled
from twofold.images.labels.shapes import ShapeError, bounds_of, decode_runs, fill, mask_of, read_shape

from .samples import DISC, noted, one, thing


def runs_of(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed counts, run by run."""
    counts, last, length = [], 0, 0
    for value in mask.T.ravel().astype(int).tolist():
        if value != last:
            counts.append(length)
            last, length = value, 0
        length += 1
    return [*counts, length]


def packed(counts: list[int]) -> str:
    """COCO's compressed string, number by number, from the format's definition."""
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        while True:
            bits = x & 31
            x >>= 5
            more = x != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | (32 if more else 0)))
            if not more:
                break
    return text


def outline_of(mask: np.ndarray) -> list[float]:
    """A polygon along the edges of the pixels of a mask whose rows are one run each."""
    rows = np.flatnonzero(mask.any(1))
    left = [(mask[r].argmax(), r) for r in rows]
    right = [(mask.shape[1] - mask[r, ::-1].argmax(), r) for r in rows]
    down = [p for x, y in left for p in ((x, y), (x, y + 1))]
    up = [p for x, y in reversed(right) for p in ((x, y + 1), (x, y))]
    return [float(v) for point in down + up for v in point]


SIZE = [40, 60]
POLYGON = outline_of(DISC)
FORMS = {
    "polygon": [POLYGON],
    "flat": POLYGON,
    "nested too deep": [[POLYGON]],
    "points": [list(p) for p in zip(POLYGON[::2], POLYGON[1::2], strict=True)],
    "points in a list": [[list(p) for p in zip(POLYGON[::2], POLYGON[1::2], strict=True)]],
    "named points": [{"x": x, "y": y} for x, y in zip(POLYGON[::2], POLYGON[1::2], strict=True)],
    "strings": [[str(v) for v in POLYGON]],
    "text": json.dumps([POLYGON]),
    "two halves": [outline_of(DISC & (np.arange(60) < 30)), outline_of(DISC & (np.arange(60) >= 30))],
    "with a line beside it": [POLYGON, [1, 1, 5, 5]],
    "run list": {"size": SIZE, "counts": runs_of(DISC)},
    "run list without size": {"counts": runs_of(DISC)},
    "run string": {"size": SIZE, "counts": packed(runs_of(DISC))},
    "runs in a list": [{"size": SIZE, "counts": packed(runs_of(DISC))}],
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_one_mask(form):
    shape = read_shape(FORMS[form], 40, 60)
    np.testing.assert_array_equal(mask_of(shape, (40, 60)), DISC)
    ys, xs = np.nonzero(DISC)
    assert bounds_of(shape) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=100, deadline=None)
def test_runs_come_back_as_they_were_packed(mask):
    counts = runs_of(mask)
    assert decode_runs(packed(counts).encode()).tolist() == counts
    shape = read_shape({"size": list(mask.shape), "counts": packed(counts)}, *mask.shape)
    np.testing.assert_array_equal(mask_of(shape, mask.shape), mask)
    ys, xs = np.nonzero(mask)
    assert bounds_of(shape) == ((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else None)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_counts_are_unpacked(counts):
    assert decode_runs(packed(counts).encode()).tolist() == counts


def inside(ring: np.ndarray, x: float, y: float) -> bool:
    """The even-odd rule for one point, edge by edge."""
    odd = False
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if (y0 <= y) != (y1 <= y) and x >= x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            odd = not odd
    return odd


def from_edges(ring: np.ndarray, x: float, y: float) -> float:
    """How far a point lies from the nearest edge."""
    distances = []
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        along = np.clip(np.dot(np.array([x, y]) - a, b - a) / max(np.dot(b - a, b - a), 1e-30), 0, 1)
        distances.append(np.hypot(*(a + along * (b - a) - [x, y])))
    return float(min(distances))


@given(st.lists(st.tuples(st.floats(-3, 12, width=16), st.floats(-3, 11, width=16)), min_size=3, max_size=7))
@settings(max_examples=100, deadline=None)
def test_a_polygon_is_filled_by_the_centres_of_pixels(points):
    ring = np.array(points, np.float64)
    wanted = np.array([[inside(ring, x + 0.5, y + 0.5) for x in range(9)] for y in range(8)])
    clear = np.array([[from_edges(ring, x + 0.5, y + 0.5) > 1e-9 for x in range(9)] for y in range(8)])
    np.testing.assert_array_equal(fill([ring], 8, 9)[clear], wanted[clear])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "empty segmentation"),
        ([[]], "fewer than three points"),
        ([[1, 2, 3, 4]], "fewer than three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "odd number"),
        ([["a", "b", "c", "d", "e", "f"]], "something else than numbers"),
        ([[1, 2, 3, 4, 5, float("nan")]], "not finite"),
        ([[[[[[[1, 2, 3, 4, 5, 6]]]]]]], "nested too deep"),
        ({"size": SIZE, "counts": [5, 5]}, "do not fill"),
        ({"size": SIZE, "counts": [-5, 2405]}, "impossible lengths"),
        ({"size": [10**9, 10**9], "counts": [10**18]}, "impossible"),
        ({"size": SIZE, "counts": "\x00\x01"}, "other characters"),
        ({"size": SIZE, "counts": "PPPP"}, "cut short"),
        ({"size": SIZE, "counts": "o" * 400 + "0"}, "impossible lengths"),
        ({"size": SIZE}, "without counts"),
        ({"size": "big", "counts": []}, "no pair"),
        (True, "a bool"),
        (7, "a int"),
        ("[[1,", "text that is no segmentation"),
    ],
)
def test_what_is_no_segmentation_says_why(value, reason):
    with pytest.raises(ShapeError, match=reason):
        read_shape(value, 40, 60)


BOX = [17, 7, 25, 25]


def test_four_annotations_of_one_disc(tmp_path):
    segmentations = [[POLYGON], FORMS["run list"], FORMS["run string"], []]
    data = open_labelled(one(tmp_path, [thing(1, BOX, segmentation=s, iscrowd=0) for s in segmentations]))
    found = data.instances(0)
    assert found.masks is not None and len(found) == 3
    for mask in found.masks:
        np.testing.assert_array_equal(mask.numpy(), DISC)
    assert noted(data, "1 of 4 objects have no usable segmentation (empty segmentation 1)")
    assert len(data.for_detection().instances(0)) == 4 and data.for_detection().instances(0).masks is None
    assert found.areas.tolist() == [DISC.sum()] * 3


def test_dropped_segmentations_are_counted_by_reason(tmp_path):
    broken = [[[1, 1, 9, 9]], {"size": SIZE, "counts": [3]}, [[POLYGON]], [[1.0, 2, 3]]]
    data = open_labelled(one(tmp_path, [thing(1, BOX, segmentation=s) for s in [*broken, *[[POLYGON]] * 2]]))
    assert noted(data, "polygon of fewer than three points 1", "do not fill their picture 1", "odd number")
    assert len(data.instances(0)) == 3


def test_boxes_alone_offer_detection_and_refuse_masks_in_a_sentence(tmp_path):
    data = open_labelled(one(tmp_path, [thing(1, BOX), thing(1, BOX)]))
    assert data.has_boxes and not data.has_masks
    with pytest.raises(Exception, match=r"has boxes but no masks: use a detection protocol, or data with masks\."):
        data.mask(0)
    with pytest.raises(Exception, match="has boxes but no masks"):
        data.for_segmentation()


def test_a_segmentation_elsewhere_than_its_box_is_counted(tmp_path):
    data = open_labelled(
        one(tmp_path, [thing(1, [0, 0, 8, 8], segmentation=[POLYGON]), thing(1, BOX, segmentation=[POLYGON])])
    )
    assert noted(data, "do not match their box", ": 1 ")


def test_instances_make_a_semantic_mask_with_background(tmp_path):
    inner = [25.0, 15, 35, 15, 35, 25, 25, 25]
    data = open_labelled(
        one(tmp_path, [thing(1, [25, 15, 10, 10], segmentation=[inner]), thing(1, BOX, segmentation=[POLYGON])])
    )
    assert data.mask(0).unique().tolist() == [-1, 0]
    whole = data.for_segmentation()
    assert whole.classes == ("background", "cell") and not whole.has_boxes
    np.testing.assert_array_equal(whole.mask(0).numpy() == 1, DISC)


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
@settings(max_examples=50, deadline=None)
def test_runs_are_those_of_pycocotools(mask):
    coder = pytest.importorskip("pycocotools.mask")
    packed_there = coder.encode(np.asfortranarray(mask.astype(np.uint8)))
    np.testing.assert_array_equal(mask_of(read_shape(packed_there, *mask.shape), mask.shape), mask)
    assert packed(runs_of(mask)).encode() == packed_there["counts"]


@given(st.lists(st.tuples(st.floats(1, 59, width=16), st.floats(1, 39, width=16)), min_size=3, max_size=8))
@settings(max_examples=50, deadline=None)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_polygons_are_those_of_pycocotools_but_for_their_edges(points):
    coder = pytest.importorskip("pycocotools.mask")
    ring = [float(v) for point in points for v in point]
    theirs = coder.decode(coder.merge(coder.frPyObjects([ring], 40, 60))).astype(bool)
    ours = mask_of(read_shape([ring], 40, 60), (40, 60))
    rows = np.argwhere(theirs != ours)
    assert all(from_edges(np.array(points), x + 0.5, y + 0.5) < 1.5 for y, x in rows)
