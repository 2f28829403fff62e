"""A run folder is read whole, in part and broken."""

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.page import read_run

from .runs import CLASSES, make_run, write_gallery


def test_whole_run(tmp_path):
    run = read_run(make_run(tmp_path / "cells"))
    assert run.name == "cells" and run.exported and run.notes == []
    assert run.config["optimizer.lr"] == 0.06 and run.environment["device.cores"] == 2
    assert len(run.metrics) == 240 and run.metrics[0].keys() & {"knn", "spread"} == set()
    assert run.metrics[-1]["knn"] == pytest.approx(0.95)
    assert run.gallery.classes == CLASSES and run.gallery.thumbnails.shape == (90, 40, 40, 3)
    assert run.views.views.shape == (5, 2, 40, 40, 3) and len(run.unreadable) == 2


def test_only_config_is_needed(tmp_path):
    (tmp_path / "config.yaml").write_text("method: byol\n")
    run = read_run(tmp_path)
    assert run.metrics == [] and run.gallery is None and run.views is None and run.notes == [] and not run.exported


@pytest.mark.parametrize("content", [None, "- a\n- b\n", "", "a: [1\n", "x: !!python/object/apply:os.getcwd []\n"])
def test_no_run(tmp_path, content):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml"):
        read_run(tmp_path)
    with pytest.raises(UserError, match="nowhere"):
        read_run(tmp_path / "nowhere")


def test_broken_files_become_notes(tmp_path):
    folder = make_run(tmp_path / "run")
    for name in ("gallery.npz", "views.npz", "evaluation.json", "environment.json"):
        (folder / name).write_bytes((folder / name).read_bytes()[:60])
    run = read_run(folder)
    assert [note.split()[0] for note in run.notes] == [
        "environment.json",
        "evaluation.json",
        "gallery.npz",
        "views.npz",
    ]
    assert run.gallery is None and run.evaluation == [] and len(run.metrics) == 240


@pytest.mark.parametrize(
    "replaced",
    [
        {"names": np.array(["one"])},
        {"thumbnails": np.zeros((90, 40, 40), np.uint8)},
        {"thumbnails": np.zeros((90, 40, 40, 3), np.float32)},
        {"features": np.zeros((3, 8), np.float32)},
        {"names": np.array([{"an": "object"}] * 90, dtype=object)},
    ],
)
def test_gallery_that_does_not_fit_together(tmp_path, replaced):
    folder = make_run(tmp_path / "run")
    write_gallery(folder, **replaced)
    run = read_run(folder)
    assert run.gallery is None and len(run.notes) == 1 and "gallery.npz" in run.notes[0]


def test_nothing_is_unpickled(tmp_path):
    folder = make_run(tmp_path / "run")

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    write_gallery(folder, classes=np.array([Trap()], dtype=object))
    assert read_run(folder).gallery is None
    assert not (tmp_path / "sprung").exists()


def test_metrics_resumed_cut_off_and_odd(tmp_path):
    (tmp_path / "config.yaml").write_text("method: byol\n")
    lines = [
        "step,loss,knn",
        "1,5,",
        "2,4,",
        "2,,0.5",
        "3,3,",
        "4,9,",
        "3,2.5,",
        "4,nan,",
        "5,inf,junk",
        "step,loss,knn",
        "6,1\0",
        "7",
    ]
    (tmp_path / "metrics.csv").write_bytes("\n".join(lines).encode())
    rows = read_run(tmp_path).metrics
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[1] == {"step": 2, "loss": 4, "knn": 0.5}
    assert rows[2] == {"step": 3, "loss": 2.5}
    assert np.isnan(rows[3]["loss"]) and rows[4] == {"step": 5, "loss": float("inf")} and rows[6] == {"step": 7}


def test_labels_without_class_names_get_numbers(tmp_path):
    folder = make_run(tmp_path / "run")
    write_gallery(folder, classes=np.array(["RBC"]))
    assert read_run(folder).gallery.classes == ["RBC", "1", "2"]
