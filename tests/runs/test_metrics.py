"""metrics.csv: growing columns, and what a resumed run keeps of it."""

from __future__ import annotations

import csv

from twofold.runs.metrics import MetricsFile, is_time


def read(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def row(step, **more):
    return {"step": step, "epoch": step / 2, "seconds": 0.0, "loss": 1.5, "lr": 0.1} | more


def test_new_names_become_columns_and_cells_not_measured_stay_empty(tmp_path):
    file = MetricsFile(tmp_path / "metrics.csv")
    file.restore(0)
    file.append(row(1))
    file.append(row(2, knn=0.5))
    file.append(row(3))
    rows = read(file.path)
    assert [r["step"] for r in rows] == ["1", "2", "3"]
    assert [r["knn"] for r in rows] == ["", "0.5", ""]
    assert len(rows[0]) == len(set(rows[0])) == file.path.read_text().splitlines()[0].count(",") + 1


def test_restore_cuts_later_rows_and_a_half_written_one(tmp_path):
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path)
    file.restore(0)
    for step in range(1, 6):
        file.append(row(step, spread=0.5))
    unbroken = path.read_text()
    path.write_text("\n".join(unbroken.splitlines()[:5]) + "\n5,2.5,0,1.")
    again = MetricsFile(path)
    again.restore(3)
    assert [r["step"] for r in read(path)] == ["1", "2", "3"]
    for step in (4, 5):
        again.append(row(step, spread=0.5))
    assert path.read_text() == unbroken


def test_restore_from_nothing_begins_anew(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,2\n")
    MetricsFile(path).restore(0)
    assert not path.exists()
    path.write_text("garbage\0\n")
    MetricsFile(path).restore(5)


def test_columns_that_measure_the_machine_are_known_in_any_unit():
    assert all(map(is_time, ("seconds", "wait_share", "apples_per_second", "kilobytes_per_apple")))
    assert not any(map(is_time, ("loss", "epoch", "seconds_left")))
