"""Images that a program holds itself, in every verb: lists, arrays, tensors, data sets."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset

import twofold
from tests.videos.conftest import moving, write_video
from twofold import given
from twofold.errors import UserError
from twofold.nets.features import Features

SMALL = {"backbone": "convnet", "image_size": 16, "batch_size": 8, "quiet": True, "report": False}


class Cells(Dataset):
    """Two kinds of squares. loud: other noise each time it is asked."""

    classes = ["bright", "dark"]

    def __init__(self, count=24, loud=False):
        self.targets = [i % 2 for i in range(count)]
        self.loud = loud

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        drawn = np.random.default_rng(None if self.loud else i)
        pixels = drawn.integers(0, 100, (20, 20, 3)) + 100 * (1 - self.targets[i])
        return Image.fromarray(pixels.astype(np.uint8)), self.targets[i]


def arrays():
    return np.stack([np.asarray(image) for image, _ in (Cells()[i] for i in range(24))])


def test_a_data_set_goes_through_every_verb(tmp_path):
    cells = Cells()
    checked = twofold.check(cells, method="simclr", batch_size=8)
    assert checked["usable"] == 24
    run = twofold.pretrain("simclr", cells, val=Cells(10), out=tmp_path / "run", steps=2, **SMALL)
    assert run.config["data"] == "python:Cells" and run.config["val"] == "python:Cells-2"
    assert {"simclr", "majority class"} <= set(run.evaluations["name"].to_pylist())
    rows = run.evaluate(cells, test=Cells(12), protocols="5nn", floors=False)
    assert rows[0]["protocol"] == "5nn"
    assert run.embed(cells, quiet=True).is_file()
    compared = twofold.compare("simclr", cells, out=tmp_path / "c", seeds=1, steps=2, protocols="none", **SMALL)
    assert compared["rows"]
    assert not given._held


def test_the_same_images_in_other_forms_are_the_same_run(tmp_path):
    settings = {**SMALL, "steps": 2}
    runs = [
        twofold.pretrain("simclr", data, out=tmp_path / str(i), **settings)
        for i, data in enumerate([arrays(), list(arrays()), torch.from_numpy(arrays()).permute(0, 3, 1, 2), Cells()])
    ]
    losses = [run.metrics["loss"].to_pylist() for run in runs]
    assert losses[0] == losses[1] == losses[2] == losses[3]
    again = twofold.pretrain("simclr", arrays(), out=tmp_path / "0", **settings)
    assert again.metrics["loss"].to_pylist() == losses[0]
    with pytest.raises(UserError, match="changed"):
        twofold.pretrain("simclr", 255 - arrays(), out=tmp_path / "0", **settings)


def test_labels_are_found_where_they_are_told():
    labels = torch.tensor([1, 0, 1, 1])
    pictures = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    from twofold.images.reading.objects import Objects

    told = {
        "targets": Objects(Subset(Cells(), [1, 0, 3, 5])),
        "tensors": Objects(TensorDataset(pictures, labels)),
        "tuples": Objects([(picture, label) for picture, label in zip(pictures, labels, strict=True)]),
        "mappings": Objects([{"image": picture, "label": int(k)} for picture, k in zip(pictures, labels, strict=True)]),
        "a key": Objects(
            [{"image": p, "kind": ("a", "b")[k]} for p, k in zip(pictures, labels, strict=True)], "", "kind"
        ),
    }
    for name, source in told.items():
        assert source.labels.tolist() == [1, 0, 1, 1], name
    assert told["targets"].classes == ["bright", "dark"] and told["a key"].classes == ["a", "b"]
    assert Objects(list(pictures)).labels is None
    with pytest.raises(UserError, match="tells no labels by the name kind"):
        Objects(list(pictures), "", "kind")


def test_a_set_of_the_datasets_library(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    kinds = datasets.ClassLabel(names=["dark", "light"])
    features = datasets.Features({"image": datasets.Image(), "label": kinds})
    pictures = [Image.fromarray(picture) for picture in arrays()]
    labels = [i % 2 for i in range(len(pictures))]
    made = datasets.Dataset.from_dict({"image": pictures, "label": labels}, features=features)
    forms = {
        "images": made,
        "bytes": made.cast_column("image", datasets.Image(decode=False)),
        "torch": made.with_format("torch"),
        "numpy": made.with_format("numpy"),
        "picked": made.select(range(len(pictures))),
    }
    runs = {}
    for name, data in forms.items():
        runs[name] = twofold.pretrain("simclr", data, out=tmp_path / name, **SMALL, steps=2)
        runs[name].evaluate(data, protocols="5nn", quiet=True)
    losses = [run.metrics["loss"].to_pylist() for run in runs.values()]
    found = [run.evaluations.to_pandas().query("protocol == '5nn'")["value"].tolist() for run in runs.values()]
    assert all(one == losses[0] for one in losses)
    assert all(one == found[0] for one in found)
    with pytest.raises(UserError, match=r"several sets in a DatasetDict \(train, test\): .* data\['train'\]"):
        twofold.pretrain("simclr", datasets.DatasetDict(train=made, test=made))
    with pytest.raises(UserError, match="not a IterableDataset; what can only be gone through"):
        twofold.pretrain("simclr", made.to_iterable_dataset())


def test_what_is_not_the_same_twice_is_said(tmp_path, capsys):
    run = twofold.pretrain("simclr", Cells(loud=True), out=tmp_path / "run", steps=1, **(SMALL | {"quiet": False}))
    assert "other pixels each time" in (run / "log.txt").read_text()
    assert "other pixels each time" not in capsys.readouterr().err


def test_paths_of_videos_are_videos(tmp_path):
    for kind in ("right", "down"):
        for i in range(3):
            write_video(tmp_path / f"{kind}-{i}.mp4", moving(kind, i))
    paths = sorted(tmp_path.glob("*.mp4"))
    settings = {"backbone": "convnet3d", "image_size": 16, "frames": 4, "stride": 1, "batch_size": 2, "steps": 1}
    run = twofold.pretrain("moco", paths, out=tmp_path / "run", quiet=True, report=False, **settings)
    assert run.config["kind"] == "videos" and run.config["data"] == "python:list"
    assert run.model.encode(paths, quiet=True).shape == (6, run.model.width)


@pytest.mark.parametrize(
    "data, says",
    [
        (7, "data is to be a path, or images .* not a int"),
        ([], "holds no images: it is empty|looks like none"),
        (iter([1]), "not a list_iterator"),
        ({"image": 3}, "not a dict"),
        (list(range(3, 20)), "an int is no image"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_data_is_said(tmp_path, data, says):
    with pytest.raises(UserError, match=says):
        twofold.pretrain("simclr", data, out=tmp_path / "run", steps=1, **SMALL)
    assert not given._held


def test_tables_are_to_be_files():
    for table in (pd.DataFrame({"user": [1], "item": [2]}), pa.table({"user": [1], "item": [2]})):
        with pytest.raises(UserError, match=r"data is a table .* write it to a parquet file"):
            twofold.pretrain("sgl", table)


def test_names_of_data_that_have_gone_and_files_options_are_refused(tmp_path):
    with pytest.raises(UserError, match="is of a program that has ended"):
        twofold.pretrain("simclr", "python:Cells", out=tmp_path / "run", steps=1, **SMALL)
    with pytest.raises(UserError, match="neither files nor folders: leave part out"):
        twofold.pretrain("simclr", Cells(), part="train", out=tmp_path / "run", steps=1, **SMALL)
    with pytest.raises(TypeError):
        twofold.pretrain("simclr")


class Net(torch.nn.Module):
    """A network of one's own. form: what it gives."""

    def __init__(self, form="vector"):
        super().__init__()
        self.form = form
        self.layer = torch.nn.Conv2d(3, 8, 3, 2)

    def forward(self, x):
        cells = self.layer(x).relu()
        pooled = cells.mean((2, 3))
        return {"vector": pooled, "map": cells, "both": Features(cells, pooled), "list": [pooled]}[self.form]


@pytest.mark.parametrize("form", ["vector", "map", "both"])
def test_a_network_of_ones_own(tmp_path, form):
    network = Net(form)
    before = network.layer.weight.clone()
    settings = {**SMALL, "steps": 3, "lr": 0.5} | {"backbone": network}
    run = twofold.pretrain("simclr", Cells(), out=tmp_path / "run", **settings)
    assert torch.equal(network.layer.weight, before)
    assert run.config["backbone"] == "python:Net"
    learned = run.model
    assert not torch.equal(learned.backbone.network.layer.weight, before)
    assert learned.encode(Cells(), quiet=True).shape == (24, 8)
    assert run.evaluate(Cells(), protocols="5nn", quiet=True)[0]["name"] == "simclr"
    with pytest.raises(UserError, match=r"twofold.open_run\(RUN, backbone=NETWORK\)"):
        twofold.load(run)
    torch.testing.assert_close(
        twofold.open_run(run.path, backbone=Net(form)).model.encode(Cells(), quiet=True),
        learned.encode(Cells(), quiet=True),
    )
    assert not given._held


def test_a_network_that_gives_something_else_is_refused(tmp_path):
    with pytest.raises(UserError, match="the network gives list where"):
        twofold.pretrain("simclr", Cells(), out=tmp_path / "run", steps=1, **(SMALL | {"backbone": Net("list")}))
