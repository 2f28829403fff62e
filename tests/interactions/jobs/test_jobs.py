"""The verbs on a log of who used what: from a CSV with string ids to recommendations with the same ids."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from twofold.cli import main
from twofold.interactions.jobs.monitor import SHOWN
from twofold.runs.screen import numbers

USERS, ITEMS = 60, 40


@pytest.fixture(scope="module")
def plays(tmp_path_factory):
    """Two tastes: even users like even tracks. Every line has a time; one line comes twice."""
    file = tmp_path_factory.mktemp("data") / "plays.csv"
    drawn = np.random.default_rng(0)
    lines = []
    for user in range(USERS):
        own = [item for item in range(ITEMS) if item % 2 == user % 2]
        for item in drawn.choice(own, 12, replace=False):
            lines.append((f"u{user:02}", f"track-{item}", int(drawn.integers(1_000, 9_000))))
    drawn.shuffle(lines)
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["listener", "track", "when"])
        writer.writerows([*lines, lines[0]])
    return file


COLUMNS = ["--user-column", "listener", "--item-column", "track", "--time-column", "when"]
SMALL = ["--epochs", "40", "--batch-size", "64", "--lr", "0.02", "--method.dim", "16", *COLUMNS]


@pytest.fixture(scope="module")
def run(plays, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "plays"
    assert main(["pretrain", "sgl", str(plays), "--out", str(out), *SMALL, "--no-report"]) == 0
    return out


def rows_of(out):
    return {(r["metric"], r["name"]): r["value"] for r in json.loads((out / "evaluation.json").read_text())}


def taste(name):
    return int(name.lstrip("u").removeprefix("track-")) % 2


def test_a_run_learns_the_tastes_and_stands_beside_its_floors(run):
    found = rows_of(run)
    assert found["recall@10", "plays"] > 1.5 * found["recall@10", "popularity"]
    assert {"ndcg@20", "map@5", "hit@50"} <= {metric for metric, _ in found}
    assert ("recall@20", "graph filter") in found
    tail = [value for (metric, name), value in found.items() if metric.startswith("group") and name == "plays"]
    assert len(tail) == 10 and sum(tail) == pytest.approx(found["recall@20", "plays"])
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["method_options"]["sgl.dim"] == 16 and "backbone" not in config
    log = (run / "log.txt").read_text()
    assert "1" in log and "best epoch" in log and "memory: about" in log


def test_recommendations_have_the_datas_ids_and_nothing_already_used(run, plays, tmp_path, capsys):
    out = tmp_path / "found.parquet"
    assert main(["recommend", str(run), "--k", "5", "--out", str(out)]) == 0
    table = pq.read_table(out).to_pylist()
    assert "300 recommendations for 60 users" in capsys.readouterr().out
    with plays.open(newline="") as handle:
        used = {(row["listener"], row["track"]) for row in csv.DictReader(handle)}
    assert not [row for row in table if (row["user"], row["item"]) in used]
    assert sum(taste(row["user"]) == taste(row["item"]) for row in table) > 0.95 * len(table)
    assert [row["rank"] for row in table[:5]] == [1, 2, 3, 4, 5] and {row["basis"] for row in table} == {"model"}
    scores = [row["score"] for row in table[:5]]
    assert scores == sorted(scores, reverse=True)
    assert main(["recommend", str(run), "--k", "40", "--include-seen", "--users", "u03", "--out", str(out)]) == 0
    assert len(pq.read_table(out)) == 40


def test_some_users_candidates_and_strangers(run, tmp_path, capsys):
    stock = tmp_path / "stock.txt"
    stock.write_text("track-1\ntrack-3\ntrack-999\n")
    out = tmp_path / "found.parquet"
    assert main(["recommend", str(run), "--users", "u01,nobody", "--candidates", str(stock), "--k", "9",
                 "--include-seen", "--out", str(out)]) == 0  # fmt: skip
    message, table = capsys.readouterr().out, pq.read_table(out).to_pylist()
    assert "1 candidates are not known" in message and "1 users without any item" in message
    by_user = {user: [row for row in table if row["user"] == user] for user in ("u01", "nobody")}
    assert {row["item"] for row in by_user["u01"]} == {"track-1", "track-3"}
    assert {row["basis"] for row in by_user["nobody"]} == {"popularity"} and len(by_user["nobody"]) == 2


def test_new_users_are_folded_in(run, tmp_path, capsys):
    history, out = tmp_path / "new.csv", tmp_path / "found.parquet"
    lines = [f"ann,track-{i}" for i in (0, 2, 4, 6)] + [f"bob,track-{i}" for i in (1, 3, 5)] + ["cyd,track-777"]
    history.write_text("\n".join(["user,item", *lines]) + "\n")
    assert main(["recommend", str(run), "--history", str(history), "--k", "6", "--out", str(out)]) == 0
    assert "1 items" in capsys.readouterr().out
    table = pq.read_table(out).to_pylist()
    for name, own, even in (("ann", {0, 2, 4, 6}, 0), ("bob", {1, 3, 5}, 1)):
        found = [row for row in table if row["user"] == name]
        assert len(found) == 6 and {row["basis"] for row in found} == {"history"}
        assert not {int(row["item"].removeprefix("track-")) for row in found} & own
        assert sum(taste(row["item"]) == even for row in found) >= 5
    assert {row["basis"] for row in table if row["user"] == "cyd"} == {"popularity"}


def test_new_users_may_have_ids_of_another_type(run, tmp_path, capsys):
    history, out = tmp_path / "new.csv", tmp_path / "found.parquet"
    history.write_text("user,item\n7,track-0\n7,track-2\n8,track-777\n")
    assert main(["recommend", str(run), "--history", str(history), "--k", "3", "--out", str(out)]) == 0
    found = [(row["user"], row["basis"]) for row in pq.read_table(out).to_pylist()]
    assert sorted(found) == [("7", "history")] * 3 + [("8", "popularity")] * 3  # the run's ids are text
    assert "6 recommendations for 2 users" in capsys.readouterr().out
    both = ["recommend", str(run), "--history", str(history), "--users", "u07", "--out", str(tmp_path / "both.parquet")]
    assert main(both) == 0
    assert set(pq.read_table(tmp_path / "both.parquet")["user"].to_pylist()) == {"7", "8", "u07"}


def test_folding_in_a_known_user_is_one_step_of_propagation(run):
    from twofold.interactions.jobs.store import read_model
    from twofold.interactions.ragged import Ragged

    model = read_model(run)
    pairs, degree = model.pairs, np.bincount(model.pairs[:, 1], minlength=ITEMS)
    own = pairs[pairs[:, 0] == 7][:, 1]
    expected = sum(model.embeddings.item[i] / np.sqrt(len(own) * degree[i]) for i in own)
    new = Ragged.of([(0, i) for i in own], 1)
    torch.testing.assert_close(model.embeddings.fold_in(torch.tensor([0]), new)[0], expected.float())


def test_similar_items_share_the_taste(run, tmp_path):
    out = tmp_path / "near.parquet"
    assert main(["similar", str(run), "track-4,track-7", "--k", "6", "--out", str(out)]) == 0
    table = pq.read_table(out).to_pylist()
    assert len(table) == 12 and all(row["item"] != row["similar"] and row["cosine"] <= 1.0001 for row in table)
    assert sum(taste(row["item"]) == taste(row["similar"]) for row in table) >= 11


def test_embeddings_by_id(run, tmp_path):
    for side, count in (("users", USERS), ("items", ITEMS)):
        out = tmp_path / f"{side}.parquet"
        assert main(["embed", str(run), side, "--out", str(out)]) == 0
        table = pq.read_table(out)
        assert len(table) == count and len(table["embedding"][0]) == 16
        assert table["id"][0].as_py().startswith("u" if side == "users" else "track-")


def test_the_line_while_a_run_goes_on():
    row = {"epoch": 3.0, "loss": 0.5, "triples_per_second": 30285.4, "wait_share": 0.0, "recall@20": 0.10172}
    assert numbers(row, SHOWN) == "epoch 3, loss 0.5, 30,285 triples/s, Recall@20 0.1017, 0% waiting for data"


WRITING = {
    "embed": ["embed", "{run}", "items"],
    "export": ["export", "{run}", "--format", "faiss"],
    "recommend": ["recommend", "{run}"],
    "similar": ["similar", "{run}", "track-1"],
    "evaluate": ["evaluate", "{run}", "{data}"],
    "report": ["report", "{run}"],
}


@pytest.mark.parametrize("verb", WRITING)
def test_a_place_that_cannot_be_written_is_one_sentence_and_a_missing_folder_is_made(
    run, plays, tmp_path, capsys, verb
):
    command = [argument.replace("{run}", str(run)).replace("{data}", str(plays)) for argument in WRITING[verb]]
    (tmp_path / "file").write_text("x")
    out = tmp_path / "file" / "out"
    assert main([*command, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"{out} cannot be written ({tmp_path / 'file'} is a file): name another place.\n" in error
    assert error.count("\n") == 1
    out = tmp_path / "new" / "deep" / "out"
    assert main([*command, "--out", str(out)]) == 0
    assert [p.name for p in out.parent.iterdir()] == ["out"]
    assert main([*command, "--out", str(tmp_path)]) == (0 if verb == "report" else 2)


def test_check_says_what_is_there_and_what_would_happen(plays, capsys):
    assert main(["check", str(plays), "--method", "sgl", *COLUMNS, "--split", "last"]) == 0
    message = capsys.readouterr().out
    assert "training pairs of each user: 10 (10th percentile), 10 (median), 10 (most)" in message
    assert "A run would train sgl" in message and "triples" in message


def test_the_exported_index_finds_what_exact_search_finds_by_the_printed_lines(run, tmp_path, capsys, monkeypatch):
    from twofold.interactions.jobs import export

    for cells_from, name in ((export.CELLS_FROM, "flat"), (10, "cells")):
        monkeypatch.setattr(export, "CELLS_FROM", cells_from)
        out = tmp_path / f"{name}.faiss"
        assert main(["export", str(run), "--format", "faiss", "--out", str(out)]) == 0
        message = capsys.readouterr().out
        assert name == "cells" or "it finds 100.0%" in message
        found = {}
        exec(message.partition("Use it with:")[2], found)
        assert len(found["best"]) == 10 and all(item.startswith("track-") for item in found["best"])


def test_evaluate_again_and_on_other_pairs(run, plays, tmp_path, capsys):
    before = rows_of(run)
    assert main(["evaluate", str(run), str(plays)]) == 0
    assert rows_of(run) == before
    other = tmp_path / "later.csv"
    pairs = pq.read_table(run / "pairs.parquet")
    users, items = (pq.read_table(run / f"{side}_ids.parquet")[side].to_pylist() for side in ("user", "item"))
    used = {items[i] for u, i in zip(*(c.to_pylist() for c in pairs.columns), strict=True) if users[u] == "u00"}
    new = next(f"track-{i}" for i in range(ITEMS) if f"track-{i}" not in used)
    lines = [f"u00,{new}", f"u00,{next(iter(used))}", "stranger,track-1"]
    other.write_text("\n".join(["user,item", *lines]) + "\n")
    capsys.readouterr()
    assert main(["evaluate", str(run), str(other), "--no-floors"]) == 0
    message = capsys.readouterr().out
    assert "1 of unknown users or items, 1 learned from" in message and "recall@20" in message


def test_the_same_command_again_is_finished_and_others_are_refused(run, plays, capsys):
    same = ["pretrain", "sgl", str(plays), "--out", str(run), *SMALL, "--no-report"]
    assert main(same) == 0
    assert "This run is finished" in capsys.readouterr().out
    assert main([*same, "--split", "last"]) == 2
    assert "split was ratio and is now last" in capsys.readouterr().err


def test_a_run_ends_when_nothing_more_is_gained_and_the_best_epoch_is_kept(plays, tmp_path):
    out = tmp_path / "run"
    arguments = [*SMALL[2:], "--epochs", "300", "--patience", "4", "--no-report", "--quiet"]
    assert main(["pretrain", "lightgcn", str(plays), "--out", str(out), *arguments]) == 0
    history = json.loads((out / "best.json").read_text())
    best = max(history, key=lambda entry: (entry["value"], -entry["epoch"]))
    assert history[-1]["epoch"] < 300 and history[-1]["epoch"] - best["epoch"] >= 4
    with (out / "metrics.csv").open(newline="") as handle:
        last = list(csv.DictReader(handle))[-1]
    assert float(last["best_epoch"]) == best["epoch"] and float(last["triples_per_second"]) > 0
    assert "Nothing more is gained" in (out / "log.txt").read_text()
    from safetensors.torch import load_file

    model, kept = load_file(out / "model.safetensors"), load_file(out / "best.safetensors")
    assert torch.equal(model["user"], kept["user"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["sgl", "{data}", "--backbone", "resnet18"],
            "--backbone belongs to images and videos, and sgl learns",
        ),
        (
            ["moco", "{data}", "--user-column", "u"],
            "looks like interactions, not like images, videos: say which by --kind",
        ),
        (["sgl+co2", "{data}"], "takes no additions"),
        (["sgl", "{data}", "--user-column", "lisener"], 'Did you mean "listener"'),
        (["sgl", "nowhere.csv"], "nowhere.csv"),
        (["sgl", "{data}", "--method.tau", "0.1"], 'has no setting "tau"'),
        (["sgl", "{data}", *COLUMNS, "--split", "none", "--select-on", "test"], "needs a test part"),
        (["sgl", "{data}", *COLUMNS, "--core", "1000"], "core"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(plays, tmp_path, capsys, arguments, message):
    filled = [argument.replace("{data}", str(plays)) for argument in arguments]
    assert main(["pretrain", *filled, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("twofold: ") and error.count("\n") == 1 and message in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recommend", "nowhere"], "nowhere does not exist"),
        (["similar", "{run}", "track-999"], "does not know the item"),
        (["embed", "{run}", "itms"], 'Did you mean "items"'),
        (
            ["evaluate", "{run}", "{data}", "--protocols", "finetune"],
            "--protocols belongs to images and videos and control, and",
        ),
        (["export", "{run}", "--format", "torchvision"], "--format takes faiss, not 'torchvision'"),
        (["recommend", "{run}", "--candidates", "track-777"], "names no item that the run knows"),
    ],
)
def test_mistakes_with_a_finished_run(run, plays, capsys, arguments, message):
    filled = [argument.replace("{run}", str(run)).replace("{data}", str(plays)) for argument in arguments]
    assert main(filled) == 2
    assert message in capsys.readouterr().err


def test_users_without_training_pairs_are_reported_apart_and_floors_that_are_not_reached_named(tmp_path):
    (tmp_path / "data").mkdir()
    for part, kept in (("train", False), ("test", True)):
        users = range(30 if part == "train" else 31)
        own = {u: [str(i) for i in range(u % 3, 90, 3) if ((i // 3 + u) % 5 == 0) == kept] for u in users}
        lines = [" ".join([str(u), *items]) for u, items in own.items()]
        (tmp_path / "data" / f"{part}.txt").write_text("\n".join(lines) + "\n")
    out = tmp_path / "run"
    arguments = ["--epochs", "1", "--batch-size", "32", "--lr", "1e-9", "--no-report", "--quiet"]
    assert main(["pretrain", "bpr-mf", str(tmp_path / "data"), "--out", str(out), *arguments]) == 0
    apart = [row for row in json.loads((out / "evaluation.json").read_text()) if "without training" in row["protocol"]]
    assert {row["protocol"] for row in apart} == {"1 users without training pairs"}
    assert "Below" in (out / "log.txt").read_text() and "graph filter" in (out / "log.txt").read_text()


def test_a_run_on_images_recommends_nothing(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("method: moco+co2\n")
    for arguments in (["recommend", str(tmp_path)], ["similar", str(tmp_path), "a"]):
        assert main(arguments) == 2
        assert f"{arguments[0]} is for interactions, and {tmp_path} learned from images" in capsys.readouterr().err


def test_noise_is_added_to_what_is_learned_from_alone(plays, tmp_path):
    out = tmp_path / "noisy"
    arguments = [*SMALL[2:], "--epochs", "1", "--noise", "0.25", "--no-report", "--quiet"]
    assert main(["pretrain", "bpr-mf", str(plays), "--out", str(out), *arguments]) == 0
    pairs = pq.read_table(out / "pairs.parquet")
    users, items = (pq.read_table(out / f"{side}_ids.parquet")[side].to_pylist() for side in ("user", "item"))
    strange = sum(
        taste(users[u]) != taste(items[i]) for u, i in zip(*(c.to_pylist() for c in pairs.columns), strict=True)
    )
    assert 0.05 * len(pairs) < strange < 0.2 * len(pairs)


def test_lists_of_any_length_are_asked_about(run, plays, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert main(["evaluate", str(run), str(plays), "--at", "30,1", "--out", str(out)]) == 0
    metrics = {row["metric"] for row in json.loads(out.read_text()) if row["protocol"] == "ranking"}
    assert {metric.partition("@")[2] for metric in metrics} == {"1", "20", "30"}
    assert main(["evaluate", str(run), str(plays), "--at", "0"]) == 2
    assert '--at takes lengths of lists, 1 or more, commas between, not "0".' in capsys.readouterr().err


@pytest.mark.parametrize("method", ["popularity", "graph-filter", "item-knn"])
def test_rankers_without_training_are_runs_like_others(method, plays, tmp_path, capsys):
    out, found = tmp_path / "run", tmp_path / "found.parquet"
    options = ["--method.neighbours", "8"] if method == "item-knn" else []
    assert main(["pretrain", method, str(plays), "--out", str(out), *COLUMNS, *options]) == 0
    message = capsys.readouterr().out
    assert "Nothing is trained" in message and "longer" not in message and (out / "report.html").is_file()
    assert not (out / "model.safetensors").exists()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "a formula over the data ranks" in page and "ended before" not in page and "no curves to draw" in page
    names = {row["name"] for row in json.loads((out / "evaluation.json").read_text())}
    assert names == {"run", "popularity", "graph filter"} - ({method.replace("-", " ")} - {"run"})
    assert main(["recommend", str(out), "--users", "u07,u08", "--k", "4", "--out", str(found)]) == 0
    table = pq.read_table(found).to_pylist()
    own = sum(taste(row["user"]) == taste(row["item"]) for row in table)
    assert len(table) == 8 and (own == 8 or method == "popularity")
    history = tmp_path / "new.csv"
    history.write_text("user,item\nann,track-0\nann,track-2\n")
    assert main(["recommend", str(out), "--history", str(history), "--k", "5", "--out", str(found)]) == 0
    fresh = pq.read_table(found).to_pylist()
    assert len(fresh) == 5 and not {row["item"] for row in fresh} & {"track-0", "track-2"}
    assert method == "popularity" or all(taste(row["item"]) == 0 for row in fresh)
    for verb in (
        ["similar", str(out), "track-1"],
        ["embed", str(out), "users"],
        ["export", str(out), "--format", "faiss"],
    ):
        capsys.readouterr()
        assert main(verb) == 2
        assert f"{method} ranks without embeddings" in capsys.readouterr().err
    assert main(["pretrain", method, str(plays), "--out", str(out), *COLUMNS, "--epochs", "3"]) == 2
    assert f"{method} is not trained in steps: --epochs means nothing" in capsys.readouterr().err
    assert main(["check", str(plays), "--method", method, *COLUMNS]) == 0
    assert "is not trained" in capsys.readouterr().out


def test_a_sample_of_users_is_said_beside_the_number_and_replaces_no_other(run, plays, capsys):
    before = json.loads((run / "evaluation.json").read_text())
    assert main(["evaluate", str(run), str(plays), "--eval-users", "10", "--no-floors"]) == 0
    shown, after = capsys.readouterr().out, json.loads((run / "evaluation.json").read_text())
    assert "all items ranked, 10 of 60 users (seed 0)" in shown and "popularity" not in shown
    assert all(row in after for row in before) and len(after) > len(before)
    assert {row["settings"] for row in after} == {"all items ranked", "all items ranked, 10 of 60 users (seed 0)"}


def test_a_run_may_rank_for_some_users_without_floors(plays, tmp_path, capsys):
    out = tmp_path / "some"
    command = ["pretrain", "lightgcn", str(plays), "--out", str(out), *COLUMNS, "--epochs", "2", "--eval-users", "9"]
    assert main([*command, "--no-floors", "--no-report"]) == 0
    assert "Epochs are compared by 9 users" in capsys.readouterr().out
    found = json.loads((out / "evaluation.json").read_text())
    assert {row["name"] for row in found} == {"some"}
    assert {row["settings"] for row in found} == {"all items ranked, 9 of 60 users (seed 0)"}
