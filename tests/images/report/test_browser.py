"""The page in a real browser, from disk and offline: it draws, answers the pointer and the keys, asks for nothing."""

import html
import json
import re

import numpy as np
import pytest

from twofold.images.report.sections import SECTIONS
from twofold.page import build

from ...page.browser import opened, program, with_script
from .runs import make_run, write_gallery

LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"
HAND = """
const stage = document.querySelector(".map-stage"), plot = document.querySelector(".map-plot");
const card = document.querySelector(".card"), canvas = document.querySelector(".map-pictures");
const data = Object.values(twofold.page.maps)[0];
const where = (i) => {
  const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
  return { bubbles: true, clientX: box.left + xaxis._offset + xaxis.l2p(data.x[i]),
    clientY: box.top + yaxis._offset + yaxis.l2p(data.y[i]) };
};
const pixels = () => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const painted = () => pixels().filter((v) => v).length;
const key = (name) => stage.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const shown = () => (card.hidden ? null : card.querySelector(":scope > div > span").textContent);
"""
TELL = """
const tell = (result) => { document.documentElement.dataset.result = JSON.stringify(result); };
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return build([make_run(folder / "<i>cells</i>")], folder / "page.html", SECTIONS)


def ask(page, script, folder, *options):
    """The document after `script` ran on a page with a map, what it told, and the errors that the page met."""
    return look(page, HAND + script, folder, *options)


def look(page, script, folder, *options):
    """The same of any page; the script has `tell` alone."""
    document = opened(with_script(page, TELL + script, folder / "copy.html"), folder / "profile", *options)
    root = html.unescape(re.search(r"<html[^>]*>", document)[0])
    result = re.search(r"data-result='?\"?(\{.*\})", root, re.S)
    errors = re.search(r'data-errors="(.*?)"', root, re.S)
    return document, json.loads(result[1]) if result else None, errors[1] if errors else None


@pytest.fixture(scope="module")
def visit(page, tmp_path_factory):
    """One visit in light colours: pointer, keys, pictures, classes, axes; what was seen, by name."""
    script = """
    const told = { tick: document.querySelector(".curves .xtick text").style.fill };
    told.paper = getComputedStyle(document.body).backgroundColor;

    stage.dispatchEvent(new PointerEvent("pointermove", where(17)));
    const style = getComputedStyle(card.querySelector(".tile"));
    told.card = [shown(), card.querySelector("strong").textContent];
    told.expected = [data.name[17], data.classes[data.label[17]]];
    told.picture = [style.backgroundImage.slice(0, 20), style.backgroundPosition];
    told.tile = [data.tile[17] % data.columns, Math.floor(data.tile[17] / data.columns)];
    stage.dispatchEvent(new PointerEvent("pointerleave", {}));
    told.left = shown();
    stage.dispatchEvent(new MouseEvent("click", where(30)));
    stage.dispatchEvent(new PointerEvent("pointerleave", {}));
    told.pinned = [shown(), data.name[30]];

    stage.dispatchEvent(new MouseEvent("click", where(data.x.indexOf(Math.min(...data.x)))));
    told.walk = [];
    for (let i = 0; i < 12; i++) { told.walk.push(data.x[data.name.indexOf(shown())]); key("ArrowRight"); }
    key("Escape");
    told.escaped = shown();

    const wait = () => new Promise((done) => setTimeout(done, 150));
    (async () => {
      told.dots = painted();
      document.querySelector(".pictures").click();
      await wait();
      told.pictures = painted();
      document.querySelector(".legend button").click();
      await wait();
      told.fewer = painted();
      told.axis = [document.querySelector(".curves .xtitle").textContent];
      document.querySelector('[data-axis="minutes"]').click();
      await wait();
      told.axis.push(document.querySelector(".curves .xtitle").textContent);
      tell(told);
    })();
    """
    return ask(page, script, tmp_path_factory.mktemp("visit"), LIGHT)


def test_draws_everything_without_an_error(visit):
    document, _, errors = visit
    assert errors is None and 'data-ready="yes"' in re.search(r"<html[^>]*>", document)[0]
    assert len(re.findall(r'class="js-line"', document)) >= 8
    assert len(re.findall(r'class="point"', document)) >= 50
    assert not re.findall(r"<i>cells</i>", document)


def test_pointer_shows_the_image_under_it(visit):
    seen = visit[1]
    column, row = seen["tile"]
    assert seen["card"] == seen["expected"]
    assert seen["picture"] == ['url("data:image/webp', f"{-96 * column}px {-96 * row}px"]
    assert seen["left"] is None and seen["pinned"][0] == seen["pinned"][1]


def test_keys_walk_and_escape(visit):
    seen = visit[1]
    assert seen["walk"] == sorted(seen["walk"]) and len(set(seen["walk"])) > 3
    assert seen["escaped"] is None


def test_pictures_classes_and_axes(visit):
    seen = visit[1]
    assert seen["dots"] == 0 and seen["pictures"] > 10000 and 0 < seen["fewer"] < seen["pictures"]
    assert seen["axis"] == ["step", "minutes"]


@pytest.fixture(scope="module")
def small(page, tmp_path_factory):
    """Another visit, in dark colours and as narrow as a phone, where something goes wrong in the end."""
    folder = tmp_path_factory.mktemp("small")
    script = """
    const root = document.documentElement;
    const seen = { wide: root.scrollWidth, paper: getComputedStyle(document.body).backgroundColor,
      tick: document.querySelector(".curves .xtick text").style.fill };
    setTimeout(() => {
      seen.before = root.dataset.errors || "";
      new Image().src = "https://example.org/x.png";
      setTimeout(() => parent.postMessage({ ...seen, errors: root.dataset.errors }, "*"), 200);
      throw new Error("deliberate");
    }, 200);
    """
    with_script(page, script, folder / "inner.html")
    # A browser window cannot be as narrow as a phone; a frame can.
    listen = """
    addEventListener("message", (event) => { document.documentElement.dataset.result = JSON.stringify(event.data); });
    """
    frame = "<iframe src='inner.html' style='width:390px;height:900px;border:0'></iframe>"
    (folder / "outer.html").write_text(f"<body><script>{listen}</script>{frame}")
    document = html.unescape(opened(folder / "outer.html", folder / "profile", DARK))
    return json.loads(re.search(r"data-result='?\"?(\{.*?\})['\"]?>", document, re.S)[1])


def test_dark_follows_the_system(small, visit):
    light = visit[1]
    assert small["before"] == "" and light["tick"] != small["tick"]
    brightness = [sum(map(int, re.findall(r"\d+", seen["paper"])[:3])) for seen in (small, light)]
    assert brightness[0] < 150 and brightness[1] > 600


def test_nothing_is_wider_than_a_phone(small):
    assert small["wide"] == 390


def test_the_page_tells_on_errors_and_requests(small):
    assert "deliberate" in small["errors"] and "blocked img-src https://example.org/x.png" in small["errors"]


def test_closed_runs_draw_when_opened_and_strangers_names_stay_text(tmp_path):
    evil = "<img src=x onerror=alert(1)><a href='https:&sol;&sol;example.org'>&amp;"
    strange = make_run(tmp_path / evil, method=evil)
    write_gallery(strange, names=np.array([f"{i} {evil}" for i in range(90)]), classes=np.array([evil] * 3))
    table = (strange / "metrics.csv").read_text()
    (strange / "metrics.csv").write_text(table.replace("loss/contrast,", f"loss/{evil},").replace("queue_age", evil))
    entries = json.loads((strange / "evaluation.json").read_text())
    (strange / "evaluation.json").write_text(json.dumps([entry | {"name": evil} for entry in entries]))
    _, seen, errors = ask(
        build([make_run(tmp_path / "a", labelled=False), strange], tmp_path / "page.html", SECTIONS),
        """
        const count = (what) => document.querySelectorAll(what).length;
        const closed = count("#run1 .js-line"), above = count(".js-line");
        location.hash = "#run1";
        setTimeout(() => {
          const legend = [...document.querySelectorAll(".curves .legendtext")].map((text) => text.textContent);
          tell({ closed, above, opened: count("#run1 .js-line"), dots: count("#run1 .point"), legend,
            made: count("img[src=x], [onerror], a[href^=http], svg a"),
            chip: document.querySelector("#run1 .legend button").textContent });
        }, 400);
        """,
        tmp_path,
    )
    assert errors is None and seen["made"] == 0
    assert seen["closed"] == 0 and seen["above"] >= 10 and seen["opened"] >= 7 and seen["dots"] >= 90
    assert evil in seen["legend"] and seen["chip"] == evil


def test_a_missing_browser_skips_here_and_fails_where_it_is_required(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("TWOFOLD_REQUIRE_BROWSER", "0")
    with pytest.raises(pytest.skip.Exception, match="no chromium"):
        program()
    monkeypatch.setenv("TWOFOLD_REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="no chromium"):
        program()
