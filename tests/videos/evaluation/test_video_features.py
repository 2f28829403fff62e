"""Features of videos: the mean over evenly spaced clips, and which of them to trust."""

import shutil

import torch

from tests.tiny import ClipNet
from tests.videos.clips import clip
from twofold.videos.evaluation.features import InputSettings, extract, readable
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.store import VideoStore

INPUTS = InputSettings(16, 2, 1, (0.5,) * 3, (0.5,) * 3, clips=2, batch_size=4)


def clips_of(folder):
    return Clips(VideoStore(open_source(str(folder)), 24), even(1, 2, 1), max_unreadable=0.9)


def test_videos_that_cannot_be_read_are_known_whatever_their_names(tmp_path):
    shutil.copy(clip("plain.mp4"), tmp_path / "a.mp4")
    (tmp_path / "b\x1b[31m.mp4").write_bytes(b"nothing")
    (tmp_path / "c\n.mp4").write_bytes(b"nothing")
    clips, rows = clips_of(tmp_path), torch.arange(3)
    features = extract(ClipNet(), clips, INPUTS, rows)
    assert readable(clips, rows).tolist() == [True, False, False]
    assert features.shape == (3, 8) and torch.equal(features[0], features[1])


def test_the_feature_of_a_video_does_not_depend_on_its_batch(tmp_path):
    for name in ("plain.mp4", "odd.mp4", "open.mp4"):
        shutil.copy(clip(name), tmp_path / name)
    torch.manual_seed(0)
    network, clips = ClipNet(), clips_of(tmp_path)
    whole = extract(network, clips, INPUTS)
    alone = extract(network, clips, INPUTS, torch.tensor([1]))
    assert network.training and torch.allclose(whole[1], alone[0], atol=1e-6)


def test_other_clips_of_the_same_videos_take_no_more_threads(tmp_path):
    shutil.copy(clip("plain.mp4"), tmp_path / "a.mp4")
    clips = clips_of(tmp_path)
    others = [clips.choosing(even(1, 3, 1)) for _ in range(3)]
    assert all(other._threads is clips._threads and other.replaced is clips.replaced for other in others)
    (batch,) = others[0].stream([torch.tensor([0])])
    assert batch.clips[0].shape[1] == 3 and clips.waited == 0.0
