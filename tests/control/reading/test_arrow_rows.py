"""What an Arrow file unpacks to is known, and held against its size, before any of it is unpacked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.reading import arrow, minari, read_episodes
from twofold.control.reading.arrow import opened_arrow
from twofold.control.reading.stores import Unreadable
from twofold.errors import UserError

pa = pytest.importorskip("pyarrow")


def written(file: Path, table, packing: str | None) -> Path:
    options = pa.ipc.IpcWriteOptions(compression=packing)
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=7)
    return file


def episode(seen=None, rows: int = 13, **more):
    rng = np.random.default_rng(0)
    observed = pa.array(list(rng.normal(size=(rows, 3)).astype(np.float32)), pa.list_(pa.float32(), 3))
    columns = {"observations": observed if seen is None else seen, "actions": rng.integers(0, 3, rows),
               "rewards": np.ones(rows), "terminations": np.arange(rows) == rows - 2,
               "truncations": np.zeros(rows, bool), **more}  # fmt: skip
    return pa.table(columns)


def data_set(folder: Path, table, packing: str | None) -> Path:
    (folder / "0").mkdir(parents=True)
    space = json.dumps({"type": "Box", "shape": [3]})
    (folder / "metadata.json").write_text(json.dumps({"data_format": "arrow", "observation_space": space}))
    return written(folder / "0" / "episode.arrow", table, packing).parent.parent


@pytest.mark.parametrize("packing", [None, "zstd", "lz4"])
def test_packed_or_not_the_same_is_read_and_its_size_is_told(tmp_path, packing):
    table = episode()
    found = opened_arrow(written(tmp_path / "a.arrow", table, packing))
    assert found.rows == 13 and found.schema == table.schema
    assert found.table().equals(table)
    assert table.nbytes <= found.nbytes <= table.nbytes + 13 * len(table.columns) * 64
    log = read_episodes(data_set(tmp_path / packing if packing else tmp_path / "plain", table, packing))
    assert [len(one) for one in log.episodes] == [12]
    np.testing.assert_array_equal(log.episodes[0].observations, np.stack(table["observations"].to_pylist()))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """Lists of bytes, of which the schema tells no size: a few kB that would be 100 MB."""
    rows = pa.array([bytes(2**23)] * 12 + [b""], pa.large_binary())
    folder = data_set(tmp_path / "bomb", episode(rows), "zstd")
    assert (folder / "0" / "episode.arrow").stat().st_size < 100_000
    monkeypatch.setattr(minari, "check_claim", lambda wanted, stored: _claim(wanted, stored))
    monkeypatch.setattr(arrow.ArrowRows, "table", lambda self: pytest.fail("it was unpacked"))
    with pytest.raises(UserError, match="which no data do"):
        read_episodes(folder)


def _claim(wanted: int, stored: int) -> None:
    """As `stores.check_claim`, for data of megabytes."""
    if wanted > 2**26 and wanted > 200 * stored:
        raise Unreadable("a few bytes claim to hold many, which no data do")


def test_what_does_not_fit_into_the_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    from twofold.control.reading import log as reading

    folder = data_set(tmp_path / "large", episode(infos=pa.array([bytes(2**16)] * 13)), "zstd")
    monkeypatch.setattr(reading, "free_memory", lambda: 100_000)
    monkeypatch.setattr(arrow.ArrowRows, "table", lambda self: pytest.fail("it was unpacked"))
    with pytest.raises(UserError, match=r"episode\.arrow would take 85\d kB of memory"):
        read_episodes(folder)


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from([None, "zstd"]))
def test_damage_of_any_kind_is_one_sentence_or_none(tmp_path_factory, data, packing):
    folder = data_set(tmp_path_factory.mktemp("damaged") / "set", episode(), packing)
    file = folder / "0" / "episode.arrow"
    whole = bytearray(file.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[at] = data.draw(st.integers(0, 255))
    file.write_bytes(whole)
    try:
        read_episodes(folder)
    except UserError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
