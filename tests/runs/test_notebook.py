"""In a real notebook, run by a real kernel: a bar while a run goes on, the run's numbers behind it."""

import sys

import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

from twofold.runs.notebook import in_notebook

CELLS = """
import twofold
run = twofold.pretrain("simclr", "photos", out="run", steps=40, backbone="convnet", image_size=16, batch_size=8)
---
run
---
run.metrics.to_pandas()["loss"].isna().sum() < len(run.metrics)
---
run.model.encode("photos").shape
---
twofold.pretrain("simclr", "photos", out="run", steps=50, backbone="convnet")
"""


def test_a_run_in_a_notebook(tmp_path):
    (tmp_path / "photos").mkdir()
    drawn = np.random.default_rng(0)
    for i in range(24):
        Image.fromarray(drawn.integers(0, 255, (20, 20, 3), np.uint8)).save(tmp_path / "photos" / f"{i}.png")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(part.strip()) for part in CELLS.split("---")])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": sys.executable}
    NotebookClient(
        book, timeout=240, startup_timeout=240, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    training, shown, kept, shape, refused = (cell.outputs for cell in book.cells)
    bars = [out.data["text/html"] for out in training if "<progress" in out.get("data", {}).get("text/html", "")]
    assert len(bars) == 1 and 'value="40" max="40"' in bars[0] and "loss" in bars[0]
    assert "step 40 of 40" not in "".join(out.get("text", "") for out in training)
    assert "<b>simclr</b>" in shown[0].data["text/html"] and shown[0].data["text/plain"].startswith("Run(")
    assert kept[0].data["text/plain"].endswith("True") or "True" in kept[0].data["text/plain"]
    assert shape[-1].data["text/plain"] == "torch.Size([24, 128])"
    assert refused[-1].ename == "UserError" and refused[-1].traceback == [refused[-1].evalue]


def test_here_is_no_notebook():
    assert not in_notebook()
