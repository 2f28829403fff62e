"""CtP's courses, patches, targets and losses against the official code."""

import numpy as np
import torch
from torch.testing import assert_close

from twofold.randomness import uniforms
from twofold.videos.methods.ctp import SPREAD, inverse, targets
from twofold.videos.views.courses import KEY_NUMBERS, course, key_frames
from twofold.videos.views.patches import RATIOS, SCALES, SIDE, Patches, _anchors, blended, trajectories

CLIPS = 3000


def test_values_between_key_frames(golden):
    file = golden("video_ctp")
    keys, values = torch.as_tensor(file["interp_keys"])[None], torch.as_tensor(file["interp_vals"])[None]
    for ease, name in enumerate(("uniform", "accelerate", "decelerate")):
        expected = torch.as_tensor(file[f"interp_{name}"])
        found = course(keys, torch.full((1, keys.shape[1] - 1), ease), values, len(expected))
        assert_close(found[0], expected, rtol=0, atol=1e-5)


def test_sizes_of_first_boxes(golden):
    file = golden("video_ctp")
    assert np.array_equal(file["anchor_scales"], SCALES) and np.allclose(file["anchor_ratios"], RATIOS)
    assert_close(_anchors("cpu").float(), torch.as_tensor(file["anchors_wh"]), rtol=0, atol=1e-4)


def test_patches_are_pasted_in_order_of_size(golden):
    file = golden("video_ctp")
    frames = torch.as_tensor(file["frames_in_bgr"]).permute(0, 3, 1, 2)[None].double() / 255
    rois, seen = file["apply_traj_rois"].astype(int), file["apply_labels"]
    alphas, patches = file["apply_alphas_padded"], file["apply_patches_padded"]
    sizes = (rois[..., 2:] - rois[..., :2]).mean(1).prod(1)
    out = frames
    for patch in np.argsort(-sizes, kind="stable"):
        content, alpha = torch.zeros_like(frames), torch.zeros(1, *frames.shape[1:2], *frames.shape[3:]).double()
        for t, (x1, y1, x2, y2) in enumerate(rois[patch]):
            high, wide = y2 - y1, x2 - x1
            part = torch.as_tensor(patches[patch, t, :high, :wide]).permute(2, 0, 1).double() / 255
            content[0, t, :, y1:y2, x1:x2] = part
            alpha[0, t, y1:y2, x1:x2] = torch.as_tensor(alphas[patch, t, :high, :wide]).double() * bool(seen[patch, t])
        out = blended(out, content, alpha, whole=True)
    expected = torch.as_tensor(file["apply_frames_out_bgr"]).permute(0, 3, 1, 2)[None].double()
    gap = (out * 255 - expected).abs()
    assert gap.max() <= 1.001 and (gap > 0.5).double().mean() < 0.002  # rounding of float32 in the official code


def loss_of(file):
    """The file's boxes, predictions and loss of each element, before any mean."""
    tracks = torch.as_tensor(file["loss_gt_trajs"])
    wanted = targets(tracks, SIDE)
    told = torch.as_tensor(file["loss_preds"]).double().view(*tracks.shape)
    return tracks, told, torch.nn.functional.smooth_l1_loss(told, wanted, reduction="none")


def test_losses_and_their_weights(golden):
    file = golden("video_ctp")
    assert np.allclose(file["loss_target_stds"], SPREAD) and not file["loss_target_means"].any()
    tracks, _, losses = loss_of(file)
    count = tracks[..., 0].numel()
    assert_close(losses[..., :2].sum() / count, torch.tensor(float(file["loss_ctr"])).double(), rtol=1e-5, atol=0)
    assert_close(losses[..., 2:].sum() / count, torch.tensor(float(file["loss_size"])).double(), rtol=1e-5, atol=0)
    weights = torch.as_tensor(file["loss_weights"]).double()
    for name, part in (("ctr", losses[..., :2]), ("size", losses[..., 2:])):
        found = (part.sum(3) * weights).sum() / weights.sum()
        assert_close(found, torch.tensor(float(file[f"loss_{name}_w"])).double(), rtol=1e-5, atol=0)


def test_boxes_from_predictions(golden):
    file = golden("video_ctp")
    tracks, told, _ = loss_of(file)
    found = inverse(float(file["predict_scale"]) * told, tracks[:, :, :1].double(), SIDE)
    assert_close(found.flatten(0, 1).float(), torch.as_tensor(file["predict_boxes"]), rtol=0, atol=1e-3)


def test_tracks_are_as_widely_spread(golden):
    file = golden("video_ctp")
    count, side, frames = (
        int(file["stat_num_rois"]),
        int(file["stat_frame_size"]),
        len(file["stat_visible_fraction_per_frame"]),
    )
    index = torch.arange(CLIPS)
    boxes = trajectories(index, count, frames, side, 0, 0)
    assert (boxes >= 0).all() and (boxes <= side).all() and (boxes == boxes.round()).all()
    size = (boxes[:, :, 0, 2:] - boxes[:, :, 0, :2]).flatten(0, 1).double()
    found = size.quantile(torch.tensor([0.01, 0.25, 0.5, 0.75, 0.99]).double(), dim=0)
    theirs = torch.as_tensor(file["stat_first_wh_quantiles_1_25_50_75_99"])
    assert ((found - theirs).abs() <= 1 + 0.03 * theirs).all(), (found, theirs)
    steps = ((boxes[..., :2] + boxes[..., 2:]) / 2).diff(dim=2).abs().flatten(0, 2).double()
    found = steps.quantile(torch.tensor([0.5, 0.9, 0.99]).double(), dim=0)
    assert ((found - torch.as_tensor(file["stat_center_step_abs_quantiles_50_90_99_max"])[:3]).abs() <= 0.51).all()
    _, visible = Patches(count, float(file["stat_label_prob"])).look(index, frames, 0, 0)
    theirs = torch.as_tensor(file["stat_visible_fraction_per_frame"])
    spread = (0.16 * (1 / (CLIPS * count) + 1 / (int(file["stat_num_clips"]) * count))) ** 0.5
    assert visible[:, :, 0].all() and ((visible.double().mean((0, 1)) - theirs).abs()[1:] < 5 * spread).all()


def test_key_frames_are_as_many(golden):
    file = golden("video_ctp")
    theirs = file["stat_nkey_counts_2_3_4"] / file["stat_nkey_counts_2_3_4"].sum()
    frames = len(file["stat_visible_fraction_per_frame"])
    keys, _ = key_frames(uniforms(torch.arange(CLIPS), KEY_NUMBERS, 0, "keys"), frames)
    counts = torch.tensor([len(set(row)) for row in keys.tolist()])
    ours = np.bincount(counts.numpy(), minlength=5)[2:5] / CLIPS
    spread = np.sqrt(0.25 * (1 / CLIPS + 1 / file["stat_nkey_counts_2_3_4"].sum()))
    assert (abs(ours - theirs) < 5 * spread).all()
