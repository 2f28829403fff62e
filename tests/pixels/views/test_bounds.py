"""Values of an operation's fields: text and numbers as the field's type, and bounds that both must keep."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from twofold.errors import UserError
from twofold.pixels.views import Augmentation, Blur, Crop, Flip, Jitter, Normalise, Window
from twofold.pixels.views.augmentations import Operation
from twofold.pixels.views.bounds import BOUNDS, fitting, typed


@pytest.mark.parametrize(
    ("operation", "field", "given", "found"),
    [
        (Flip, "p", "0.25", 0.25),
        (Crop, "area", "0.2,1", (0.2, 1.0)),
        (Crop, "area", [0.2, 1], (0.2, 1.0)),
        (Crop, "interpolation", "bicubic", "bicubic"),
        (Window, "shares", "0.5,0.75,1", (0.5, 0.75, 1.0)),
        (Blur, "factors", (), ()),
    ],
)
def test_a_value_is_read_as_its_field_has_it(operation: type, field: str, given: object, found: object) -> None:
    assert fitting("x", operation, field, given) == found


@pytest.mark.parametrize(
    ("operation", "field", "value", "says"),
    [
        (Flip, "p", 1.5, r"must be at least 0 and at most 1, not 1\.5"),
        (Flip, "p", "often", "takes a number"),
        (Jitter, "hue", 0.6, r"at most 0\.5"),
        (Jitter, "brightness", -1, "at least 0"),
        (Blur, "sigma", (0.1, float("inf")), "must be at least 0, not inf"),
        (Crop, "ratio", (0, 1), "must be above 0, not 0"),
        (Crop, "area", (1.0, 0.2), "the lower one first, not 1,0.2"),
        (Crop, "area", "0.5", "takes two numbers"),
        (Crop, "interpolation", "nearest", "one of bilinear, bicubic"),
        (Window, "shares", (), "there are none"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(operation: type, field: str, value: Any, says: str) -> None:
    with pytest.raises(UserError, match=f"--views.x .*{says}"):
        fitting("--views.x", operation, field, value)
    if not isinstance(value, str):
        settings = {"brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1} if operation is Jitter else {}
        settings |= {"p": 0.5} if operation is Blur else {}
        one = operation(**{**settings, field: value})
        with pytest.raises(UserError, match=says):
            Augmentation(((one,) if isinstance(one, Crop) else (Crop(), one),))


def test_every_number_of_every_operation_has_bounds() -> None:
    fields = {field.name for kind in (*get_args(Operation), Window) for field in dataclasses.fields(kind)}
    assert fields - {"interpolation", "order"} == set(BOUNDS)


@pytest.mark.parametrize(
    ("views", "says"),
    [
        ((Crop(), Flip()), "is a tuple of operations"),
        (((Crop(), "flip"),), "such as Crop and Flip, not of str"),
        (((Crop(), Flip("0.5")),), "Flip.p takes a number, not the text '0.5'"),
    ],
)
def test_what_is_no_view_is_said(views: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Augmentation(views)
    assert Augmentation(((Crop(), Normalise()),)).normalises


def test_a_value_is_shown_as_it_is_typed() -> None:
    assert [typed(value) for value in (0.5, 1.0, (0.08, 1.0), "random")] == ["0.5", "1", "0.08,1", "random"]
