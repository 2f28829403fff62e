"""Dense protocols on the page: classes best first, absent ones named, colours, and all of it in a real browser."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from twofold.images.report.dense import class_bars, colour, dense_section, painted
from twofold.images.report.sections import SECTIONS
from twofold.page import build, read_run

from .runs import make_run
from .test_browser import look
from .test_dense_samples import arrays, write

EVIL = "<img src=x onerror=alert(1)>\"'</svg><script>alert(2)</script>"


def entry(name, iou, floor=False, **more):
    same = {"protocol": "linear-segmentation", "metric": "mIoU", "data": "test", "settings": "how", "seed": 0}
    return {**same, "name": name, "value": 0.5, "floor": floor, "iou": iou, **more}


def run_with(folder, entries, **replaced):
    make_run(folder)
    (folder / "evaluation.json").write_text(json.dumps(entries))
    write(folder / "dense", **replaced)
    return read_run(folder)


def test_classes_stand_best_first_beside_their_floors_and_absent_ones_are_named(tmp_path):
    own = entry("densecl", {"road": 0.4, "sky": 0.9, "fence": None})
    floor = entry("raw pixels", {"road": 0.3, "sky": 0.5, "fence": None}, floor=True)
    run = run_with(tmp_path / "run", [own, floor, {**own, "metric": "pixel accuracy"}])
    (bars,) = class_bars(run)
    assert [(row.name, row.value, row.ticks) for row in bars.rows] == [
        ("sky", "90.0\xa0%", [50]),
        ("road", "40.0\xa0%", [30]),
    ]
    assert bars.absent == ["fence"] and bars.floors == ["raw pixels"] and bars.title == "linear-segmentation: IoU"


def test_those_of_trained_networks_and_of_many_classes(tmp_path):
    many = {f"class {i}": i / 100 for i in range(60)}
    detector = entry("densecl", None, protocol="faster-rcnn", metric="coco-AP", by_class=many)
    (bars,) = class_bars(run_with(tmp_path / "run", [detector]))
    assert bars.title == "faster-rcnn: coco-AP" and len(bars.rows) == 40 and bars.left_out == 20
    assert bars.rows[0].name == "class 59" and bars.rows[-1].name == "class 0"


@pytest.mark.parametrize("broken", [{"road": "0.4"}, {"road": 7}, ["road"], 3, {"road": float("nan")}])
def test_numbers_that_are_none_are_not_drawn(tmp_path, broken):
    run = run_with(tmp_path / "run", [entry("densecl", broken)])
    assert class_bars(run) == []


def test_colours_are_those_of_the_legend_and_ignored_pixels_are_clear():
    data = base64.b64decode(painted(np.array([[0, 1], [-1, 30]])).split(",")[1])
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    expected = [[colour(0), colour(1)], [None, colour(30)]]
    for row in range(2):
        for column in range(2):
            red, green, blue, alpha = pixels[row, column].tolist()
            shown = f"#{red:02x}{green:02x}{blue:02x}" if alpha else None
            assert shown == expected[row][column]
    assert len({colour(i) for i in range(200)}) > 190


def test_a_run_without_dense_protocols_has_no_such_section_and_a_broken_file_is_noted(tmp_path):
    notes = []
    assert dense_section(read_run(make_run(tmp_path / "plain")), 1.0, notes) is None and notes == []
    run = run_with(tmp_path / "run", [], truth0=np.zeros((1, 1), np.int16))
    assert dense_section(run, 1.0, notes) is None
    assert len(notes) == 1 and notes[0].startswith("linear-segmentation.npz could not be read")


SEEN = """
const all = (what) => [...document.querySelectorAll("#dense0 " + what)], of = (what) => all(what).length;
const told = {
  made: document.querySelectorAll("img[src=x], [onerror], #dense0 script").length,
  broken: all("img").filter((one) => !one.naturalWidth).length,
  drawn: [".by-class .bar", ".masked img", ".patches img", ".pairs image", ".boxed image"].map(of),
  matches: [".pairs .right", ".pairs .wrong", ".ring"].map(of),
  patches: [".patches .same", ".patches .other", ".patches .query"].map(of),
  boxes: [".box-true", ".box-lost", ".box-cut"].map((kind) => of("rect" + kind)),
  photo: getComputedStyle(all(".masked span")[0]).backgroundImage.slice(0, 16),
  legend: all(".classes li").map((one) => one.textContent),
  text: all("figcaption").map((one) => one.textContent.replaceAll("\u00a0", " ")),
  high: Math.min(...all("svg").map((one) => one.getBoundingClientRect().height)),
  link: document.querySelector("nav [href='#dense0']").textContent,
};
document.body.style.width = "390px";
told.right = Math.max(...all("*").map((one) => one.getBoundingClientRect().right));
tell(told);
"""


def test_all_of_it_in_a_browser_with_strange_names(tmp_path):
    words = {name: np.array([EVIL] * len(arrays()[name])) for name in ("about", "names", "classes")}
    run = run_with(tmp_path / "run", [entry("densecl", {EVIL: 0.4, "sky": None})], **words)
    for file in ("gallery.npz", "views.npz", "metrics.csv"):  # the section alone is looked at
        (run.path / file).unlink()
    page = build([run.path], tmp_path / "page.html", SECTIONS)
    _, seen, errors = look(page, SEEN, tmp_path)
    assert errors is None and seen["made"] == 0 and seen["broken"] == 0
    assert seen["drawn"] == [1, 2, 3, 2, 1] and seen["boxes"] == [1, 1, 1]
    assert seen["matches"] == [1, 1, 1] and seen["patches"] == [1, 1, 1]
    assert seen["photo"] == 'url("data:image/' and seen["legend"] == [EVIL, EVIL] and seen["link"] == "Maps"
    assert f"{EVIL}: picture, true mask, predicted mask (0.0 % of the pixels right)" in seen["text"]
    assert f"{EVIL}: LOST right, TokenCut wrong" in seen["text"]
    assert seen["high"] > 50 and seen["right"] <= 390
