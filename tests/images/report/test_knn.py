"""The kNN accuracy beside its floors, in words."""

from twofold.page import read_run
from twofold.pixels.report.knn import floors_at_the_end, gain, knn, shared_floors

from .runs import make_run

NBSP = "\u00a0"


def test_floors_of_the_same_question(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    assert knn(run) == (0.983, {"pixels": 0.888, "random network": 0.867})
    other = read_run(make_run(tmp_path / "other", labelled=False))
    assert shared_floors([run, other]) == {"pixels": 0.888, "random network": 0.867}


def test_knn_keeps_to_one_data_set(bare):
    def entry(value, data, name="moco", floor=False):
        return {"protocol": "knn", "metric": "top1", "value": value, "data": data, "name": name, "floor": floor}

    run = bare(["step,knn", "1,0.5", "2,0.6", "3,"])
    assert knn(run) == (0.6, {})
    run.evaluation.extend(
        [entry(0.61, "a"), entry(0.3, "a", "pixels", True), entry(0.7, "b"), entry(0.4, "b", "x", True)]
    )
    assert knn(run, online=True) == (0.6, {"pixels": 0.3})
    assert knn(run) == (0.7, {"x": 0.4})


def test_the_runs_own_floors_are_told_from_later_ones(bare):
    run = bare(["step,correspondence", "1,0.3"])
    end = {"protocol": "correspondence", "metric": "acc@1cell", "data": "a", "conditions": {"measured": "at the end"}}
    later = {"protocol": "correspondence", "metric": "acc@1cell", "data": "a"}
    rows = (("moco", 0.3, False), ("raw pixels", 0.2, True), ("chance", 0.1, True))
    entry = [{"name": name, "floor": floor, "value": value} for name, value, floor in rows]
    run.evaluation.extend([*(later | one | {"value": 0.9} for one in entry), *(end | one for one in entry)])
    run.evaluation.append({"protocol": "correspondence", "conditions": 3, "value": 0.5})
    assert floors_at_the_end(run, "correspondence") == {"raw pixels": 0.2, "chance": 0.1}
    assert floors_at_the_end(run, "knn") == {}


def test_gain_over_the_floors(bare):
    run = bare(["step"])
    same = {"protocol": "knn", "metric": "top1", "data": "a"}
    run.evaluation.append(same | {"name": "moco", "value": 0.9})
    assert gain(run) is None
    run.evaluation.append(same | {"name": "pixels", "value": 0.85, "floor": True})
    assert gain(run) is None
    run.evaluation.append(same | {"name": "random network", "value": 0.92, "floor": True})
    assert "does not beat random network (90.0 % against 92.0 %)" in gain(run).text.replace(NBSP, " ")
