"""What is said of a backbone without labels: against the parts it is made of, and that training is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.evaluation.spectrum import effective_rank
from twofold.images.backbones import build_backbone
from twofold.images.evaluation.features import InputSettings, extract
from twofold.images.evaluation.unlabelled import without_labels
from twofold.images.reading import Images, open_source

INPUTS = InputSettings(16, (0.5,) * 3, (0.25,) * 3, batch_size=7)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    drawn = np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(drawn.integers(0, 256, (24, 24, 3), np.uint8)).save(folder / f"{i:02d}.png")
    return Images(open_source(str(folder)), short_side=32)


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return build_backbone("convnet", image_size=16)


def test_the_numbers_and_their_repetition(images, backbone):
    found = without_labels(backbone, images, INPUTS, seed=3)
    plain = extract(backbone, images, INPUTS)
    assert found["effective rank"] == pytest.approx(effective_rank(plain))
    assert 0 <= found["instance retrieval"] <= 1
    assert without_labels(backbone, images, INPUTS, seed=3) == found
    assert backbone.training


def test_at_most_so_many_images_are_asked(images, backbone):
    assert without_labels(backbone, images, INPUTS, seed=0, most=5)["effective rank"] <= 5


def test_a_backbone_that_sees_nothing_knows_nothing(images):
    class Blind(torch.nn.Module):
        def forward(self, x):
            return type("Seen", (), {"pooled": torch.ones(len(x), 4)})

    found = without_labels(Blind(), images, INPUTS, seed=0)
    assert found == {"effective rank": pytest.approx(1), "instance retrieval": 0}


def test_unreadable_images_are_left_out(images, backbone, tmp_path):
    for i in range(8):
        picture = Image.fromarray(np.random.default_rng(i).integers(0, 256, (24, 24, 3), np.uint8))
        picture.save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    some = Images(open_source(str(tmp_path)), short_side=32, max_unreadable=0.5)
    found = without_labels(backbone, some, INPUTS, seed=0)
    keep = torch.tensor([i != 3 for i in range(8)])
    assert found["effective rank"] == pytest.approx(effective_rank(extract(backbone, some, INPUTS)[keep]))
