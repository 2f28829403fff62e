"""docs/python.md and the README: their Python is run, with small budgets in the place of those that are printed."""

import json
import re
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import twofold
from tests.videos.conftest import moving, write_video

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SMALL = 'steps=2, backbone="convnet", image_size=32, batch_size=8, '


@pytest.fixture
def place(tmp_path, monkeypatch):
    """photos/, clips/ and plays.csv, where the page's lines are at home."""
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0)
    for i in range(24):
        file = tmp_path / "photos" / ("red", "blue")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, 255, (40, 40, 3), np.uint8)).save(file)
    pairs = [f"u{drawn.integers(20)},i{drawn.integers(30)}" for _ in range(400)]
    (tmp_path / "plays.csv").write_text("\n".join(["user,item", *pairs]) + "\n")
    write_video(tmp_path / "clips" / "a.mp4", moving("right", 0))
    return tmp_path


def small(code: str) -> str:
    """The same lines on a budget for tests."""
    code = code.replace('"photos/", epochs=100', f'"photos/", {SMALL}quiet=True')
    code = code.replace("twofold.images.Pretrain(epochs=100", f"twofold.images.Pretrain({SMALL}quiet=True")
    return code.replace('"plays.csv", epochs=30', '"plays.csv", epochs=2, quiet=True')


def blocks(file: Path) -> list[str]:
    return FENCE.findall(file.read_text(encoding="utf-8"))


def test_the_lines_of_the_page_run(place):
    scope: dict = {}
    for block in blocks(ROOT / "docs" / "python.md"):
        exec(compile(small(block), "docs/python.md", "exec"), scope)
    assert scope["vectors"].shape == (2, scope["model"].width) and scope["feature"].shape == (1, scope["model"].width)
    assert len(scope["best"]) == 5 and (place / "backbone.pt").is_file() and scope["again"] == scope["own"]
    encoded = scope["Encode"](scope["run"])({"path": np.array(["photos/red/0.png", "photos/red/2.png"])})
    assert encoded["vector"].shape == (2, scope["model"].width)
    server = scope["server"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/?user=u3") as answer:
        found = json.load(answer)
    server.shutdown()
    server.server_close()
    assert [one["item"] for one in found] == [one.item for one in scope["recommender"].recommend("u3", k=5)]


def test_the_lines_of_the_readme_run(place, capsys):
    lines = blocks(ROOT / "README.md")
    assert lines
    for block in lines:
        exec(compile(small(block), "README.md", "exec"), {})
    assert twofold.open_run("runs/photos").config["method"] == "moco"
