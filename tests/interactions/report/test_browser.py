"""The page of runs on interactions in a real browser: curves, bars and folded parts are drawn; names stay text."""

import html
import json
import re

import pytest

from twofold.interactions.report.sections import SECTIONS
from twofold.page import build

from ...page.browser import opened, with_script
from .ranked_runs import make_ranked_run

EVIL = "<img src=x onerror=alert(1)><a href='https:&sol;&sol;example.org'>&amp;"
SCRIPT = """
const count = (what) => document.querySelectorAll(what).length;
const wait = () => new Promise((done) => setTimeout(done, 200));
(async () => {
  await wait();
  const told = { lines: count(".js-line"), bars: count("[data-bars='all-tail0'] .bars path"),
    closed: count("#run1 .js-line"),
    kept: [...document.querySelectorAll(".textpoint")].map((point) => point.textContent),
    legend: [...document.querySelectorAll("[data-bars='all-tail0'] .legendtext")].map((text) => text.textContent) };
  document.querySelector("main > section details.more").open = true;
  await wait();
  told.unfolded = count("details.more .js-line");
  location.hash = "#run1";
  await wait();
  told.opened = count("#run1 .js-line");
  told.own = count("#run1 [data-bars] .bars path");
  told.made = count("img[src=x], [onerror], a[href^=http], svg a");
  document.documentElement.dataset.result = JSON.stringify(told);
})();
"""


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visit")
    runs = [make_ranked_run(folder / "lightgcn", method="lightgcn"), make_ranked_run(folder / EVIL, evil=EVIL)]
    page = build(runs, folder / "page.html", SECTIONS)
    root = html.unescape(
        re.search(r"<html[^>]*>", opened(with_script(page, SCRIPT, folder / "copy.html"), folder / "profile"))[0]
    )
    return page, json.loads(re.search(r"data-result='?\"?(\{.*\})", root, re.S)[1]), "data-errors" in root


def test_everything_is_drawn_without_an_error(visit):
    _, seen, errors = visit
    assert not errors
    assert seen["lines"] == 16 and seen["bars"] == 40 and seen["kept"] == ["epoch 6"] * 4
    assert seen["legend"] == ["lightgcn", EVIL, "popularity", "graph filter"]


def test_folded_parts_are_drawn_when_they_are_opened(visit):
    seen = visit[1]
    assert seen["unfolded"] == 12  # those of the legends, too
    assert seen["closed"] == 0 and seen["opened"] >= 6 and seen["own"] == 30


def test_names_of_the_data_stay_text(visit):
    assert visit[1]["made"] == 0


def test_nothing_is_wider_than_a_phone(tmp_path):
    page = build([make_ranked_run(tmp_path / "sgl")], tmp_path / "page.html", SECTIONS)
    with_script(page, "parent.postMessage(String(document.documentElement.scrollWidth), '*');", tmp_path / "inner.html")
    listen = "addEventListener('message', (event) => { document.body.dataset.wide = event.data; });"
    frame = "<iframe src='inner.html' style='width:390px;height:900px;border:0'></iframe>"
    (tmp_path / "outer.html").write_text(f"<body><script>{listen}</script>{frame}")
    assert 'data-wide="390"' in opened(tmp_path / "outer.html", tmp_path / "profile")
