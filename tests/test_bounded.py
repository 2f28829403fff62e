"""What a file claims of its size is held against the file before memory is taken: arrays, parquet, gzip; both wings."""

from __future__ import annotations

import gzip
import io
import re
import tracemalloc
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twofold import bounded
from twofold.bounded import ArrayError, ArrayFile, Bomb, Bounded, check_parquet
from twofold.errors import UserError
from twofold.images.reading import open_source
from twofold.interactions.jobs.store import read_model
from twofold.interactions.reading import read_table
from twofold.interactions.reading.id_list import read_ids
from twofold.interactions.reading.titles import read_titles
from twofold.pixels.reading.failure import DecodeError

ROWS = b"".join(b"%d,%d\n" % (i % 50, i % 9) for i in range(450))


@pytest.fixture
def strict(monkeypatch):
    """Limits at which small files are bombs."""
    monkeypatch.setattr(bounded, "LARGE", 10**5)


READERS = {
    "text": read_table,
    "lists": lambda path: read_table(path, lists=True),
    "titles": read_titles,
    "ids": lambda path: read_ids(path, pa.array(["a"]), "--users"),
}


@pytest.mark.parametrize("kind", READERS)
def test_gzip_bombs(tmp_path, strict, kind):
    line = b"5 6\n" if kind == "lists" else b"5,6\n"
    path = tmp_path / ("a.txt.gz" if kind == "lists" else "a.csv.gz")
    path.write_bytes(gzip.compress(line * 10**6))
    with pytest.raises(UserError, match=r"not a whole .gz file \(.* unpack to more than .*, which no data do"):
        READERS[kind](str(path))


def test_a_bomb_is_not_kept_to_be_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded, "LARGE", 8 * 10**7)
    monkeypatch.setattr("twofold.interactions.reading.content._LOOKED_AT", 0)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"1 2 3 4 5 6 7\n" * 7 * 10**6, 6))  # 98 MB
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="which no data do"):
            read_table(path)
        assert tracemalloc.get_traced_memory()[1] < 5 * 10**7
    finally:
        tracemalloc.stop()


def test_a_value_in_quotes_that_never_ends(tmp_path, strict):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b'user,item\n1,2\n3,"' + b" \n" * 10**6))
    with pytest.raises(UserError, match="which no data do"):
        read_table(path)


def test_what_is_packed_well_is_read(tmp_path, strict):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"user,item\n" + ROWS * 100))
    assert len(read_table(path)) == len(np.unique([(i % 50, i % 9) for i in range(450)], axis=0))


def test_bounded_gives_what_the_file_holds_and_no_more(strict):
    assert Bounded(io.BytesIO(ROWS), len(ROWS)).read() == ROWS
    with pytest.raises(Bomb, match="1 bytes unpack to more than 100 kB"):
        endless = Bounded(type("Endless", (io.RawIOBase,), {"read": lambda self, n: bytes(n)})(), 1)
        while True:
            endless.read(2**14)


def test_rows_that_a_parquet_file_cannot_hold(tmp_path, strict):
    ones = pa.array(np.ones(10**6, np.int64))
    pq.write_table(pa.table({"user": ones, "item": ones, "title": ones}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 15000
    for read in (read_table, read_titles):
        with pytest.raises(UserError, match="claim 1,000,000 rows"):
            read(tmp_path / "a.parquet")


def test_one_picture_that_stands_for_thousands(tmp_path, strict):
    picture = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array([b"x" * 5000]))
    pq.write_table(pa.table({"image": picture.cast(pa.binary())}), tmp_path / "a.parquet", compression="none")
    source = open_source(str(tmp_path / "a.parquet"))
    with pytest.raises(DecodeError, match=r"unpack to .* and more"):
        source.fetch(0)


def test_pictures_that_are_what_they_claim(tmp_path):
    pictures = [bytes([i % 256]) * (i + 1) for i in range(200)]
    table = pa.table({"image": pictures, "label": [i % 3 for i in range(200)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=150)
    source = open_source(str(tmp_path / "a.parquet"))
    assert [source.read(i) for i in range(200)] == pictures and source.class_count() == 3


def test_columns_that_claim_more_than_is_free(tmp_path, monkeypatch):
    pq.write_table(pa.table({"user": range(1000), "item": range(1000)}), tmp_path / "a.parquet")
    monkeypatch.setattr(bounded, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match="do not fit into the 1 kB of memory that are free"):
        read_table(tmp_path / "a.parquet")


def test_a_damaged_parquet_column_is_named(tmp_path):
    pq.write_table(pa.table({"image": [b"x"] * 9, "name": ["long" * 9] * 9}), tmp_path / "a.parquet")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    at = pq.read_metadata(tmp_path / "a.parquet").row_group(0).column(1).dictionary_page_offset
    data[at : at + 8] = b"\xff" * 8
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(UserError, match="column name cannot be read"):
        open_source(str(tmp_path / "a.parquet"))


def test_ids_of_a_run_that_cannot_be(tmp_path, strict):
    from tests.strangers.readers import OLD

    folder = tmp_path / "run"
    folder.mkdir()
    for file in (OLD / "interactions-finished").iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    pq.write_table(pa.table({"user": np.ones(10**6, np.int64)}), folder / "user_ids.parquet")
    with pytest.raises(UserError, match=r"user_ids.parquet is damaged .*claim 1,000,000 rows"):
        read_model(folder)


def test_letters_that_there_are_none_of(tmp_path):
    names = np.array(["cat", "dog"])
    names.view(np.uint32)[1] = 0x7FFFFFFF
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 3, 3), np.uint8), labels=names)
    np.savez(tmp_path / "b.npz", user=names, item=names)
    with pytest.raises(UserError, match="letters that there are none of"):
        open_source(str(tmp_path / "a.npz"))
    with pytest.raises(UserError, match="letters that there are none of"):
        read_table(tmp_path / "b.npz")


def test_only_what_is_asked_for_is_read(tmp_path, strict):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as members:
        for name, values in {"user": np.arange(5), "item": np.arange(5), "bomb": np.zeros(10**6)}.items():
            file = io.BytesIO()
            np.save(file, values)
            members.writestr(f"{name}.npy", file.getvalue())
        members.writestr("note.txt", "hello")
    assert len(read_table(tmp_path / "a.npz")) == 5
    with (tmp_path / "a.npz").open("rb") as file:
        arrays = ArrayFile(file)
        assert sorted(arrays.headers) == ["bomb", "item", "user"]
        with pytest.raises(ArrayError, match="which no data do"):
            arrays.read("bomb")


def test_a_parquet_file_that_claims_less_than_nothing():
    class Metadata:
        num_rows, num_row_groups, num_columns = -5, 0, 0

    with pytest.raises(ArrayError, match=re.escape("less than nothing")):
        check_parquet(Metadata(), 100, ["user"])


def test_names_of_columns_that_are_no_text(tmp_path):
    pq.write_table(pa.table({"image": [b"x"], "nameless": [1]}), tmp_path / "a.parquet", store_schema=False)
    data = (tmp_path / "a.parquet").read_bytes().replace(b"nameless", b"name\xa0ess")
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(UserError, match="not a whole parquet file"):
        open_source(str(tmp_path / "a.parquet"))
    with pytest.raises(UserError, match="not a whole parquet file"):
        read_table(tmp_path / "a.parquet")
