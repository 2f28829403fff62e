"""A backbone as an object: its vectors are those that `embed` writes, in whatever form the images come."""

import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
import timm
import torch
from PIL import Image
from torch.testing import assert_close
from torch.utils.data import DataLoader, Dataset

import twofold
from twofold.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs of unlike shapes, one turned by its EXIF block, one with transparency, one grey."""
    root = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for i, (height, width) in enumerate([(150, 200), (90, 130), (120, 120), (111, 97)]):
        small = drawn.integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
        picture = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0112] = 6 if i == 0 else 1
        if i == 2:
            picture.putalpha(Image.fromarray(np.uint8(255 * (np.indices((height, width)).sum(0) % 90 > 40))))
        if i == 3:
            picture = picture.convert("L")
        picture.save(root / f"{i}.png", exif=exif)
    return root


@pytest.fixture(scope="module")
def model():
    return twofold.load("random:resnet10", image_size=96, precision="fp32")


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "v.parquet"
    twofold.embed("random:resnet10", folder, image_size=96, precision="fp32", out=out, quiet=True)
    return torch.tensor(pq.read_table(out)["embedding"].to_pylist())


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_every_form_gives_the_vectors_of_embed(folder, model, expected):
    paths = [folder / f"{i}.png" for i in range(4)]
    pictures = [Image.open(path) for path in paths]
    forms = {
        "a folder": folder,
        "paths": paths,
        "bytes": [path.read_bytes() for path in paths],
        "pillow": pictures,
        "tuples": Items([(picture, 7) for picture in pictures]),
        "mappings": Items([{"label": 1, "image": picture} for picture in pictures]),
        "undecoded": [{"bytes": path.read_bytes(), "path": None} for path in paths],
    }
    for name, images in forms.items():
        assert_close(model.encode(images, quiet=True), expected, atol=1e-5, rtol=1e-4, msg=name)
    for i, path in enumerate(paths):
        for one in (str(path), pictures[i], path.read_bytes()):
            assert_close(model.encode(one, quiet=True), expected[i : i + 1], atol=1e-5, rtol=1e-4)


def test_it_goes_through_pickle(folder, model, expected):
    sent = pickle.loads(pickle.dumps(model))
    assert_close(sent.encode(folder, quiet=True), expected, atol=1e-5, rtol=1e-4)
    path = folder / "0.png"
    assert torch.equal(sent.transform(path), model.transform(path))


def test_arrays_and_tensors_in_any_order_of_axes(model):
    batch = np.random.default_rng(0).integers(0, 256, (5, 40, 50, 3)).astype(np.uint8)
    found = model.encode(batch, quiet=True)
    assert found.shape == (5, model.width) and found.dtype == torch.float32
    first = torch.from_numpy(batch).permute(0, 3, 1, 2)
    for other in (first, list(batch), list(first), first.float() / 255):
        assert_close(model.encode(other, quiet=True), found, atol=1e-4, rtol=1e-3)
    for one in (batch[0], first[0]):
        assert_close(model.encode(one, quiet=True), found[:1], atol=1e-5, rtol=1e-4)
    grey = batch[..., 0]
    assert_close(model.encode(grey, quiet=True), model.encode(np.repeat(grey[..., None], 3, 3), quiet=True))
    assert model.encode(grey[0], quiet=True).shape == (1, model.width)


def test_it_is_a_network_with_the_transform_of_embed(folder, model, expected):
    paths = [folder / f"{i}.png" for i in range(4)]
    x = torch.stack([model.transform(path) for path in paths])
    assert x.shape == (4, 3, 96, 96)
    with torch.no_grad():
        assert_close(model(x), expected, atol=1e-4, rtol=1e-3)
        assert model.map(x).shape[:2] == (4, 512)
        assert_close(model.map(x).mean((2, 3)), model(x), atol=1e-5, rtol=1e-4)
    loader = DataLoader(list(map(str, paths)), 2, collate_fn=lambda some: torch.stack([*map(model.transform, some)]))
    assert_close(torch.cat(list(loader)), x)
    again = pickle.loads(pickle.dumps(model.transform))
    assert_close(again(Image.open(paths[0])), x[0])
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()


def test_a_run_brings_its_size_its_statistics_and_its_rule_of_pixels(folder, tmp_path):
    settings = {"backbone": "convnet", "image_size": 16, "batch_size": 2, "steps": 1, "report": False, "quiet": True}
    run = twofold.pretrain("simclr", folder, out=tmp_path / "run", **settings)
    model = twofold.load(run)
    assert model.image_size == 16 and not model.training and model.pixels.fourth == "alpha"
    rows = pq.read_table(twofold.embed(run, folder, quiet=True))["embedding"].to_pylist()
    assert_close(model.encode(folder, quiet=True), torch.tensor(rows), atol=1e-3, rtol=1e-2)
    dropped = twofold.load(run / "backbone.safetensors", fourth_channel="drop")
    a, b = (m.encode(folder / "2.png", quiet=True) for m in (model, dropped))
    assert (a - b).norm() > 0.1 * a.norm()


def test_levels_of_sixteen_bits_keep_their_white(model):
    deep = np.random.default_rng(0).integers(0, 4096, (2, 40, 40)).astype(np.uint16)
    white = twofold.load("random:resnet10", image_size=96, precision="fp32", white=4095)
    bytes_ = np.round(deep / 4095 * 255).astype(np.uint8)
    assert_close(white.encode(deep, quiet=True), model.encode(bytes_, quiet=True), atol=1e-2, rtol=1e-2)
    assert not torch.allclose(model.encode(deep, quiet=True), model.encode(bytes_, quiet=True), atol=1e-2)


@pytest.mark.parametrize(
    "images, says",
    [
        ([], "holds no images: it is empty"),
        (Items([1, 2]), "an int is no image"),
        ([{"label": 3}], "a mapping without image among its keys .label."),
        (5, "a list, an array, a tensor or a map-style data set, not an int"),
        (["/nowhere/a.png"], "the file does not exist"),
        ([b"nothing"], "it seems to be text"),
        (np.zeros((3, 8, 8, 5)), "shape .8, 8, 5. is no image"),
        (iter([1]), "not a list_iterator"),
        ("/nowhere", "does not exist|no file|there is no"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_image_is_said(model, images, says):
    with pytest.raises(UserError, match=says):
        model.encode(images, quiet=True)


def test_a_data_set_that_fails_is_said_and_a_network_without_a_map_too(model):
    class Broken(Items):
        def __getitem__(self, i):
            raise KeyError("gone")

    with pytest.raises(UserError, match="the data set gives none"):
        model.encode(Broken([1]), quiet=True)
    with pytest.raises(UserError, match="is no run folder and no backbone file"):
        twofold.load("photoss")
    with pytest.raises(UserError, match="batch-size must be at least 1"):
        twofold.load("random:resnet10", batch_size=0)


def test_published_weights_are_taken_by_name(folder, tmp_path, monkeypatch):
    from torchvision.models import get_model_weights, resnet18

    weights = get_model_weights("resnet18").DEFAULT
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / weights.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    network = resnet18()
    torch.save(network.state_dict(), file)  # in the place of a download
    model = twofold.load("torchvision:resnet18", precision="fp32")
    assert model.image_size == 224 and model.inputs.mean == (0.485, 0.456, 0.406)
    network.fc = torch.nn.Identity()
    pictures = [Image.open(folder / f"{i}.png").convert("RGB") for i in (1, 3)]
    x = torch.stack([weights.transforms()(picture) for picture in pictures])
    with torch.no_grad():
        assert_close(model.encode(pictures, quiet=True), network.eval()(x), atol=1e-3, rtol=1e-3)
    out = twofold.embed("torchvision:resnet18", folder, out=tmp_path / "v.parquet", precision="fp32", quiet=True)
    rows = torch.tensor(pq.read_table(out)["embedding"].to_pylist())
    assert_close(model.encode(folder, quiet=True), rows, atol=1e-4, rtol=1e-3)


def test_networks_without_published_weights_are_refused():
    with pytest.raises(UserError, match="timm has no network"):
        twofold.load("timm:test_nothing")
    bare = next(n for n in timm.list_models() if not getattr(timm.get_pretrained_cfg(n), "has_weights", False))
    with pytest.raises(UserError, match=f"no published weights of timm:{bare}; random:timm:{bare} is the untrained"):
        twofold.load(f"timm:{bare}")
