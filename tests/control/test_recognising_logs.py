"""What the front door takes for an environment or for logged episodes, and what it leaves to other wings."""

from __future__ import annotations

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from tests.control.reading.logged import arrays, stored
from twofold import wings
from twofold.catalog.looking import is_environment
from twofold.control.wing import recognises


@pytest.mark.parametrize("name", [
    "ALE/Pong-v5",
    "CartPole-v1",
    "dm_control/cartpole-swingup-v0",
    "dmc/cartpole-swingup",
    "twofold/Catch-v0",
    "my.package:Maze-v12",
])  # fmt: skip
def test_ids_of_environments(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert is_environment(name) and recognises(name)
    assert wings.of_data(name).kind == "control"
    os.makedirs(name)
    assert not is_environment(name) and not recognises(name)


@pytest.mark.parametrize("name", ["photos", "runs/a", "CartPole", "CartPole-v", "clips.mp4", "-v1 ", "a b-v1", ""])
def test_what_is_no_id(name):
    assert not is_environment(name) and not recognises(name)


def laid(folder, kind) -> str:
    folder.mkdir()
    content = arrays(3)
    if kind == "folder of npz":
        for number in range(3):
            stored(folder, f"{number}.npz", **content)
    elif kind == "npz":
        return str(stored(folder, **content))
    elif kind in ("h5", "hdf5"):
        h5py.File(folder / f"log.{kind}", "w").close()
        return str(folder / f"log.{kind}")
    elif kind == "folder of HDF5":
        h5py.File(folder / "log.hdf5", "w").close()
    elif kind == "Minari":
        (folder / "data").mkdir()
        (folder / "data" / "metadata.json").write_text("{}")
        h5py.File(folder / "data" / "main_data.hdf5", "w").close()
    else:
        stored(folder, **content)
        (folder / "README.md").touch()
    return str(folder)


@pytest.mark.parametrize("kind", [
    "folder of npz",
    "npz",
    "h5",
    "hdf5",
    "folder of HDF5",
    "Minari",
    "npz and README",
])  # fmt: skip
def test_logged_episodes_belong_to_this_wing_alone(tmp_path, kind):
    data = laid(tmp_path / "log", kind)
    assert [wing.kind for wing in wings.WINGS if wing.recognises(data)] == ["control"]


def test_pictures_and_tables_do_not(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        (pictures / f"{number}.jpg").touch()
    stored(pictures, "features.npz", rewards=np.ones(3))
    labelled = stored(tmp_path, "labelled.npz", images=np.zeros((3, 4, 4), np.uint8), labels=np.zeros(3))
    sparse = stored(tmp_path, "pairs.npz", row=np.zeros(3), col=np.zeros(3), data=np.ones(3))
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04" + bytes(50))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert not any(recognises(str(data)) for data in (pictures, labelled, sparse, broken, empty, tmp_path / "none"))


def test_the_look_needs_neither_torch_nor_numpy_nor_h5py(tmp_path):
    file = stored(tmp_path, **arrays(3))
    code = (
        "import sys; from twofold.control.wing import recognises; "
        f"assert recognises({str(file)!r}) and recognises('ALE/Pong-v5'); "
        "print([name for name in ('torch', 'numpy', 'h5py', 'gymnasium') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
