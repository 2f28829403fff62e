"""Changes by name: all views that have the operation, small crops where they are meant, and no change that is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from twofold.errors import UserError
from twofold.pixels.views import AUGMENTATIONS, Augmentation, Blur, Crop, Jitter, Solarise
from twofold.pixels.views.changes import adjustable, changed, full_options, in_words, listed_of, read_changes
from twofold.pixels.views.draw import draw
from twofold.videos.views import AUGMENTATIONS as OF_CLIPS

EVERY = {**AUGMENTATIONS, **{f"clips {name}": own.pictures for name, own in OF_CLIPS.items()}}


def after(name: str, **options: Any) -> Augmentation:
    """The augmentation of that name, changed."""
    options = {key.replace("__", "."): value for key, value in options.items()}
    return changed(AUGMENTATIONS[name], read_changes(AUGMENTATIONS[name], name, options))


def all_of(augmentation: Augmentation, kind: type) -> list[Any]:
    views = (*augmentation.views, augmentation.local)
    return [operation for view in views for operation in view if type(operation) is kind]


@pytest.mark.parametrize("name", EVERY)
def test_each_field_that_is_offered_changes_what_it_names_and_nothing_else(name: str) -> None:
    augmentation, other = EVERY[name], {"interpolation": "bilinear", "order": "fixed"}
    for field, values in adjustable(augmentation).items():
        last = field.rpartition(".")[2]
        value = other.get(last) or (0.5 if not isinstance(values[0], tuple) else tuple(v / 2 + 0.6 for v in values[0]))
        if last == "area":
            value = (0.15, 0.25)
        if last in ("factors", "shares"):
            value = (1.0,)
        if last == "hue":
            value = 0.3
        (change,) = read_changes(augmentation, name, {field: value})
        made = changed(augmentation, [change])
        assert adjustable(made)[field] == (value,)
        back = adjustable(made)
        kept = {key: had for key, had in adjustable(augmentation).items() if not key.endswith(field.split(".", 1)[-1])}
        assert {key: back[key] for key in kept} == kept


def test_all_views_that_have_it_are_changed() -> None:
    made = after("byol", blur=0.3, solarise="0")
    assert [one.p for one in all_of(made, Blur)] == [0.3, 0.3] and [one.p for one in all_of(made, Solarise)] == [0, 0]
    dino = after("dino-resnet50", jitter=0)
    assert [one.p for one in all_of(dino, Jitter)] == [0, 0, 0]


def test_small_crops_have_names_of_their_own() -> None:
    made = after("dino-resnet50", local__blur=0.1, blur=0, crop__area="0.3,1", local__crop__side=0.5)
    assert [one.p for one in all_of(made, Blur)] == [0, 0, 0.1]
    assert [(one.area, one.side) for one in all_of(made, Crop)] == [((0.3, 1.0), 1.0)] * 2 + [((0.05, 0.14), 0.5)]


def test_a_recipe_may_have_lists_where_ours_have_tuples() -> None:
    recipe = Augmentation([[Crop([0.3, 1.0]), Jitter(0.1, 0.1, 0.1, 0.1)]])
    (change,) = read_changes(recipe, "mine", {"crop.area": [0.5, 1]})
    assert str(change) == "crop.area 0.5,1 (was 0.3,1)" and changed(recipe, [change]).views[0][0] == Crop((0.5, 1.0))


def test_spellings_of_torchvision_are_understood() -> None:
    assert after("byol", grayscale=0.5, solarize=0.1) == after("byol", grey__p=0.5, solarise__p=0.1)


def test_the_other_draws_stay_what_they_are() -> None:
    index, size = torch.arange(20), torch.full((20, 2), 40)
    before = draw(AUGMENTATIONS["byol"], index, size, 3, 0)
    for plain, other in zip(before, draw(after("byol", jitter=0), index, size, 3, 0), strict=True):
        for one, two in zip(plain, other, strict=True):
            assert torch.equal(one.values, two.values)
            assert not two.applied.any() if type(one.op) is Jitter else torch.equal(one.applied, two.applied)


def test_changes_in_words_and_under_full_names() -> None:
    changes = read_changes(AUGMENTATIONS["byol"], "byol", {"blur": "0.5", "crop.area": "0.2,1", "flip": 0.5})
    said = ", changed: blur.p 0.5 (was 1 and 0.1); crop.area 0.2,1 (was 0.08,1); flip.p 0.5 (as it was)"
    assert in_words(changes) == said
    assert full_options(changes) == {"blur.p": 0.5, "crop.area": (0.2, 1.0), "flip.p": 0.5}
    assert in_words([]) == "" and full_options([]) is None
    assert "grey.p 0.2" in listed_of("moco-v2") and "local.crop.area 0.05,0.14" in listed_of("swav")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"blur": 0},
            "simclr-cifar has no blur: it has crop, flip, jitter and grey, and more takes a recipe of your own",
        ),
        ({"jiter": 0}, 'has crop, flip, jitter and grey. Did you mean "jitter"'),
        ({"jitter.hew": 0}, 'jitter has no hew: .* Did you mean "jitter.hue"'),
        ({"crop": 0}, "crop has no probability: it has crop.area, crop.ratio and crop.interpolation"),
        ({"crop.side": 0.5}, "crop has no side"),
        ({"local.jitter": 0}, "simclr-cifar has no local.jitter"),
        ({"normalise": 0}, "changes nothing"),
        ({"": 0}, "changes nothing"),
        ({3: 0}, "changes nothing"),
        ({"jitter": 2}, "--views.jitter must be at least 0 and at most 1, not 2"),
        ({"jitter": {"p": 0}}, "--views.jitter takes a number"),
    ],
    ids=str,
)
def test_what_changes_nothing_is_refused(options: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_changes(AUGMENTATIONS["simclr-cifar"], "simclr-cifar", options)


def test_fields_that_do_nothing_are_not_offered() -> None:
    offered = {name: set(adjustable(augmentation)) for name, augmentation in EVERY.items()}
    assert "blur.factors" in offered["scrl"] and "blur.sigma" not in offered["scrl"]
    assert "blur.sigma" in offered["byol"] and "blur.factors" not in offered["byol"]
    assert {"window.shares", "window.interpolation"} == {name for name in offered["clips be"] if "window" in name}
    assert dataclasses.replace(AUGMENTATIONS["byol"], local=()) == AUGMENTATIONS["byol"]
