"""Titles of items: columns by name or place, the formats, and what is refused."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twofold.errors import UserError
from twofold.interactions.reading.titles import read_titles

FOUND = {"7": "Seven, the film", "a": "Ä"}


@pytest.mark.parametrize(
    "text",
    [
        'item,title\n7,"Seven, the film"\na,Ä\n',
        'year;Name;ID\n1995;"Seven, the film";7\n2000;Ä;a\n',
        "title\tproduct_id\nSeven, the film\t7\n\nÄ\ta\n",
        "movie_id:token\tmovie_title:token_seq\n7\tSeven, the film\na\tÄ\n",
        '7,"Seven, the film"\na,Ä,more\n7,again\nlone\n,nameless\nb,\n',
        '\ufeffid,called\r\n7,"Seven, the film"\r\na,Ä\r\n',
        "id\tcalled\r7\tSeven, the film\ra\tÄ\r",
    ],
)
def test_text(tmp_path, text):
    file = tmp_path / "titles.txt"
    file.write_bytes(text.encode())
    assert read_titles(file) == FOUND
    file.write_bytes(gzip.compress(text.encode()))
    assert read_titles(file) == FOUND


def test_parquet(tmp_path):
    file = tmp_path / "titles.parquet"
    pq.write_table(pa.table({"year": [1, 2, 3], "title": ["Seven", None, "x"], "item_id": [7, 8, None]}), file)
    assert read_titles(file) == {"7": "Seven"}
    pq.write_table(pa.table({"what": ["a"], "ever": ["b"]}), file)
    assert read_titles(str(file)) == {"a": "b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"item\n7\n", "one column only"),
        (b"item,title\n", "holds no titles"),
        (b"\n\n", "holds no titles"),
        (b"item,title\n7,\xff\xfe\n", "not text in UTF-8"),
        (b'item,title\n7,"' + b"x" * 200_000 + b'"\n', "cannot be read"),
        (b"PAR1 and no more", "cannot be read as ids and titles"),
        (b"PK\x03\x04", "zip archive"),
    ],
)
def test_refused(tmp_path, content, message):
    file = tmp_path / "titles.csv"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_titles(file)


def test_not_there(tmp_path):
    (tmp_path / "titles.csv").write_text("x")
    with pytest.raises(UserError, match="Did you mean"):
        read_titles(tmp_path / "title.csv")


def test_a_lone_quote_in_a_title_joins_no_lines(tmp_path):
    (tmp_path / "t.tsv").write_text('item_id\ttitle\n1\t"Heroes\n2\tLow\n3\t7" single\n')
    assert read_titles(tmp_path / "t.tsv") == {"1": '"Heroes', "2": "Low", "3": '7" single'}
