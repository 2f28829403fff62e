"""CMD's sampler, its cut of motion and its transformer against the official code."""

import numpy as np
import torch
from torch.testing import assert_close

from twofold.nets.transformer import Transformer
from twofold.videos.motion import cut
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Film
from twofold.videos.views.context import NEAR, ContextAndMotion


def test_samples_follow_the_official_rules_and_spread_as_widely(golden):
    file = golden("video_cmd")
    frames, stride, future, others = (
        int(file[f"samp_{name}"]) for name in ("clip_frames", "clip_stride", "future_frames", "neg_num")
    )
    pretext = ContextAndMotion(future=future, gap=int(file["samp_future_interval"]), others=others)
    sampling, gop = Sampling(frames, stride), int(file["samp_gop"])
    rows = file["samp_rows"]
    ends = np.cumsum([frames, future, others * future])
    ours = []
    for index, n in enumerate(np.repeat(rows[:, 1], 5)):
        film = Film([np.arange(n)], np.arange(0, n, gop))
        chosen = pretext.choose(sampling, film, index, 0, 0, 2)
        motion, (far,) = chosen.motion.ravel(), chosen.drawn
        ours.append([index, n, *chosen.clips[0], *motion, chosen.clips[1][0]])
        assert not far
    for table in (rows, np.array(ours)):
        n, (clip, after, other, key) = table[:, 1], np.split(table[:, 2:], ends, 1)
        assert (np.diff(clip) == stride).all() and (np.diff(after) == 1).all()
        assert (after[:, 0] == clip[:, -1] + pretext.gap + 1).all() and (after[:, -1] < n).all() and (clip >= 0).all()
        starts = other.reshape(-1, others, future)[:, :, 0]
        assert (abs(starts - after[:, :1]) >= future).all() and (starts >= 0).all()
        assert (other.max(1) < n).all() and all(len(set(row)) == others for row in starts.tolist())
        assert (key[:, 0] >= clip[:, 0] - NEAR).all() and (key[:, 0] <= clip[:, -1] + NEAR).all()
    share = [table[:, 2] / np.maximum(table[:, 1] - pretext.window(sampling), 1) for table in (rows, np.array(ours))]
    wide = [part[table[:, 1] > 2 * 71] for part, table in zip(share, (rows, np.array(ours)), strict=True)]
    assert abs(wide[0].mean() - wide[1].mean()) < 5 * wide[0].std() / np.sqrt(len(wide[0]))


def test_motion_of_a_box(golden):
    file = golden("video_cmd")
    maps = torch.as_tensor(file["mv_in"])[None]
    box = torch.as_tensor(file["mv_crop_box_xywh"])[None].float()
    found = cut(maps, box, torch.tensor([maps.shape[2:4]]), int(file["mv_crop_size"]))
    assert_close(found[0], torch.as_tensor(file["mv_crop_seed5"]), rtol=0, atol=1e-4)  # OpenCV rounds its weights


def test_the_transformer(golden):
    file = golden("video_cmd")
    weights = {k.removeprefix("tr."): torch.as_tensor(file[k]) for k in file if k.startswith("tr.")}
    width, hidden = weights["encoder.layers.0.fc2.weight"].shape
    layers = (int(file["tr_num_encoder_layers"]), int(file["tr_num_decoder_layers"]))
    network = Transformer(width, int(file["tr_num_heads"]), hidden, *layers).eval()
    network.load_state_dict(weights)
    memory, places, queries = (torch.as_tensor(file[f"tr_{k}"]).transpose(0, 1) for k in ("memory", "kpos", "qpos"))
    assert_close(network(memory, places, queries).transpose(0, 1), torch.as_tensor(file["tr_out"]), rtol=0, atol=1e-5)
