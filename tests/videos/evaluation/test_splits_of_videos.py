"""What of some videos is not in the numbers is said."""

import shutil

import pytest
import torch

from tests.tiny import ClipNet
from tests.videos.clips import clip
from twofold.errors import UserError
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.evaluation.splits import Split, labelled, left_out
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.store import VideoStore

INPUTS = InputSettings(16, 2, 1, (0.5,) * 3, (0.5,) * 3, clips=2, batch_size=4)


@pytest.fixture
def split(tmp_path):
    for name in ("run/a.mp4", "walk/b.mp4", "c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(clip("one.mp4"), tmp_path / name)
    (tmp_path / "run" / "broken.mp4").write_bytes(b"nothing")
    source = open_source(str(tmp_path))
    return labelled(Clips(VideoStore(source, 24), even(1, 2, 1), max_unreadable=0.9))


def test_videos_without_a_label_or_that_cannot_be_read_are_counted(split):
    features, labels = split.features(ClipNet(), INPUTS)
    assert len(features) == len(labels) == 2 and list(split.unreadable()) == ["run/broken.mp4"]
    bare, broken = left_out(split, "to test on")
    assert bare == "1 of 4 videos to test on have no label and are left out."
    assert broken.startswith("1 of 3 videos to test on cannot be read and are left out: run/broken.mp4 (")


def test_where_none_can_be_read_it_is_said(split):
    broken = Split(split.clips, split.indices[1:2], split.labels[1:2])
    with pytest.raises(UserError, match=r"None of 1 videos of .* can be read: run/broken\.mp4 \("):
        broken.features(ClipNet(), INPUTS)
    assert torch.equal(broken.readable(), torch.tensor([False]))


def test_classes_may_be_spelled_with_spaces_or_underscores(tmp_path):
    for name in ("Riding_a_bike/a.mp4", "riding a horse/b.mp4"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(clip("one.mp4"), tmp_path / name)
    clips = Clips(VideoStore(open_source(str(tmp_path)), 24), even(1, 2, 1))
    assert labelled(clips, ["cooking", "riding a bike", "Riding_a_horse"]).labels.tolist() == [1, 2]
    with pytest.raises(UserError, match='has the class "riding a horse"'):
        labelled(clips, ["cooking", "riding a bike"])
