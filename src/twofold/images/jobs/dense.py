"""Dense protocols in `evaluate`: the data that they need, the sides that are compared, and the rows of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.images.dense.maps import DenseFeatures, Mapper, RawPixels
from twofold.images.dense.pairs import PointPair, read_pairs, read_picture
from twofold.images.dense.pictures import some_pictures
from twofold.images.evaluation.floors import CALIBRATION_BATCHES, calibrated
from twofold.images.jobs.dense_protocols import PROTOCOLS, Asked, Measured, Side
from twofold.images.jobs.kept import Kept, folder_of
from twofold.images.jobs.model import Model, open_images
from twofold.images.jobs.online import PIXELS, UNTRAINED
from twofold.images.labels import Labelled, form_of, near_copies, open_labelled, open_pair
from twofold.images.labels.tabular import is_tabular
from twofold.images.options import Evaluate
from twofold.images.reading import Images
from twofold.printable import say
from twofold.randomness import generator
from twofold.runs.outcome import trained_epochs
from twofold.runs.screen import progress_bar

SHORT_SIDE, VIEW_SIDE = 12, 7  # in cells: of pictures, and of the crops of `correspondence`, where not given
CALIBRATED_ON = 32  # pictures


def measure_dense(model: Model, protocols: Sequence[str], data: str, options: Evaluate) -> list[dict[str, Any]]:
    """The results of a model, and of its floors, by dense protocols, as evaluation.json keeps them.

    Each number is printed as soon as it is known, unless quiet, and kept: the same command goes on where one was
    killed. Raises UserError where the backbone has no map, or the data not the labels that a protocol needs.
    """
    if not protocols:
        return []
    mapper = DenseFeatures(model.backbone, model.inputs, options.dense_layers)
    size = options.dense_size or max(SHORT_SIDE * mapper.stride, model.inputs.size)
    mapper = replace(mapper, inputs=replace(model.inputs, size=size))
    side = options.dense_size or max(VIEW_SIDE * mapper.stride, model.inputs.size)
    asked = _asked(protocols, data, options, model, side)
    if not options.quiet:
        say(f"{model.name}: {', '.join(_described(asked))}; maps of short side {size} px, cells of {mapper.stride} px")
    name = model.method or model.name
    found: dict[str, dict[str, Measured]] = {protocol: {} for protocol in protocols}
    kept = Kept(folder_of(model, options), asked)
    for label, made in _sides(name, mapper, asked, options):
        compared = Side(made, asked, shown=label == name and model.run is not None)
        for protocol in protocols:
            measured, before = _measured(protocol, label, compared, kept)
            found[protocol][label] = measured
            if not options.quiet:
                numbers = ", ".join(f"{metric} {shown(metric, value)}" for metric, value in measured.numbers.items())
                say(f"{protocol}, {label}: {numbers}{' (known from before)' if before else ''}")
                if measured.note:
                    say(f"{protocol}, {label}: {measured.note}")
    rows = [row for protocol, sides in found.items() for row in _rows(protocol, name, sides, options.floors)]
    same = {"data": options.test or data, "seed": options.seed}
    about = {protocol: _circumstances(protocol, asked, data, mapper, model.run) for protocol in protocols}
    return [{**row, **same, **about[row["protocol"]]} for row in rows]


def _measured(protocol: str, label: str, compared: Side, kept: Kept) -> tuple[Measured, bool]:
    """A side's result by a protocol, measured and kept, and whether an earlier command knew it already."""
    known = kept.known(protocol, label, compared.mapper)
    if known is not None:
        return known, True
    with progress_bar(f"{protocol}, {label}", compared.asked.options.quiet) as on_progress:
        found = PROTOCOLS[protocol].measure(compared, on_progress)
    kept.keep(protocol, label, compared.mapper, found)
    return found, False


def _circumstances(
    protocol: str, asked: Asked, data: str, mapper: Mapper, run: Path | None
) -> dict[str, dict[str, Any]]:
    """What beside the protocol makes a number another one: {"conditions", "fingerprints"}."""
    kind, options = PROTOCOLS[protocol], asked.options
    sides = asked.masks if kind.needs == "masks" else asked.boxes if kind.needs == "boxes" else None
    conditions: dict[str, Any] = {"size": f"{mapper.inputs.size} px", "precision": mapper.inputs.precision}
    if run and (epochs := trained_epochs(run)):
        conditions["epochs trained"] = epochs
    marks: dict[str, str] = {}
    if sides:
        marks["data"] = sides[1].mark
    elif kind.needs == "pictures" and asked.pictures is not None:
        pictures = asked.pictures
        marks["data"] = pictures.source.fingerprint() if isinstance(pictures, Images) else pictures.mark
    if sides and kind.learns:
        conditions["learned from"], marks["learned from"] = data, sides[0].mark
        conditions |= {"labels": options.labels} if options.labels < 1 else {}
        conditions |= {"near copies": asked.copies} if asked.copies else {}
    return {"conditions": conditions, "fingerprints": marks}


def shown(metric: str, value: float) -> str:
    """A number of a metric in words: a share as percent, an error with its unit."""
    return f"{value:.1f} px" if metric.endswith(" px") else f"{value:.1%}"


def _rows(protocol: str, name: str, sides: Mapping[str, Measured], floors: bool) -> Iterator[dict[str, Any]]:
    first = sides[name]
    numbers = {label: measured.numbers for label, measured in sides.items()}
    for label, found in {**numbers, **(first.floors if floors else {})}.items():
        more = sides[label].more if label in sides else {}
        for metric, value in found.items():
            row = {"protocol": protocol, "metric": metric, "name": label, "value": value, "floor": label != name}
            about = {"unit": "px", "lower_is_better": True} if metric.endswith(" px") else {}
            yield {**row, "settings": first.settings, **about, **more}


def _sides(name: str, mapper: DenseFeatures, asked: Asked, options: Evaluate) -> Iterator[tuple[str, Mapper]]:
    yield name, mapper
    if options.floors:
        yield PIXELS, RawPixels.like(mapper)
        views = _calibration_views(mapper, asked, options.seed)
        yield UNTRAINED, replace(mapper, backbone=calibrated(mapper.backbone, views, mapper.inputs, options.seed))


def _calibration_views(mapper: Mapper, asked: Asked, seed: int) -> Iterator[Tensor]:
    """A few batches of whole pictures as the protocols see them; of one shape each, more than one picture in each."""
    pictures = itertools.islice(_some(asked, mapper.inputs.size, seed), CALIBRATED_ON)
    by_shape: dict[tuple[int, ...], list[Tensor]] = {}
    for picture in pictures:
        view = mapper.view(picture)
        by_shape.setdefault(tuple(view.shape), []).append(view)
    groups = sorted(by_shape.values(), key=len, reverse=True)[:CALIBRATION_BATCHES]
    batches = [part for group in groups for part in _parts(group)]
    yield from (torch.stack(part) for part in batches[:CALIBRATION_BATCHES])


def _parts(group: list[Tensor]) -> list[list[Tensor]]:
    size = max(-(-len(group) // CALIBRATION_BATCHES), 2)
    parts = [group[start : start + size] for start in range(0, len(group), size)]
    return [part for part in parts if len(part) > 1] or parts


def _some(asked: Asked, size: int, seed: int) -> Iterator[Tensor]:
    """uint8 pictures (3, H, W) of whatever the protocols are put to."""
    labelled = asked.masks or asked.boxes
    known = labelled[0] if labelled else asked.pictures
    if known is None:
        yield from (read_picture(pair.source) for pair in asked.pairs)
        return
    for batch in some_pictures(known, 2 * size, seed, most=CALIBRATED_ON):
        for picture, (height, width) in zip(batch.pixels.cpu(), batch.size.tolist(), strict=True):
            yield picture[:, :height, :width]


def _asked(protocols: Sequence[str], data: str, options: Evaluate, model: Model, side: int) -> Asked:
    """The data of each kind that a protocol needs, opened and looked at."""
    needs = {PROTOCOLS[name].needs: name for name in reversed(protocols)}
    masks = boxes = None
    copies: int | None = None
    if "masks" in needs or "boxes" in needs:
        both = _labelled(data, options, needs)
        for part in both:
            for kind, has in (("masks", part.has_masks), ("boxes", part.has_boxes)):
                if kind in needs and not has:
                    raise UserError(f"{part.name} has no {kind}, which {needs[kind]} needs: give data with {kind}.")
        if "masks" in needs:
            masks = both[0].for_segmentation(), both[1].for_segmentation()
        if "boxes" in needs:
            boxes = both[0].for_detection(), both[1].for_detection()
        leak = near_copies(*both)
        copies = leak.copies
        if not options.quiet:
            say(leak.sentence())
    known = masks or boxes
    pictures: Images | Labelled | None = known[1] if known else None
    if "pictures" in needs and pictures is None:
        pictures = _pictures(data, options, model, side)
    pairs: list[PointPair] = []
    if "pairs" in needs:
        pairs, empty = read_pairs(options.test or data, options.of_one(_is_test(options))["images"])
        if empty and not options.quiet:
            say(f"{empty:,} pairs mark no point and are left out.")
    return Asked(options, masks, boxes, pictures, pairs, side, copies)


def _is_test(options: Evaluate) -> bool:
    """Whether pictures without labels are those to test on. Raises UserError where only their place is given."""
    if options.test is None and options.test_images is not None:
        raise UserError("--test-images says where the pictures of --test are: give --test, or leave it out.")
    return options.test is not None


def _pictures(data: str, options: Evaluate, model: Model, side: int) -> Images | Labelled:
    """Pictures whose labels nobody asks about; where a folder or file has labels, the pictures without the masks."""
    path, test = options.test or data, _is_test(options)
    if not is_tabular(path) and form_of(path):
        return open_labelled(path, image_column=options.image_column, **options.of_one(test))
    return open_images(path, options, side, model.inputs.device, "test" if test else "train", seed=options.seed)


def _labelled(data: str, options: Evaluate, needs: Collection[str]) -> tuple[Labelled, Labelled]:
    """Pictures to learn from (with --labels a share of them) and to test on; what is odd in labels is printed."""
    only = [kind for kind in ("masks", "boxes") if kind in needs]
    train, test = open_pair(
        data,
        options.test,
        seed=options.seed,
        image_column=options.image_column,
        part=options.part,
        want=only[0] if len(only) == 1 else None,
        **options.of_labels(),
    )
    if options.labels < 1:
        order = torch.randperm(len(train), generator=generator(options.seed, "labelled pictures"))
        train = train.select(order[: max(round(options.labels * len(train)), 1)].sort().values.tolist())
    if not options.quiet:
        for finding in dict.fromkeys([*train.findings, *test.findings]):
            say(f"note: {finding}")
    return train, test


def _described(asked: Asked) -> Iterator[str]:
    known = asked.masks or asked.boxes
    if known:
        yield f"{len(known[0]):,} pictures to learn from, {len(known[1]):,} to test on"
        yield f"{len(known[0].classes)} classes"
    elif asked.pictures is not None:
        yield f"{len(asked.pictures):,} pictures"
    if asked.pairs:
        yield f"{len(asked.pairs):,} pairs"
