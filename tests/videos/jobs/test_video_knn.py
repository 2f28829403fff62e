"""kNN of videos while a run goes on."""

import shutil

from tests.videos.conftest import moving, write_video
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.jobs.online import OnlineKNN
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.store import VideoStore


def test_folds_do_not_part_copies(tmp_path):
    for kind in ("right", "down"):
        for i in range(6):
            write_video(tmp_path / kind / f"{i}.avi", moving(kind, i))
            for copy in range(2):
                shutil.copy(tmp_path / kind / f"{i}.avi", tmp_path / kind / f"{i}-{copy}.avi")
    clips = Clips(VideoStore(open_source(str(tmp_path)), 24), even(1, 2, 1))
    inputs = InputSettings(16, 2, 1, (0.5,) * 3, (0.5,) * 3, clips=2, batch_size=4)
    asked = OnlineKNN(clips, inputs, every_epochs=1, seed=0)
    folds: dict[str, set[int]] = {}
    for i, fold in zip(asked.indices.tolist(), asked.folds.tolist(), strict=True):
        folds.setdefault(clips.source.names[i].split("-")[0].removesuffix(".avi"), set()).add(fold)
    assert len(folds) == 12 and all(len(own) == 1 for own in folds.values())
    assert len(set.union(*folds.values())) == 5
