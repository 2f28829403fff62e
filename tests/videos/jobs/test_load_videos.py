"""A backbone of clips as an object: its vectors are those that `embed` writes."""

import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.testing import assert_close

import twofold
from tests.videos.clips import HERE, clip
from twofold.errors import UserError
from twofold.videos.reading.video import Video


@pytest.fixture(scope="module")
def run(album, tmp_path_factory):
    settings = {"backbone": "convnet3d", "image_size": 24, "frames": 4, "stride": 2, "batch_size": 4}
    out = tmp_path_factory.mktemp("runs") / "run"
    return twofold.pretrain("simclr", album / "train", out=out, steps=1, report=False, quiet=True, **settings)


@pytest.fixture(scope="module")
def model(run):
    return twofold.load(run, clips=3)


def test_vectors_are_those_of_embed(run, model, album):
    table = pq.read_table(twofold.embed(run, album / "test", clips=3, quiet=True))
    expected = torch.tensor(table["embedding"].to_pylist())
    assert_close(model.encode(album / "test", quiet=True), expected, atol=1e-5, rtol=1e-4)
    paths = [album / "test" / name for name in table["name"].to_pylist()]
    assert_close(model.encode(paths[::-1], quiet=True), expected.flip(0), atol=1e-5, rtol=1e-4)
    frames = [Video(str(path)).whole() for path in paths[:2]]
    assert_close(model.encode(frames), expected[:2], atol=1e-4, rtol=1e-3)
    channels_first = torch.from_numpy(frames[0]).permute(0, 3, 1, 2)
    assert_close(model.encode(channels_first), expected[:1], atol=1e-4, rtol=1e-3)


def test_it_goes_through_pickle(model, album):
    sent = pickle.loads(pickle.dumps(model))
    assert torch.equal(sent.encode(album / "test", quiet=True), model.encode(album / "test", quiet=True))


def test_it_is_a_network_with_a_transform(model):
    frames = np.random.default_rng(0).integers(0, 256, (4, 40, 60, 3)).astype(np.uint8)
    x = model.transform(frames)
    assert x.shape == (3, 4, 24, 24) and not model.training
    assert_close(model.transform(torch.from_numpy(frames).permute(0, 3, 1, 2)), x)
    pooled = model(x[None])
    assert pooled.shape == (1, model.width)
    assert_close(model.map(x[None]).mean((2, 3, 4)), pooled)
    pooled.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()


def test_what_is_no_video_is_said(model):
    for videos, says in (
        ([], "not nothing"), (3, "not int"), (np.zeros((2, 8, 8, 3)), "not float64 .2, 8, 8, 3."),
        ([np.zeros((2, 8, 8, 4), np.uint8)], "not uint8 .2, 8, 8, 4."), ([str(HERE / "song.m4a")], "song.m4a"),
        (["/nowhere.mp4", clip("plain.mp4")], "the file does not exist"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            model.encode(videos, quiet=True)
