"""A backbone says before a run whether it takes views of another size."""

from __future__ import annotations

import pytest

from twofold.errors import UserError
from twofold.images.backbones import build_backbone


def test_small_views_are_tried_before_a_run():
    assert build_backbone("convnet", image_size=32).try_on(14).pooled.shape[0] == 1
    with pytest.raises(UserError, match="vit_b_32 does not run on images of 16 px"):
        build_backbone("vit_b_32", image_size=32).try_on(16)
