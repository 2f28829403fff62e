"""Files of strangers: nothing runs, no size is believed, no other file is read, and the good ones are still read."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.control.reading.logged import arrays, grouped, stored
from twofold.control.reading import log as reading
from twofold.control.reading import read_episodes
from twofold.errors import UserError


def test_a_bad_file_among_good_ones_is_counted(tmp_path):
    for number in range(3):
        stored(tmp_path, f"{number}.npz", **arrays(seed=number))
    stored(tmp_path, "3.npz", **arrays(actions=np.zeros(5, np.int64)))
    (tmp_path / "4.npz").write_bytes(b"no zip")
    (tmp_path / "5.npz").write_bytes((tmp_path / "0.npz").read_bytes()[:300])
    np.savez(tmp_path / "6.npz", rewards=np.asarray([{}], object))
    (tmp_path / "7.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    (tmp_path / "8.npz").symlink_to(tmp_path / "nowhere.npz")
    (tmp_path / "9.npz").touch()
    os.mkfifo(tmp_path / "10.npz")
    os.mkfifo(tmp_path / "11.h5")
    log = read_episodes(tmp_path)
    assert len(log.episodes) == 3
    left = {Path(name).name: why for name, why in log.unreadable.items()}
    assert list(left) == ["3.npz", "4.npz", "5.npz", "6.npz", "7.h5", "8.npz", "9.npz", "10.npz", "11.h5"]
    assert left["10.npz"] == left["11.h5"] == "it is no regular file"
    assert not any(why.endswith(".") for why in left.values())


class Bomb:
    """What would make a file if it were unpickled."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (Path(self.file),)


def test_nothing_is_unpickled_and_what_nobody_asks_for_does_no_harm(tmp_path):
    mark = tmp_path / "ran"
    pickled = np.asarray([Bomb(str(mark))] * 12, object)
    for name in ("actions", "rewards", "observations"):
        with pytest.raises(UserError, match=f"{name} holds Python objects, which would have to run"):
            read_episodes(stored(tmp_path, **arrays(**{name: pickled})))
    assert len(read_episodes(stored(tmp_path, **arrays(infos=pickled))).episodes) == 1
    assert not mark.exists()


def claiming(file: Path, shape: str, said: int | None = None) -> Path:
    """An .npz file whose rewards have this shape and no values; said: their size in the file's own directory."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    padded = header + b" " * (117 - len(header)) + b"\n"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as members:
        for name, value in arrays(rewards=None).items():
            with members.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, value)
        with members.open("rewards.npy", "w", force_zip64=True) as member:
            member.write(b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded)
        if said is not None:
            members.getinfo("rewards.npy").file_size = said
    return file


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(3000000000, 3000000000)", "(-4,)"])
@pytest.mark.parametrize("said", [None, 8 * 10**12 + 128])
def test_no_header_of_an_npz_is_believed(tmp_path, shape, said):
    stored(tmp_path, "good.npz", **arrays())
    claiming(tmp_path / "huge.npz", shape, said)
    log = read_episodes(tmp_path)
    assert len(log.episodes) == 1
    assert [Path(name).name for name in log.unreadable] == ["huge.npz"]


@pytest.mark.parametrize("name", ["rewards", "observations"])
def test_no_shape_of_an_hdf5_file_is_believed(tmp_path, name):
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        for known, value in arrays(**{name: None}).items():
            file[known] = value
        shape = (10**12,) if name == "rewards" else (13, 10**6, 10**6)
        file.create_dataset(name, shape, np.uint8, chunks=True, compression="gzip")
    stored(tmp_path, "good.npz", **arrays())
    log = read_episodes(tmp_path)
    assert len(log.episodes) == 1
    assert "which no data do" in log.unreadable[str(tmp_path / "huge.h5")]


def test_more_than_fits_into_memory_is_refused_before_it_is_taken_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "free_memory", lambda: 20_000)
    episode = arrays(40)  # pictures of 4,428 bytes, which take twice as many while their sides are turned
    stored(tmp_path, "0.npz", **episode)
    assert len(read_episodes(tmp_path).episodes) == 1
    for number in range(1, 4):
        stored(tmp_path, f"{number}.npz", **episode)
    with pytest.raises(UserError, match=r"2\.npz would take 4\.4 kB of memory after the .* kB before it, and 80% of"):
        read_episodes(tmp_path)
    grouped(tmp_path / "four.h5", *[episode] * 4)
    with pytest.raises(UserError, match=r"four\.h5 with its 4 episodes would take 18 kB of memory, and 80% .* 16 kB"):
        read_episodes(tmp_path / "four.h5")
    with pytest.raises(UserError, match=r"big\.npz would take 22 kB"):
        read_episodes(stored(tmp_path, "big.npz", **arrays(200)))
    with pytest.raises(UserError, match=r"rewards\.npz: rewards, float64\[3000\], would take 24 kB"):
        read_episodes(stored(tmp_path, "rewards.npz", **arrays(rewards=np.zeros(3000))))


def test_pictures_that_a_jpeg_claims_are_counted_before_they_are_made(tmp_path, monkeypatch):
    from tests.control.reading.test_log_pictures import jpeg, packed

    packed(tmp_path / "log.h5", [jpeg(np.zeros((500, 500), np.uint8))] * 9)
    monkeypatch.setattr(reading, "free_memory", lambda: 2_000_000)
    with pytest.raises(UserError, match="of memory"):
        read_episodes(tmp_path / "log.h5")


def test_no_other_file_is_read(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["rewards"] = np.ones(12)
    np.ones(12).tofile(tmp_path / "secret.bin")
    folder = tmp_path / "log"
    folder.mkdir()
    log = folder / "log.h5"
    outside = {
        "link": lambda f: f.__setitem__("rewards", h5py.ExternalLink(str(tmp_path / "secret.h5"), "rewards")),
        "soft": lambda f: f.__setitem__("rewards", h5py.SoftLink("/actions")),
        "bytes": lambda f: f.create_dataset("rewards", (12,), np.float64, external=str(tmp_path / "secret.bin")),
        "virtual": _virtual(str(tmp_path / "secret.h5")),
    }
    for kind, lay in outside.items():
        with h5py.File(log, "w") as file:
            for name, value in arrays(rewards=None).items():
                file[name] = value
            lay(file)
        with pytest.raises(UserError, match="is a link" if kind in ("link", "soft") else "other files"):
            read_episodes(folder)


def _virtual(secret: str):
    def lay(file):
        layout = h5py.VirtualLayout((12,), np.float64)
        layout[:] = h5py.VirtualSource(secret, "rewards", (12,))
        file.create_virtual_dataset("rewards", layout)

    return lay


def test_a_group_in_itself_ends(tmp_path):
    grouped(tmp_path / "log.h5", arrays())
    with h5py.File(tmp_path / "log.h5", "a") as file:
        for number in range(60):
            file[f"episode_0/again_{number}"] = file["/"]
    assert len(read_episodes(tmp_path / "log.h5").episodes) == 1


def test_odd_datasets_are_one_sentence(tmp_path):
    odd = {
        "empty": h5py.Empty("f8"),
        "scalar": np.float64(3),
        "text": np.asarray([b"x"] * 12),
        "texts": ["x"] * 12,
        "pairs": np.zeros(12, [("a", "f4"), ("b", "i4")]),
        "none": np.zeros(0),
    }
    for role in ("rewards", "actions", "observations", "terminated", "episode_ids", "life_lost"):
        for kind, value in odd.items():
            file = tmp_path / f"{role}-{kind}.h5"
            with h5py.File(file, "w") as log:
                for name, content in {**arrays(), role: value}.items():
                    log[name] = content
            if (role, kind) in (("episode_ids", "scalar"), ("episode_ids", "text")):
                assert read_episodes(file).episodes
                continue
            with pytest.raises(UserError, match=f"No episode of .*{role}-{kind}"):
                read_episodes(file)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.booleans())
def test_damage_of_any_kind_is_one_sentence_or_none(tmp_path_factory, data, compressed):
    folder = tmp_path_factory.mktemp("damaged")
    (np.savez_compressed if compressed else np.savez)(folder / "log.npz", **arrays(30))
    whole = bytearray((folder / "log.npz").read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[at] = data.draw(st.integers(0, 255))
    kept = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    (folder / "log.npz").write_bytes(whole[:kept])
    try:
        read_episodes(folder)
    except UserError as error:
        assert str(error).endswith(".") and "\n" not in str(error)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_of_hdf5_is_one_sentence_or_none(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    with h5py.File(folder / "log.h5", "w") as file:
        for name, value in arrays(30).items():
            file.create_dataset(f"episode_0/{name}", data=value, compression="gzip")
    whole = bytearray((folder / "log.h5").read_bytes())
    kept = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    values = whole.find(b"\x78\x5e")  # the first bytes that are compressed
    for at in data.draw(st.lists(st.integers(max(values, 0), len(whole) - 1), max_size=8)):
        whole[at] = data.draw(st.integers(0, 255))
    (folder / "log.h5").write_bytes(whole[:kept])
    try:
        read_episodes(folder)
    except UserError as error:
        assert str(error).endswith(".") and "\n" not in str(error)


def test_names_that_a_terminal_obeys_are_spelled_out(tmp_path):
    stored(tmp_path, "\x1b[2J.npz", **arrays(actions=np.zeros(5, np.int64)))
    with pytest.raises(UserError, match=r"\\x1b\[2J\.npz: it has 5 actions"):
        read_episodes(tmp_path)


def test_many_groups_are_read_in_time(tmp_path):
    """Each name is looked at once: ten thousand groups do not take a hundred million comparisons."""
    from time import process_time

    from twofold.control.reading.parts import groups_of

    class Names:
        objects = ()

        def names(self):
            return [f"episode_{n}/{name}" for n in range(20_000) for name in ("actions", "observations", "rewards")]

    began = process_time()
    groups = groups_of(Names(), "log.h5")
    assert process_time() - began < 3
    assert [group.place for group in groups[:3]] == ["episode_0", "episode_1", "episode_2"]
    assert len(groups) == 20_000 and groups[10].own == ("actions", "observations", "rewards")


def test_what_is_there_and_never_read_is_said_where_it_would_count(tmp_path):
    """Ends that are a link or Python objects would be passed over, and episodes run into each other."""
    for name in ("timeouts", "episode_ids", "next_observations", "life_lost"):
        with h5py.File(tmp_path / "log.h5", "w") as file:
            for known, value in arrays().items():
                file[known] = value
            file[f"kept/{name}"] = np.arange(12) % 6 == 5
            file[name] = h5py.SoftLink(f"/kept/{name}")
        if name == "next_observations":  # not needed where each episode has its last
            notes = read_episodes(tmp_path / "log.h5").notes
            assert [note for note in notes if note.startswith("Links within files are not followed: 1 in")]
            continue
        with pytest.raises(UserError, match=f"{name} is a link, which is not followed"):
            read_episodes(tmp_path / "log.h5")
    with pytest.raises(UserError, match="truncated holds Python objects"):
        read_episodes(stored(tmp_path, **arrays(truncated=np.asarray([True] * 12, object))))


@pytest.mark.parametrize("text", ["hwc", np.bytes_(b"hwc")])
def test_texts_of_hdf5_are_read(tmp_path, text):
    """The layout of a picture whose sides leave it open, in either way that HDF5 has for texts."""
    open_sides = arrays(observations=np.zeros((13, 3, 6, 3), np.uint8), layout=text, kind_of_actions="vectors")
    log = read_episodes(grouped(tmp_path / "log.h5", open_sides))
    assert log.episodes[0].observations.shape[1:] == (3, 3, 6)


def test_folders_that_are_hidden_or_linked_to(tmp_path):
    """What editors leave in hidden folders is no episode; a linked folder counts once, whatever links lie in it."""
    log, other = tmp_path / "log", tmp_path / "other"
    for folder in (log, log / ".ipynb_checkpoints", other):
        folder.mkdir()
    stored(log, "0.npz", **arrays())
    stored(log / ".ipynb_checkpoints", "0-checkpoint.npz", **arrays())
    stored(other, "1.npz", **arrays(seed=1))
    (log / "more").symlink_to(other)
    (other / "back").symlink_to(log)
    assert [Path(episode.name).name for episode in read_episodes(log).episodes] == ["0.npz", "1.npz"]
