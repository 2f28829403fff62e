"""Fine-tuning with motion beside the labels: what is learned, what is left out, what is said."""

import pytest
import torch

import twofold
from tests.videos.conftest import moving, write_video
from twofold.errors import UserError
from twofold.seam import Progress, Views
from twofold.videos.backbones import load_backbone
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.jobs.auxiliary import ForetoldMotion
from twofold.videos.views.context import Motion


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run, and its videos: right and down, one of them of few frames."""
    root = tmp_path_factory.mktemp("auxiliary")
    for part, count in (("train", 5), ("test", 2)):
        for kind in ("right", "down"):
            for i in range(count):
                frames = 12 if (part, kind, i) == ("train", "down", 0) else 24
                film = moving(kind, 100 * (part == "test") + 10 * (kind == "down") + i, 24)[:frames]
                write_video(root / part / kind / f"{i}.mp4", film, gop=6)
    settings = {"backbone": "convnet3d", "epochs": 1, "batch_size": 4, "image_size": 32, "frames": 4, "stride": 2}
    twofold.pretrain("moco", str(root / "train"), out=str(root / "run"), quiet=True, report=False, **settings)
    return root


def finetuned(run, **options):
    return twofold.evaluate(
        str(run / "run"), str(run / "train"), test=str(run / "test"), protocols="finetune", epochs=1, clips=1, **options
    )


def test_it_is_measured_and_said(run, capsys):
    rows = finetuned(run, auxiliary="cmd", auxiliary_weight=0.5)
    assert {row["name"] for row in rows} == {"moco", "untrained network"}
    assert all("cmd's motion beside the labels, weight 0.5" in row["settings"] for row in rows)
    assert "1 videos have fewer than 13 frames" in capsys.readouterr().out


def test_the_network_learns_from_motion_too(run):
    backbone, about = load_backbone(run / "run" / "backbone.safetensors")
    inputs = InputSettings(32, 4, 2, tuple(about["mean"]), tuple(about["std"]))
    task = ForetoldMotion(backbone.train(), inputs)
    clips = torch.randn(4, 3, 4, 32, 32)
    maps = torch.rand(4, 4, 2, 4, 32, 32) - 0.5
    views = Views([clips, clips[:, :, :1]], [], torch.arange(4), Motion(maps, torch.zeros(4, dtype=torch.bool)))
    feature, loss = task(views, Progress(0, 1))
    assert feature.shape == (4, backbone.width) and loss > 0
    (gradient,) = torch.autograd.grad(loss, next(backbone.parameters()))
    assert gradient.abs().max() > 0


def test_what_it_refuses(run, tmp_path):
    with pytest.raises(UserError, match="give --protocols finetune"):
        twofold.evaluate(str(run / "run"), str(run / "train"), protocols="linear", auxiliary="cmd")
    with pytest.raises(UserError, match="No video has the"):
        finetuned(run, auxiliary="cmd", stride=9)
    for i in range(4):
        name = tmp_path / "webm" / ("a" if i % 2 else "b") / f"{i}.webm"
        write_video(name, moving("right", i, 24), codec="libvpx-vp9")
    with pytest.raises(UserError, match=r"tells no motion vectors.*prepare --motion"):
        twofold.evaluate(str(run / "run"), str(tmp_path / "webm"), protocols="finetune", auxiliary="cmd")
