"""The eight ways to lay a picture down, for pixels and for vectors."""

import struct
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from twofold.videos.orientation import Orientation, orientation_of, shown_size

EIGHT = [Orientation(*choice) for choice in product([False, True], repeat=3)]


def matrix(a, b, c, d):
    return struct.pack("<9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("entries", "turn"),
    [((1, 0, 0, 1), 0), ((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
)
def test_a_display_matrix_turns_by_quarters(entries, turn):
    picture = np.arange(24).reshape(2, 4, 3)
    assert np.array_equal(orientation_of(matrix(*entries)).pictures(picture), np.rot90(picture, turn))


def test_without_a_matrix_nothing_is_turned():
    assert orientation_of(None) == orientation_of(b"short") == Orientation()


@pytest.mark.parametrize("turn", EIGHT)
def test_vectors_point_where_pictures_move(turn):
    before, after = np.zeros((7, 9, 1)), np.zeros((7, 9, 1))
    before[3, 4], after[5, 3] = 1, 1  # one to the left, two down
    grid = np.zeros((7, 9, 2))
    grid[3, 4] = (-1, 2)
    first, second = (np.argwhere(turn.pictures(p)[..., 0])[0] for p in (before, after))
    found = turn.vectors(grid)[tuple(first)]
    assert np.array_equal(found[::-1], second - first)


def test_pixels_that_are_not_square_are_stretched_before_the_turn():
    assert shown_size(48, 64, Fraction(2), Orientation()) == (48, 128)
    assert shown_size(48, 64, Fraction(2), Orientation(transpose=True)) == (128, 48)
    assert shown_size(48, 64, Fraction(201, 200), Orientation()) == (48, 64)
    for odd in (None, Fraction(0), Fraction(1000), Fraction(1, 1000)):
        assert shown_size(48, 64, odd, Orientation()) == (48, 64)
