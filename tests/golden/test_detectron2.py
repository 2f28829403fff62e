"""Names of a ResNet's weights in detectron2, against its own converter."""

import json
import os
from pathlib import Path

from twofold.images.backbones.residual import detectron2_names


def test_every_name_of_the_converter():
    folder = Path(os.environ.get("TWOFOLD_GOLDEN") or Path(__file__).parent / "data")
    files = sorted(folder.glob("dense_detectron2_keymap_*.json"))
    assert files
    for file in files:
        wanted = {old: new for old, new in json.loads(file.read_text()).items() if not old.startswith("fc.")}
        ours = detectron2_names(list(wanted))
        assert wanted and ours == wanted
