"""The script that renders human actions: what of it needs no renderer."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import motion_capture_backgrounds as backgrounds  # noqa: E402
import motion_capture_stage as stage  # noqa: E402
import motion_capture_videos as videos  # noqa: E402

sys.path.remove(str(ROOT / "benchmarks"))

SMALL = videos.Recipe(seed=3, classes=("run", "kick", "walk"))
SWAPPED = videos.Recipe(seed=3, background="correlated", classes=("run", "kick", "walk"))


@pytest.mark.parametrize("kind", backgrounds.KINDS)
def test_a_background_is_a_function_of_its_draw_and_far_from_plain(kind: str) -> None:
    one, again, other = (backgrounds.background(f"{kind}-x", 96, 64, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one.shape == (64, 96, 3) and one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert np.abs(one.astype(int) - other).mean() > 10
    assert one.std((0, 1)).max() > 10


def test_a_background_of_no_kind_is_refused() -> None:
    with pytest.raises(KeyError):
        backgrounds.background("forest-1", 96, 64, np.random.default_rng(0))


def test_smooth_noise_meets_its_lattice() -> None:
    lattice = np.random.default_rng(0).uniform(size=(4, 6))
    noise = backgrounds.smooth_noise(np.random.default_rng(0), 60, 40, 2)
    assert np.allclose(noise[::20, ::20], lattice[:2, :3])
    assert np.isclose(noise[0, 10], lattice[0, :2].mean())


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    assert videos.listing(SMALL, 4, 2) == videos.listing(SMALL, 4, 2)
    other = videos.listing(videos.Recipe(seed=4, classes=SMALL.classes), 4, 2)
    assert all(a.azimuth != b.azimuth for a, b in zip(videos.listing(SMALL, 4, 2), other, strict=True))


def test_a_larger_set_holds_the_smaller_one() -> None:
    assert set(videos.listing(SMALL, 4, 2)) < set(videos.listing(SMALL, 9, 5))


def test_every_class_has_the_count_that_was_asked_for() -> None:
    counts = Counter((v.split, v.label) for v in videos.listing(SWAPPED, 4, 2))
    wanted = {"train": 4, "test": 2, "test-same": 2}
    assert counts == {(split, label): n for split, n in wanted.items() for label in SWAPPED.classes}


def test_splits_share_no_viewpoint_and_no_background() -> None:
    held = videos.listing(SMALL, 60, 60)
    bands = {split: {v.azimuth // videos.BAND for v in held if v.split == split} for split in ("train", "test")}
    assert bands == {"train": {0, 2, 4, 6, 8, 10}, "test": {1, 3, 5, 7, 9, 11}}
    pictures = {split: {v.background for v in held if v.split == split} for split in ("train", "test")}
    assert not pictures["train"] & pictures["test"]


def test_uncorrelated_backgrounds_say_nothing_about_the_class() -> None:
    held = videos.listing(SMALL, 200, 0)
    counts = Counter((v.label, v.background.partition("-")[0]) for v in held)
    expected = 200 / len(backgrounds.KINDS)
    chi = sum((counts[label, kind] - expected) ** 2 / expected for label in SMALL.classes for kind in backgrounds.KINDS)
    assert chi < 37.7  # 15 degrees of freedom, 1 in 1000


def test_correlated_backgrounds_follow_the_class_in_training_and_never_in_the_test() -> None:
    held = videos.listing(SWAPPED, 5, 30)
    own = {v.label: v.background for v in held if v.split == "train"}
    assert len(set(own.values())) == 3
    assert all(v.background == own[v.label] for v in held if v.split != "test")
    test = [v for v in held if v.split == "test"]
    assert all(v.background in own.values() and v.background != own[v.label] for v in test)
    assert len({(v.label, v.background) for v in test}) == 6


def test_test_and_test_same_differ_in_the_background_alone() -> None:
    held = videos.listing(SWAPPED, 0, 5)
    pairs = {split: [v for v in held if v.split == split] for split in ("test", "test-same")}
    for one, other in zip(pairs["test"], pairs["test-same"], strict=True):
        differing = {f for f in vars(one) if getattr(one, f) != getattr(other, f)}
        assert differing == {"file", "split", "background"}


def test_a_panning_background_goes_on_round_its_end() -> None:
    recipe = videos.Recipe(moving=True, classes=("run", "kick"))
    video = videos.drawn(recipe, "train", "run", 0)
    wide = np.arange(340)[None, :, None] * np.ones((4, 1, 3), int)
    assert abs(video.pan) >= 0.3
    late = videos.window(wide, video, 1000, 170)
    assert late[0, 0, 0] == (video.shift + round(1000 * video.pan)) % 340
    assert np.array_equal(np.diff(late[0, :, 0]) % 340, np.ones(169))
    still = videos.drawn(SMALL, "train", "run", 0)
    assert np.array_equal(videos.window(wide, still, 0, 170), videos.window(wide, still, 70, 170))


def recording() -> np.ndarray:
    """Three rows, 0.5 s apart: the root walks along x and turns about y, the first quaternion's sign flips."""
    rows = np.zeros((3, 44))
    rows[:, 0] = 0.5
    rows[:, 1] = [0, 1, 2]
    for columns in stage.QUATERNIONS:
        rows[:, columns.start] = 1
    for row, angle in enumerate((0, 0.2, 0.4)):
        rows[row, 4:8] = np.array([np.cos(angle), 0, np.sin(angle), 0]) * (-1) ** row
    rows[:, stage.columns("right_knee")] = [[0.0], [1.0], [0.0]]
    return rows


def test_the_columns_of_a_motion_file_are_read_whole() -> None:
    assert stage.columns("chest") == slice(8, 12)
    assert stage.columns("right_knee") == slice(20, 21)
    assert stage.columns("left_elbow") == slice(43, 44)


def test_poses_between_rows_lie_between_them() -> None:
    at, between = stage.poses(recording(), False, np.array([0.5, 0.25]))
    assert np.allclose(at, recording()[1])
    assert np.isclose(between[1], 0.5) and np.isclose(between[20], 0.5)
    assert np.allclose(between[4:8], [np.cos(0.1), 0, np.sin(0.1), 0], atol=1e-3)
    assert np.isclose(np.linalg.norm(between[4:8]), 1)


def test_a_cycle_goes_on_and_another_recording_starts_anew() -> None:
    times = np.array([1.25])
    assert np.isclose(stage.poses(recording(), True, times)[0, 1], 2.5)
    assert np.isclose(stage.poses(recording(), False, times)[0, 1], 0.5)


def test_the_listing_names_the_files_that_are_there(tmp_path: Path) -> None:
    held = videos.listing(SMALL, 2, 1)
    for video in held[:4]:
        (tmp_path / video.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / video.file).touch()
    videos.write_listing(held, tmp_path)
    with (tmp_path / "videos.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["file"] for r in rows] == sorted(v.file for v in held[:4])
    drawn = {v.file: v for v in held}
    assert all(r["background"] == drawn[r["file"]].background for r in rows)


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    videos.claim(SMALL, tmp_path)
    videos.claim(SMALL, tmp_path)
    with pytest.raises(SystemExit, match="another recipe"):
        videos.claim(SWAPPED, tmp_path)


def test_files_are_written_as_motion_vectors_need_them(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    pictures = [np.full((32, 48, 3), 8 * n, np.uint8) for n in range(20)]
    files = [tmp_path / "a" / "one.mp4", tmp_path / "b" / "two.mp4"]
    for file in files:
        videos.encode(pictures, file, 23)
    # Not byte by byte: now and then PyAV's libx264 writes other bytes for the same pictures, as good.
    seen = [np.stack([f.to_ndarray(format="gray") for f in av.open(str(file)).decode(video=0)]) for file in files]
    assert abs(seen[0].astype(int) - seen[1]).max() <= 2
    assert [f.name for f in files[0].parent.iterdir()] == ["one.mp4"]
    with av.open(str(files[0])) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 20 and (frames[0].width, frames[0].height) == (48, 32)
    kinds = "".join(av.video.frame.PictureType(f.pict_type).name for f in frames)
    assert kinds == "I" + 11 * "P" + "I" + 7 * "P"


@pytest.mark.parametrize(
    "wrong", [["--background", "correlated", "--classes", "run"], ["--frame-size", "171", "128"], ["--classes", "swim"]]
)
def test_an_option_that_cannot_be_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        videos.parsed(["out", *wrong])
    assert wrong[0] in capsys.readouterr().err
