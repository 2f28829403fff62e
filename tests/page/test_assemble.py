"""The page as a file: where it is written, what it needs, and when it is refused."""

import sys

import pytest

from twofold.errors import UserError
from twofold.page import build, build_or_say

from .seen import Seen, data_of
from .toy import SECTIONS, make_walk


def test_out(tmp_path):
    (tmp_path / "config.yaml").write_text("method: byol\n")
    assert build([tmp_path], tmp_path, SECTIONS) == tmp_path / "report.html"
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["config.yaml", "report.html"]
    with pytest.raises(UserError, match="cannot be written"):
        build([tmp_path], tmp_path / "config.yaml" / "page.html", SECTIONS)
    with pytest.raises(UserError, match="at least one run"):
        build([], tmp_path / "page.html", SECTIONS)
    assert build_or_say(tmp_path / "nowhere", SECTIONS).startswith(
        f"No report: {tmp_path / 'nowhere'} does not exist: give the folder"
    )


def test_runs_of_one_name(tmp_path):
    runs = [make_walk(tmp_path / parent / "run") for parent in "ab"]
    page = build([*runs, runs[0]], tmp_path / "page.html", SECTIONS)
    names = [curve["name"] for curve in data_of(page)["charts"]["walks-loss"]["series"]]
    assert names == ["a/run (1)", "b/run", "a/run (3)"] and "3 runs compared" in Seen(page).text


def test_each_run_needs_its_sections(tmp_path):
    with pytest.raises(ValueError):
        build([make_walk(tmp_path / "run")], tmp_path / "page.html", [SECTIONS, SECTIONS])


@pytest.mark.parametrize("library", ["plotly.offline", "jinja2", "sklearn.manifold"])
def test_without_the_extra(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=r'pip install "twofold\[report\]"'):
        build([tmp_path], tmp_path / "page.html", SECTIONS)
