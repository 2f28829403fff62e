"""A vector a readable image, in one file that appears whole or not at all."""

import json

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from twofold.errors import UserError
from twofold.images import embed as module
from twofold.images.backbones import build_backbone
from twofold.images.embed import embed
from twofold.images.evaluation import InputSettings, extract
from twofold.images.reading import Images, open_source

INPUTS = InputSettings(16, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), batch_size=4)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for i in range(7):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / "in" / name / f"{i}.png")
    return tmp_path / "in"


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("convnet", image_size=16)


def opened(folder, **settings):
    return Images(open_source(str(folder)), short_side=16, workers=1, **settings)


@pytest.mark.parametrize("group", [5, 8192])
def test_rows_are_names_labels_and_features(tmp_path, folder, backbone, monkeypatch, group):
    monkeypatch.setattr(module, "ROW_GROUP", group)
    calls = []
    done = embed(
        backbone, opened(folder), tmp_path / "out" / "v.parquet", INPUTS, on_progress=lambda *p: calls.append(p)
    )
    table = parquet.read_table(done.path)
    assert (done.count, done.width, done.left_out) == (14, 128, {}) and calls[-1] == (14, 14)
    assert table.column_names == ["name", "label", "class", "embedding"]
    assert table["name"].to_pylist() == [f"{c}/{i}.png" for c in ("cats", "dogs") for i in range(7)]
    assert table["label"].to_pylist() == [0] * 7 + [1] * 7 and table["class"][13].as_py() == "dogs"
    assert table.schema.field("embedding").type.list_size == 128
    want = extract(backbone, opened(folder), INPUTS)
    np.testing.assert_allclose(np.array(table["embedding"].to_pylist(), np.float32), want.numpy(), rtol=1e-4, atol=1e-5)
    about = json.loads(table.schema.metadata[b"twofold"])
    assert about["backbone"] == backbone.blueprint() and about["mean"] == list(INPUTS.mean)


def test_unreadable_images_have_no_row(tmp_path, folder, backbone):
    (folder / "cats" / "3.png").write_bytes(b"not a png")
    done = embed(backbone, opened(folder, max_unreadable=0.5), tmp_path / "v.parquet", INPUTS)
    names = parquet.read_table(done.path)["name"].to_pylist()
    assert len(names) == 13 == done.count and "cats/3.png" not in names
    assert list(done.left_out) == ["cats/3.png"] and "cats/3.png" in done.describe()


def test_unlabelled_images_have_no_label_column(tmp_path, folder, backbone):
    done = embed(backbone, opened(folder / "cats"), tmp_path / "v.parquet", INPUTS)
    assert parquet.read_table(done.path).column_names == ["name", "embedding"]


def test_a_failure_leaves_the_earlier_file(tmp_path, folder, backbone):
    out = tmp_path / "v.parquet"
    out.write_text("the earlier one")

    class Breaks(torch.nn.Module):
        width, calls = 128, 0

        def forward(self, x):
            self.calls += 1
            if self.calls > 2:
                raise RuntimeError("killed")
            return backbone(x)

        def blueprint(self):
            return {}

    with pytest.raises(RuntimeError, match="killed"):
        embed(Breaks(), opened(folder), out, INPUTS)
    assert out.read_text() == "the earlier one" and [p.name for p in tmp_path.glob("*.part*")] == []


def test_mistakes_are_said(tmp_path, folder, backbone):
    with pytest.raises(UserError, match=r"v\.csv\.parquet"):
        embed(backbone, opened(folder), tmp_path / "v.csv", INPUTS)


@pytest.mark.parametrize("size", [16, 112])
def test_vectors_are_those_of_torchvisions_lines_on_the_original(tmp_path, size):
    rng, folder = np.random.default_rng(1), tmp_path / "in"
    folder.mkdir()
    for i, (height, width) in enumerate([(40, 53), (333, 500), (500, 375), (799, 241), (600, 800)]):
        coarse = Image.fromarray(rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8))
        coarse.resize((width, height)).save(folder / f"{i}.jpg")
    torch.manual_seed(0)
    backbone = build_backbone("convnet", image_size=size).eval()
    images = Images(open_source(str(folder)), short_side=2 * size, workers=1)
    inputs = InputSettings(size, (0.5, 0.4, 0.3), (0.25, 0.2, 0.3), batch_size=2)
    table = parquet.read_table(embed(backbone, images, tmp_path / "v.parquet", inputs).path)
    lines = v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize(128 if size == 112 else size, antialias=True),
            v2.CenterCrop(size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(inputs.mean, inputs.std),
        ]
    )
    for name, vector in zip(table["name"].to_pylist(), table["embedding"].to_pylist(), strict=True):
        with torch.no_grad():
            want = backbone(lines(Image.open(folder / name))[None]).pooled[0]
        assert (torch.tensor(vector) - want).norm() < 1e-3 * want.norm()
