"""Two folders of images, and a small network."""

import pytest
import torch

from twofold.images.backbones import build_backbone
from twofold.images.evaluation import InputSettings

from .trees import opened, write


@pytest.fixture(scope="session")
def trees(tmp_path_factory):
    """(train, test): 20 and 10 images a class."""
    root = tmp_path_factory.mktemp("trees")
    return write(root / "a", 20, 0), write(root / "b", 10, 1)


@pytest.fixture
def train_images(trees):
    return opened(trees[0])


@pytest.fixture
def test_images(trees):
    return opened(trees[1])


@pytest.fixture
def inputs():
    return InputSettings(16, (0.45, 0.45, 0.45), (0.2, 0.2, 0.2), batch_size=16)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return build_backbone("convnet", image_size=16)
