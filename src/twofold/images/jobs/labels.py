"""Labels of dense tasks as `check` shows them: pictures, classes with objects or pixels, what is odd."""

from __future__ import annotations

import os
from typing import Any

from twofold.errors import UserError, clause
from twofold.images.labels import Labelled, form_of, near_copies, open_labelled, open_pair
from twofold.images.labels.opening import FILES
from twofold.images.options import Check
from twofold.printable import say


def is_label_file(data: str) -> bool:
    """Whether a path is a file of labels alone, which holds no images to train on."""
    return data.lower().endswith(FILES) and os.path.isfile(data)


def look(data: str, options: Check) -> dict[str, Any] | None:
    """Print what the labels hold and return the numbers; None where there are no labels of dense tasks.

    Labels that cannot be used raise a UserError where the user names them or says how to read them; where they were
    found by a look at images, the sentence is printed.
    """
    asked = is_label_file(data) or any(options.of_labels().values())
    form = form_of(data)
    if form is None and not asked:
        return None
    try:
        opened = _open(data, options)
        say("\n".join(line for one in opened for line in lines(one)))
        if len(opened) > 1:
            say(near_copies(*opened).sentence())
    except UserError as error:
        if asked:
            raise
        say(f"labels that cannot be read as they are: {error}")
        return {"labels": clause(error)}
    return {"labels": [numbers(one) for one in opened]}


def _open(data: str, options: Check) -> tuple[Labelled, ...]:
    """The labelled pictures, and with --val those to test on."""
    of_tables: dict[str, Any] = {"image_column": options.image_column, "part": options.part}
    if options.val is not None and (is_label_file(options.val) or form_of(options.val)):
        return open_pair(data, options.val, **options.of_labels(), **of_tables)
    if options.test_images is not None:
        raise UserError("--test-images says where the pictures of --val are: give labels by --val, or leave it out.")
    return (open_labelled(data, **options.of_one(), **of_tables),)


def lines(data: Labelled) -> list[str]:
    """The labels for a person: a line in all, a line a class (or mask value), what is odd."""
    kind = " and ".join(word for word, has in (("masks", data.has_masks), ("boxes", data.has_boxes)) if has)
    out = [f"{data.name}: {len(data):,} labelled pictures with {kind}, {len(data.classes)} classes"]
    unit = data.tallies[0].unit if data.tallies else "objects"
    total = max(1, sum(tally.count for tally in data.tallies))
    rows = [("value" if unit == "pixels" else "number", "class", unit, "share", "pictures")]
    for tally in data.tallies:
        share = f"{tally.count / total:.2%}"
        rows.append((tally.value, tally.name, f"{tally.count:,}", share, f"{tally.pictures:,}"))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    for row in rows:
        cells = [
            cell.ljust(w) if k == 1 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    return [*out, *(f"note: {sentence}" for sentence in data.findings)]


def numbers(data: Labelled) -> dict[str, Any]:
    """The same for scripts."""
    classes = {tally.value: {"class": tally.name, tally.unit: tally.count} for tally in data.tallies}
    return {"data": data.name, "pictures": len(data), "classes": classes, "findings": list(data.findings)}
