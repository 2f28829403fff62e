"""The page in a real browser, from disk and offline: it draws, answers the pointer and the keys, asks for nothing."""

import html
import json
import re

import pytest

from twofold.report import build

from .browser import opened, with_script
from .runs import make_run

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
const tell = (result) => { document.documentElement.dataset.result = JSON.stringify(result); };
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return build([make_run(folder / "<i>cells</i>")], folder / "page.html")


@pytest.fixture
def told(tmp_path):
    """told(page, script, ...options) -> what the script told, and the errors that the page met."""

    def ask(page, script, *options, **size):
        copy = with_script(page, HAND + script, tmp_path / "copy.html")
        document = opened(copy, tmp_path / "profile", *options, **size)
        root = html.unescape(re.search(r"<html[^>]*>", document)[0])
        result = re.search(r'data-result="(.*?)"(?= data-| lang|>)', root, re.S)
        errors = re.search(r'data-errors="(.*?)"', root, re.S)
        return json.loads(result[1]) if result else None, errors[1] if errors else None

    return ask


def test_draws_everything_without_an_error(page, tmp_path):
    document = opened(page, tmp_path / "profile")
    root = re.search(r"<html[^>]*>", document)[0]
    assert 'data-ready="yes"' in root and "data-errors" not in root
    assert len(re.findall(r'class="js-line"', document)) >= 8
    assert len(re.findall(r'class="point"', document)) >= 90
    assert not re.findall(r"<i>cells</i>", document)


def test_pointer_shows_the_image_under_it(page, told):
    result, errors = told(
        page,
        """
        stage.dispatchEvent(new PointerEvent("pointermove", where(17)));
        const style = getComputedStyle(card.querySelector(".tile"));
        const first = [shown(), card.querySelector("strong").textContent, style.backgroundImage.slice(0, 20)];
        const place = style.backgroundPosition;
        stage.dispatchEvent(new PointerEvent("pointerleave", {}));
        const left = shown();
        stage.dispatchEvent(new MouseEvent("click", where(30)));
        stage.dispatchEvent(new PointerEvent("pointerleave", {}));
        const expected = [data.name[17], data.classes[data.label[17]]];
        const column = data.tile[17] % data.columns, row = Math.floor(data.tile[17] / data.columns);
        tell({ first, left, place, column, row, pinned: shown(), expected, thirty: data.name[30] });
        """,
    )
    assert errors is None
    assert result["first"][:2] == result["expected"] and result["first"][2].startswith('url("data:image/webp')
    assert result["place"] == f"{-96 * result['column']}px {-96 * result['row']}px"
    assert result["left"] is None and result["pinned"] == result["thirty"]


def test_keys_walk_and_escape(page, told):
    result, errors = told(
        page,
        """
        stage.dispatchEvent(new MouseEvent("click", where(data.x.indexOf(Math.min(...data.x)))));
        const xs = [], at = () => data.x[data.name.indexOf(shown())];
        for (let i = 0; i < 12; i++) { xs.push(at()); key("ArrowRight"); }
        key("Escape");
        tell({ xs, after: shown() });
        """,
    )
    assert errors is None and result["after"] is None
    assert result["xs"] == sorted(result["xs"]) and len(set(result["xs"])) > 3


def test_pictures_classes_and_axes(page, told):
    result, errors = told(
        page,
        """
        const before = painted();
        document.querySelector(".pictures").click();
        setTimeout(() => {
          const pictures = painted();
          document.querySelector(".legend button").click();
          setTimeout(() => {
            document.querySelector('[data-axis="minutes"]').click();
            tell({ before, pictures, fewer: painted(), title: document.querySelector(".plot .xtitle").textContent });
          }, 200);
        }, 200);
        """,
    )
    assert errors is None and result["before"] == 0
    assert result["pictures"] > 10000 and 0 < result["fewer"] < result["pictures"]
    assert result["title"] == "minutes"


def test_dark_follows_the_system(page, told):
    script = """
        const tick = document.querySelector(".plot .xtick text");
        tell([getComputedStyle(document.body).backgroundColor, tick.style.fill]);
    """
    light, _ = told(page, script, "--blink-settings=preferredColorScheme=1")
    dark, errors = told(page, script, "--blink-settings=preferredColorScheme=0")
    assert errors is None and light[0] != dark[0] and light[1] != dark[1]
    assert sum(map(int, re.findall(r"\d+", dark[0])[:3])) < 150 < 600 < sum(map(int, re.findall(r"\d+", light[0])[:3]))


def test_nothing_is_wider_than_a_phone(page, tmp_path):
    # A browser window cannot be as narrow as a phone; a frame can.
    with_script(page, "parent.postMessage(String(document.documentElement.scrollWidth), '*');", tmp_path / "inner.html")
    listen = "addEventListener('message', (event) => { document.body.dataset.wide = event.data; });"
    frame = (
        f"<body><script>{listen}</script><iframe src='inner.html' style='width:390px;height:900px;border:0'></iframe>"
    )
    (tmp_path / "outer.html").write_text(frame)
    assert 'data-wide="390"' in opened(tmp_path / "outer.html", tmp_path / "profile")


def test_closed_runs_draw_when_opened(tmp_path, told):
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", labelled=False)]
    result, errors = told(
        build(runs, tmp_path / "page.html"),
        """
        const drawn = () => document.querySelectorAll("#run1 .js-line").length;
        const closed = drawn(), above = document.querySelectorAll(".js-line").length;
        location.hash = "#run1";
        const dots = () => document.querySelectorAll("#run1 .point").length;
        setTimeout(() => tell({ closed, above, opened: drawn(), dots: dots() }), 400);
        """,
    )
    assert errors is None and result["closed"] == 0 and result["above"] >= 10
    assert result["opened"] >= 7 and result["dots"] >= 90


def test_the_page_tells_on_errors_and_requests(page, told):
    _, errors = told(
        page, 'setTimeout(() => { throw new Error("deliberate"); }); new Image().src = "https://example.org/x.png";'
    )
    assert "deliberate" in errors and "blocked img-src https://example.org/x.png" in errors
