"""Labels by the table beside images: CSV, JSON lines and parquet, in every folder; and tables that are damaged."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_samples import album, write

from twofold.errors import UserError
from twofold.images.reading import open_source


def labelled(source):
    return {name: source.classes[k] if k >= 0 else None for name, k in zip(source.names, source.labels, strict=True)}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_csv_file_tells_labels(tmp_path, end):
    album(tmp_path, 3)
    lines = ["file_name,note,label", '000.jpg,"a, b",cat', "001.jpg,,dog", "gone.jpg,,dog", ""]
    (tmp_path / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + end.join(lines).encode())
    source = open_source(str(tmp_path))
    assert labelled(source) == {"000.jpg": "cat", "001.jpg": "dog", "002.jpg": None} and source.skipped == {}
    assert source.notes == (
        f"labels are column label of {tmp_path / 'metadata.csv'} (by the folders instead: --class-level 1)",
        "1 row of metadata names a file that is not among the images read",
    )
    assert labelled(open_source(str(tmp_path), label_column="note"))["000.jpg"] == "a, b"


def test_each_part_has_its_own_table(tmp_path):
    for name in ("Train/a.jpg", "Train/deep/b.jpg", "Test/c.jpg"):
        write(tmp_path / name)
    (tmp_path / "Train" / "metadata.jsonl").write_text(
        '{"file_name": "a.jpg", "label": 1}\n\n{"file_name": "deep/b.jpg", "label": NaN, "boxes": [1]}\n'
    )
    (tmp_path / "Test" / "metadata.jsonl").write_text('{"file_name": "c.jpg", "label": 0}\n')
    source = open_source(str(tmp_path))
    assert labelled(source) == {"Train/a.jpg": "1", "Train/deep/b.jpg": None} and len(source.notes) == 2
    assert labelled(open_source(str(tmp_path), role="test")) == {"Test/c.jpg": "0"}


def test_a_parquet_file_tells_labels_as_pandas_writes_them(tmp_path):
    album(tmp_path, 3)
    names = ["000.jpg", "./001.jpg", "002.jpg"]
    pq.write_table(pa.table({"file_name": names, "label": [1.0, 0.0, None]}), tmp_path / "metadata.parquet")
    assert labelled(open_source(str(tmp_path))) == {"000.jpg": "1", "001.jpg": "0", "002.jpg": None}


def test_folders_count_where_a_table_tells_nothing_or_is_set_aside(tmp_path):
    write(tmp_path / "a" / "1.jpg")
    write(tmp_path / "b" / "1.jpg")
    table = tmp_path / "metadata.csv"
    table.write_text("file_name,caption\na/1.jpg,hello\n")
    assert open_source(str(tmp_path)).classes == ["a", "b"]
    table.write_text("file_name,label\na/1.jpg,x\nb/1.jpg,y\n")
    assert open_source(str(tmp_path)).classes == ["x", "y"]
    assert open_source(str(tmp_path), class_level=1).classes == ["a", "b"]
    table.write_text("file_name,label\n/etc/passwd,x\n../out.jpg,y\n")
    source = open_source(str(tmp_path))
    assert source.classes == ["a", "b"] and source.notes == (
        "2 rows of metadata name files that are not among the images read",
    )


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("metadata.csv", b"file_name,label\n000.jpg,cat,dog\n", "line 2 has not as many fields as the first"),
        ("metadata.csv", b"file_name,label\n000.jpg\n", "line 2 has not as many fields as the first"),
        ("metadata.csv", b'file_name,label\n"000.jpg,cat\n', "cannot be read"),
        ("metadata.csv", b"file_name,label\n\xff.jpg,cat\n", "not text in UTF-8 .byte 16.: save it so"),
        ("metadata.jsonl", b'{"file_name": "000.jpg"\n', "cannot be read"),
        ("metadata.jsonl", b"[1]\n", "line 1 is no JSON object"),
        ("metadata.jsonl", b"[" * 100_000, "cannot be read"),
        ("metadata.parquet", b"PAR1", "cannot be read"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path, name, data, message):
    album(tmp_path, 2)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message):
        open_source(str(tmp_path))


def test_a_column_that_is_not_there_is_refused(tmp_path):
    album(tmp_path, 2)
    (tmp_path / "metadata.csv").write_text("file_name,species\n000.jpg,cat\n")
    with pytest.raises(UserError, match=r'no column specie .it has file_name, species.. Did you mean "species"'):
        open_source(str(tmp_path), label_column="specie")
