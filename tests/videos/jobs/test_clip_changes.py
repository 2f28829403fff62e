"""Views of clips that a user changes by name or brings as data; what is called with pictures is refused."""

import pytest

import twofold
from twofold.errors import UserError
from twofold.pixels.views import Augmentation, Crop, Flip, Jitter, Normalise
from twofold.videos.jobs.views import augmentation_of
from twofold.videos.options import Pretrain
from twofold.videos.views import ClipAugmentation, Sampling

SMALL = {"backbone": "convnet3d", "image_size": 16, "frames": 4, "stride": 2, "batch_size": 4, "steps": 1}
OPS = (Crop((0.2, 1.0)), Flip(), Jitter(0.4, 0.4, 0.4, 0.1, p=0.8), Normalise())
RECIPE = ClipAugmentation(Sampling(4, 2), (0, 1), Augmentation((OPS,)))


def test_a_change_by_name_is_made_said_and_kept(album, tmp_path, capsys):
    options = {"views": "moco-clips", "view_options": {"jitter": 0}}
    run = twofold.pretrain("moco", str(album), out=str(tmp_path / "run"), report=False, **SMALL, **options)
    assert "by moco-clips, changed: jitter.p 0 (was 0.8)" in capsys.readouterr().out
    assert run.config["view_options"] == {"jitter.p": 0.0}
    changed = augmentation_of(Pretrain(**SMALL, **options)).pictures.views[0]
    assert [op.p for op in changed if isinstance(op, Jitter)] == [0.0]
    with pytest.raises(UserError, match="be-small has no flip: it has rotate, window and jitter"):
        twofold.check(str(album / "train"), method="be", view_options={"flip": 0}, **SMALL, quiet=True)


def test_what_a_task_draws_itself_is_not_changed(album, tmp_path):
    settings = {**SMALL, "quiet": True, "report": False, "method_options": {"hidden": 8, "dim": 4}}
    with pytest.raises(UserError, match=r"--views.crop.area changes nothing: cstp draws the boxes of its views itself"):
        twofold.pretrain("cstp", str(album), out=str(tmp_path / "a"), view_options={"crop.area": "0.5,1"}, **settings)
    twofold.pretrain("cstp", str(album), out=str(tmp_path / "b"), view_options={"rotate.degrees": 0}, **settings)


def test_an_augmentation_of_ones_own(album, tmp_path):
    settings = {**SMALL, "quiet": True, "report": False, "out": str(tmp_path / "run")}
    run = twofold.pretrain("simclr", str(album), views=RECIPE, **settings)
    assert run.config["views"] == "python:ClipAugmentation"
    other = ClipAugmentation(Sampling(4, 2), (0, 1), Augmentation((OPS[:2],)))
    with pytest.raises(UserError, match="or what makes its views, has changed"):
        twofold.pretrain("simclr", str(album), views=other, **settings)


@pytest.mark.parametrize("views", [lambda picture: picture, Augmentation((OPS,))], ids=["callable", "of-pictures"])
def test_what_makes_no_views_of_clips_is_refused(album, tmp_path, views):
    with pytest.raises(UserError, match="makes no views of clips: give a ClipAugmentation"):
        twofold.pretrain("simclr", str(album), transform=views, out=str(tmp_path / "run"), **SMALL)
