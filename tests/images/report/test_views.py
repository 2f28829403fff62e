"""The views of a run on images: read whole or refused, and left out with a note where broken."""

import numpy as np
import pytest

from twofold.images.report.sections import VIEWS, one
from twofold.page import read_run
from twofold.page.sections import Numbered
from twofold.pixels.report.views import read_views, views_section

from .runs import make_run


def test_views_are_shown_as_pictures(tmp_path):
    samples = read_views(make_run(tmp_path / "run") / "views.npz", VIEWS)
    assert samples.views.shape == (5, 2, 40, 40, 3)
    rows = views_section(samples, 0.1, VIEWS).content
    assert len(rows) == 3 and [len(row.views) for row in rows] == [2, 2, 2]
    assert rows[0].name == "cells/0.png" and rows[0].source.startswith("data:image/webp;base64,")
    assert views_section(None, 1.0, VIEWS).content == []


@pytest.mark.parametrize("replaced", [{"views": np.zeros((2, 2, 8, 8, 3), np.uint8)}, {"names": np.array(["one"])}])
def test_views_that_do_not_fit_together(tmp_path, replaced):
    arrays = {"sources": np.zeros((3, 8, 8, 3), np.uint8), "views": np.zeros((3, 2, 8, 8, 3), np.uint8)}
    np.savez(tmp_path / "views.npz", **({**arrays, "names": np.array(["a", "b", "c"])} | replaced))
    with pytest.raises(ValueError):
        read_views(tmp_path / "views.npz", VIEWS)


def test_broken_files_become_notes(tmp_path):
    folder = make_run(tmp_path / "run")
    for name in ("gallery.npz", "views.npz"):
        (folder / name).write_bytes((folder / name).read_bytes()[:60])
    parts = one(Numbered(0, "run", read_run(folder)), 1.0)
    assert [note.split()[0] for note in parts.notes] == ["gallery.npz", "views.npz"]
    assert "No gallery was kept" in parts.sections[0].content.missing and parts.sections[2].content == []
