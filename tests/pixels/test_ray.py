"""`model.encode` in `ray.data.map_batches`: sent to the workers as an object, or opened there by a class."""

import numpy as np
import pytest
import torch
from PIL import Image

import twofold

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow  # a local Ray takes long to start


class Encode:
    """What docs/python.md shows: each worker opens the model once."""

    def __init__(self, model: str) -> None:
        self.model = twofold.load(model, image_size=16, precision="fp32")

    def __call__(self, batch):
        return {"path": batch["path"], "vector": self.model.encode(list(batch["path"]), quiet=True).numpy()}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder, drawn = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(drawn.integers(0, 255, (20, 20, 3), np.uint8)).save(folder / f"{i:02}.png")
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20)
    yield sorted(map(str, folder.iterdir()))
    ray.shutdown()


@pytest.fixture
def model():
    return twofold.load("random:convnet", image_size=16, precision="fp32")


def vectors(rows):
    rows = sorted(rows, key=lambda row: row["path"])
    return torch.from_numpy(np.stack([row["vector"] for row in rows]))


def test_a_class_opens_the_model_in_each_worker(paths, model):
    data = ray.data.from_items([{"path": path} for path in paths])
    found = data.map_batches(Encode, fn_constructor_args=("random:convnet",), batch_size=8, concurrency=1).take_all()
    assert torch.allclose(vectors(found), model.encode(paths, quiet=True), atol=1e-6)


def test_a_model_is_sent_to_the_workers(paths, model):
    def encode(batch, model):
        return {"path": batch["path"], "vector": model.encode(list(batch["path"]), quiet=True).numpy()}

    data = ray.data.from_items([{"path": path} for path in paths])
    found = data.map_batches(encode, fn_kwargs={"model": model}, batch_size=8).take_all()
    assert torch.allclose(vectors(found), model.encode(paths, quiet=True), atol=1e-6)


def test_images_that_ray_reads_are_encoded_as_arrays(paths, model):
    data = ray.data.read_images(paths, include_paths=True)
    found = data.map_batches(
        lambda batch: {"path": batch["path"], "vector": model.encode(list(batch["image"]), quiet=True).numpy()},
        batch_size=8,
    ).take_all()
    assert torch.allclose(vectors(found), model.encode(paths, quiet=True), atol=1e-6)
