"""Commands on videos, end to end: small files, a small network, few steps."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import twofold
from tests.videos.conftest import moving, write_video
from twofold.cli import main
from twofold.errors import UserError
from twofold.videos.backbones import load_backbone

SMALL = {"backbone": "convnet3d", "image_size": 16, "frames": 4, "stride": 2, "batch_size": 4, "quiet": True}


@pytest.fixture(scope="module")
def run(album, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "be"
    twofold.pretrain("be", str(album), out=str(out), epochs=3, save_every=0, **SMALL)
    return out


def test_a_run_keeps_its_backbone_its_log_and_its_page(run):
    backbone, about = load_backbone(run / "backbone.safetensors")
    assert (backbone.frames, backbone.clip_size, about["stride"], about["classes"]) == (4, 16, 2, ["down", "right"])
    page = (run / "report.html").read_text()
    assert "be" in page and "kNN" in page and "Kilobytes read a clip" in page
    assert {"wait_share", "kilobytes_per_clip"} <= set((run / "metrics.csv").read_text().splitlines()[0].split(","))
    entries = json.loads((run / "evaluation.json").read_text())
    assert {e["name"] for e in entries} == {"be", "raw frames", "untrained network", "majority class"}
    with np.load(run / "views.npz") as views:
        assert views["views"].shape[1:] == (3, 4, 16, 16, 3) and views["sources"].shape[1:] == (4, 16, 16, 3)


@pytest.mark.parametrize("method", ["moco", "simclr", "byol", "triplet+be", "rotation+be"])
def test_other_methods_learn_from_a_folder_of_videos(album, tmp_path, method):
    extra = {"views": "moco-clips"} if method == "moco" else {}
    twofold.pretrain(method, str(album), out=str(tmp_path / "run"), steps=2, report=False, **SMALL, **extra)
    assert (tmp_path / "run" / "backbone.safetensors").is_file()


def test_a_stopped_run_goes_on_to_the_same_weights(album, run, tmp_path, monkeypatch):
    from twofold.runs.folder import RunFolder

    save = RunFolder.save

    class Stop(BaseException):
        pass

    def stopping(self, checkpoint):
        save(self, checkpoint)
        raise Stop

    options = {"out": str(tmp_path / "be"), "epochs": 3, "save_every": 0, **SMALL}
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(RunFolder, "save", stopping)
        twofold.pretrain("be", str(album), **options)
    twofold.pretrain("be", str(album), **options)
    ours, theirs = (load_backbone(path / "backbone.safetensors")[0].state_dict() for path in (tmp_path / "be", run))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_protocols_stand_beside_their_floors(album, run, capsys):
    rows = twofold.evaluate(
        str(run), str(album), test=str(album), protocols="retrieval,knn,linear,background,finetune", clips=2, epochs=1
    )
    found = {(row["protocol"], row["name"]) for row in rows}
    assert {("retrieval", "raw frames"), ("linear", "majority class"), ("finetune", "untrained network")} <= found
    assert all(0 <= row["value"] <= 1 for row in rows)
    assert {row["metric"] for row in rows if row["protocol"] == "background"} == {"R@1 mixed", "R@1 swapped"}
    said = capsys.readouterr().out
    assert "12 videos to learn from, 6 to test on, 2 classes" in said and "2 clips of 4 frames, stride 2" in said


def test_vectors_of_videos_and_of_clips(album, run, tmp_path):
    whole = twofold.embed(str(run), str(album), out=str(tmp_path / "a.parquet"), part="test", clips=3, quiet=True)
    table = pq.read_table(whole)
    assert table.num_rows == 6 and table.column_names == ["name", "label", "class", "embedding"]
    each = pq.read_table(
        twofold.embed(
            str(run), str(album), out=str(tmp_path / "b.parquet"), part="test", clips=3, each_clip=True, quiet=True
        )
    )
    assert each.num_rows == 18 and each["first_frame"].to_pylist()[0] <= each["last_frame"].to_pylist()[0]
    mean = np.mean(each["embedding"].to_pylist()[:3], 0)
    assert np.allclose(mean, table["embedding"].to_pylist()[0], atol=1e-5)


def test_the_backbone_leaves_and_comes_back(run, album, tmp_path):
    out = twofold.export(str(run), format="safetensors", out=str(tmp_path / "net.safetensors"))
    rows = twofold.evaluate(str(out), str(album), test=str(album), protocols="retrieval", clips=1, floors=False)
    assert rows[0]["name"] == "be"


def test_broken_files_are_counted_named_and_stood_in_for(album, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(album / "train", data)
    (data / "right" / "bad.mp4").write_bytes(b"nothing")
    out = tmp_path / "run"
    options = {**SMALL, "steps": 6, "report": False, "floors": False, "max_unreadable": 0.2}
    twofold.pretrain("moco", str(data), out=str(out), **options)
    assert "bad.mp4" in (out / "unreadable.txt").read_text()
    for i in range(6):
        (data / "down" / f"{i}.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"videos, of which .* cannot be read"):
        twofold.pretrain("moco", str(data), out=str(tmp_path / "other"), **options)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["pretrain", "be", "DATA", "--precision", "bf16"], "3-D convolutions in bf16 give wrong gradients"),
        (["pretrain", "be", "DATA", "--views", "bee"], "no augmentation of clips"),
        (["pretrain", "be", "EMPTY"], "is empty; videos end in"),
        (["pretrain", "be", "DATA/gone"], "does not exist"),
        (["pretrain", "moco", "DATA", "--stem", "cifar"], "--stem"),
        (["evaluate", "RUN", "DATA", "--protocols", "retreival"], 'no protocol "retreival". Did you mean "retrieval"?'),
        (["evaluate", "RUN", "DATA/right"], "no labels"),
    ],
)
def test_mistakes_are_told_in_a_sentence(album, run, tmp_path, capsys, arguments, sentence):
    (tmp_path / "empty").mkdir()
    places = {"DATA": str(album / "train"), "EMPTY": str(tmp_path / "empty"), "RUN": str(run)}
    named = [next((a.replace(k, v) for k, v in places.items() if a.startswith(k)), a) for a in arguments]
    more = ["--out", str(tmp_path / "out")] if arguments[0] == "pretrain" else []
    if not torch.cuda.is_available() or "bf16" not in arguments:
        assert main([*named, *more]) != 0
        assert sentence in capsys.readouterr().err


def test_unlike_rates_and_short_videos_are_said(tmp_path, capsys):
    for i, (rate, frames) in enumerate([(25, 30), (25, 30), (10, 6), (10, 30)]):
        write_video(tmp_path / "films" / f"{i}.mp4", moving("right", i, frames=frames, side=48)[:, :32], rate)
    options = {**SMALL, "quiet": False, "report": False, "floors": False, "batch_size": 2, "steps": 1, "stride": 5}
    twofold.pretrain("moco", str(tmp_path / "films"), kind="videos", out=str(tmp_path / "run"), **options)
    said = capsys.readouterr().out
    assert "from 10 to 25 frames/s" in said and "25% of the videos looked at have fewer than the 16 frames" in said


def test_the_page_shows_moving_clips_with_the_mixed_one_first(run):
    from twofold.pixels.report.views import read_views, views_section
    from twofold.videos.report.sections import VIEWS

    samples = read_views(run / "views.npz", VIEWS)
    section = views_section(samples, 1.0, VIEWS)
    assert len(section.content) == 6 and all(len(row.views) == 3 for row in section.content)
    assert all(row.source.startswith("data:image/webp;base64,") for row in section.content)
    assert "clips" in (run / "report.html").read_text()
    import base64
    import io

    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(section.content[0].views[0].partition(",")[2])))
    assert picture.n_frames > 1


def test_methods_are_compared_in_one_table(album, tmp_path, capsys):
    options = {"out": str(tmp_path / "both"), "seeds": 1, "steps": 1, "clips": 1, "backbone": "convnet3d"}
    shape = {"image_size": 16, "frames": 4, "stride": 2, "batch_size": 4}
    options |= {"test": str(album), "recipe_of": "be", "protocols": "retrieval", "supervised": False}
    found = twofold.compare("moco,be", str(album), **options, **shape)
    assert [row["name"] for row in found["rows"]][:2] == ["moco", "be"]
    said = capsys.readouterr().out
    assert "retrieval R@1" in said and "raw frames" in said
    assert (tmp_path / "both" / "report.html").is_file()
    again = twofold.compare("moco,be", str(album), **options, **shape)
    assert [row["numbers"] for row in again["rows"]] == [row["numbers"] for row in found["rows"]]
    with pytest.raises(UserError, match="no labels of two classes"):
        twofold.compare("moco,be", str(album / "train" / "right"), out=str(tmp_path / "x"), kind="videos")


def test_one_video_of_each_class_is_learned_from_without_knn(tmp_path, capsys):
    for kind in ("right", "down"):
        write_video(tmp_path / "films" / kind / "0.mp4", moving(kind, 0, 8))
    settings = {**SMALL, "quiet": False, "batch_size": 2}
    twofold.pretrain("moco", str(tmp_path / "films"), out=str(tmp_path / "run"), steps=1, report=False, **settings)
    assert "one video of each class, or one source only: no kNN during the run." in capsys.readouterr().out


def test_what_cannot_be_read_is_in_no_number_and_said(album, run, tmp_path, capsys):
    shutil.copytree(album / "train", tmp_path / "films")
    (tmp_path / "films" / "down" / "broken.mp4").write_bytes(b"")
    twofold.evaluate(str(run), str(album), test=str(tmp_path / "films"), clips=1, protocols="knn", floors=False)
    out = capsys.readouterr().out
    assert "1 of 13 videos to test on cannot be read and are left out: down/broken.mp4 (the file is empty)." in out
    assert "12 of the 13 videos to test on are of sources that are also learned from, or copies" in out
    settings = {**SMALL, "max_unreadable": 0.5}
    twofold.pretrain("moco", str(tmp_path / "films"), out=str(tmp_path / "run"), steps=1, report=False, **settings)
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert {e["value"] for e in found if e["name"] == "majority class" and e["metric"] == "top1"} == {0.5}
