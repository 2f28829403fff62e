"""Reading tables of interactions: every format gives the same table, columns are found, mistakes are one sentence."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from twofold.errors import UserError
from twofold.interactions.reading import Table, read_table

USERS = [3, 3, 10, 3, 42, 10, 7]
ITEMS = [100, 5, 5, 77, 100, 6, 1000]
RATINGS = [5.0, 3.5, 1.0, 4.0, 2.0, 5.0, 0.5]
TIMES = [1700000000 + 86400 * k for k in (5, 3, 1, 2, 4, 0, 6)]
DAYS = [f"2023-11-{14 + k:02}T22:13:20" for k in (5, 3, 1, 2, 4, 0, 6)]  # the same as TIMES
PAIRS = list(zip(USERS, ITEMS, strict=True))


def write(path: Path, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return str(path)


def lines(delimiter: str, header: list[str] | None = None, *, times: list | None = None, quote: str = "") -> str:
    rows = [[f"{quote}{v}{quote}" for v in row] for row in zip(USERS, ITEMS, RATINGS, times or TIMES, strict=True)]
    return "".join(delimiter.join(row) + "\n" for row in ([header] if header else []) + rows)


def pairs(table: Table) -> list[tuple]:
    """The pairs with their original ids, in order."""
    users, items = table.user_ids.to_pylist(), table.item_ids.to_pylist()
    return [(users[u], items[i]) for u, i in zip(table.users, table.items, strict=True)]


def same(table: Table, *, weight: bool = True, time: bool = True) -> None:
    assert pairs(table) == PAIRS
    assert table.user_ids.type == pa.int64() and table.user_ids.to_pylist() == sorted(set(USERS))
    assert table.item_ids.to_pylist() == sorted(set(ITEMS)) and len(table) == len(PAIRS)
    assert table.users.dtype == table.items.dtype == np.int64
    if weight:
        assert table.weight is not None and table.weight.dtype == np.float32 and table.weight.tolist() == RATINGS
    if time:
        assert table.time is not None and table.time.dtype == np.float64 and table.time.tolist() == TIMES
    assert table.dropped == {}


HEADERS = [
    ["user_id", "item_id", "rating", "timestamp"],
    ["userId", "movieId", "Rating", "time"],
    ["user_id:token", "item_id:token", "rating:float", "timestamp:float"],
    ["Customer ID", "product", "score", "Date"],
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("delimiter", [",", "\t", ";", " ", "|"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_text_with_a_header(tmp_path, header, delimiter, ending):
    header = [name.replace(" ", "_") for name in header]
    same(read_table(write(tmp_path / f"a.txt{ending}", lines(delimiter, header))))
    same(read_table(write(tmp_path / f"b.txt{ending}", lines(delimiter, header, times=DAYS))))


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " ", "::"])
def test_text_without_a_header(tmp_path, delimiter):
    path = write(tmp_path / "a.dat", lines(delimiter))
    table = read_table(path)
    same(table, weight=False, time=False)
    assert table.weight is None and table.time is None
    same(read_table(path, weight=2, time="3"))
    assert "users in column 0 (counted from 0)" in table.describe()


def test_text_of_other_systems(tmp_path):
    text = lines(",", HEADERS[0], quote='"')
    same(read_table(write(tmp_path / "quoted.csv", text.replace("\n", "\r\n"))))
    same(read_table(write(tmp_path / "bom.csv", "\ufeff" + text)))
    same(read_table(write(tmp_path / "end.csv", text.rstrip("\n"))))
    same(read_table(write(tmp_path / "blanks.txt", lines("   ").replace("\n", "  \n")), weight=2, time=3))
    table = read_table(write(tmp_path / "comments.tsv", "% bip weighted\n% 7 4 5\n" + lines("\t")), weight=2, time=3)
    assert table.dropped == {"comment lines": 2} and pairs(table) == PAIRS


def test_recbole(tmp_path):
    same(read_table(write(tmp_path / "a.inter", lines("\t", HEADERS[2]))))
    same(read_table(write(tmp_path / "a.inter.gz", lines("\t", HEADERS[2])), user="user_id", item="item_id:token"))


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.string(), pa.large_string(), pa.float64(), "dictionary"])
def test_parquet(tmp_path, kind):
    ids = [pa.array(v, pa.int64()) for v in (USERS, ITEMS)]
    ids = [v.cast(pa.string()).dictionary_encode() if kind == "dictionary" else v.cast(kind) for v in ids]
    when = pa.array(np.array(TIMES, "datetime64[s]"))
    for name, times in (("a", pa.array(TIMES)), ("b", when), ("c", pa.array(DAYS))):
        table = pa.table({"other": ids[0], "user": ids[0], "item": ids[1], "rating": RATINGS, "ts": times})
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=3)
        same(read_table(tmp_path / f"{name}.parquet"))


def test_parquet_of_what_cannot_be_an_id(tmp_path):
    broken = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff"))
    for values, message in ((broken, "not UTF-8"), ([0.5, 1.0], "holds fractions"), ([True, False], "holds bool")):
        pq.write_table(pa.table({"user": values, "item": [1, 2]}), tmp_path / "a.parquet")
        with pytest.raises(UserError, match=message):
            read_table(tmp_path / "a.parquet")


def test_npz(tmp_path):
    np.savez(tmp_path / "a.npz", users=USERS, items=ITEMS, rating=RATINGS, timestamp=TIMES)
    same(read_table(tmp_path / "a.npz"))
    names = {"users": np.array([f"u{u}" for u in USERS]), "items": ITEMS}
    np.savez_compressed(tmp_path / "b.npz", **names)
    assert pairs(read_table(tmp_path / "b.npz")) == [(f"u{u}", i) for u, i in PAIRS]


@pytest.mark.parametrize("kind", ["coo", "csr", "csc"])
def test_sparse_matrices_as_scipy_saves_them(tmp_path, kind):
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.coo_matrix(([*RATINGS, 0.0], ([*USERS, 0], [*ITEMS, 0])), shape=(50, 1001)).asformat(kind)
    sparse.save_npz(tmp_path / "m.npz", matrix)
    table = read_table(tmp_path / "m.npz")
    assert sorted(pairs(table)) == sorted(PAIRS) and table.dropped == {"stored zeros": 1}
    assert dict(zip(pairs(table), table.weight.tolist(), strict=True)) == dict(zip(PAIRS, RATINGS, strict=True))


LISTS = "3 100 5 77\n10 5 6\n\n42 100\n7 1000 \n9\n"


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("change", [str, lambda t: t.replace(" ", "\t"), lambda t: t.replace("\n", "\r\n")])
def test_one_line_for_each_user(tmp_path, ending, change):
    table = read_table(write(tmp_path / f"train.txt{ending}", change(LISTS)))
    assert sorted(pairs(table)) == sorted(PAIRS) and pairs(table)[:3] == [(3, 100), (3, 5), (3, 77)]
    assert table.dropped == {"users without items": 1} and table.user_ids.to_pylist() == [3, 7, 10, 42]
    assert "one line for each user" in table.describe()


def test_lists_of_strings_and_without_a_last_line_end(tmp_path):
    table = read_table(write(tmp_path / "a.txt", "ann shirt hat\nböb hat shoe scarf"))
    assert pairs(table) == [("ann", "shirt"), ("ann", "hat"), ("böb", "hat"), ("böb", "shoe"), ("böb", "scarf")]


def test_lists_whose_lines_look_alike(tmp_path):
    path = write(tmp_path / "a.txt", "1 2 3\n4 5 6\n")
    assert pairs(read_table(path)) == [(1, 2), (4, 5)]
    assert pairs(read_table(path, lists=True)) == [(1, 2), (1, 3), (4, 5), (4, 6)]
    longer = write(tmp_path / "b.txt", "".join(f"{u} 1 2 3 4 5 6\n" for u in range(3)))
    assert len(read_table(longer)) == 18
    late = write(tmp_path / "c.txt", "".join(f"{u} {u + 1}\n" for u in range(50000)) + "50000 1 2 3\n")
    assert len(read_table(late)) == 50003


def test_ids_stay_as_they_are(tmp_path):
    table = read_table(write(tmp_path / "a.csv", "user,item\n007,b c\n7, ü\n007,x\n"))
    assert table.user_ids.to_pylist() == ["007", "7"] and table.item_ids.to_pylist() == ["b c", "ü", "x"]
    big = read_table(write(tmp_path / "b.csv", "user,item\n99999999999999999999,-4\n1,0\n"))
    assert big.user_ids.to_pylist() == ["99999999999999999999", "1"] and big.item_ids.to_pylist() == [-4, 0]
    for text in ("+1", "1.0", "-0", "1e3", "NA", "nan", "null"):
        assert read_table(write(tmp_path / "c.csv", f"user,item\n{text},1\n")).user_ids.to_pylist() == [text]


def test_headers_and_data_are_told_apart(tmp_path):
    def read(text, **columns):
        return pairs(read_table(write(tmp_path / "a.csv", text), **columns))

    assert read("ann,hat\nbob,shoe\n") == [("ann", "hat"), ("bob", "shoe")]
    assert read("who,what\n1,2\n3,4\n") == [(1, 2), (3, 4)]
    assert read("who,what\nann,hat\n", user="who") == [("ann", "hat")]
    assert read("what,who,rating\nhat,ann,3\n", user="who") == [("ann", "hat")]
    assert read('title,item_id,user_id\n"a, b",1,2\n\'c,3,4\n') == [(2, 1), (4, 3)]
    assert read("x,y,z\n1,2,3\n", user=2, item="0") == [(3, 1)]


def test_what_is_dropped_is_counted(tmp_path):
    text = "user,item,rating,time\n1,1,5,9\n,1,5,9\n1, ,5,9\n1,2,,9\n1,3,5,\n"
    text += "1,4,2,9\n1,5,4,3\n1,5,5,8\n1,5,1,99\n2,4,1,1\n"
    table = read_table(write(tmp_path / "a.csv", text), min_weight=3)
    assert table.dropped == {
        "empty ids": 2,
        "empty weights": 1,
        "empty times": 1,
        "below --min-weight": 3,
        "duplicates": 1,
    }
    assert pairs(table) == [(1, 1), (1, 5)] and table.user_ids.to_pylist() == [1]
    assert table.weight.tolist() == [5, 4] and table.time.tolist() == [9, 8]
    assert "dropped: empty ids 2" in table.describe()
    assert len(read_table(write(tmp_path / "a.csv", text), weight="", time="")) == 6


def test_dates(tmp_path):
    def read(*values):
        text = "user,item,time\n" + "".join(f"{k},{k},{v}\n" for k, v in enumerate(values))
        return read_table(write(tmp_path / "a.csv", text)).time.tolist()

    assert read("1970-01-02", "1970-01-01 00:00:05") == [86400, 5]
    assert read("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:01.5Z") == [0, 1.5]
    assert read("2.5", "1e3") == [2.5, 1000]
    with pytest.raises(UserError, match=r"column time holds 'soon' in row 2; times are numbers or ISO dates"):
        read("1970-01-02", "soon")


def test_many_blocks_give_the_order_of_the_file(tmp_path):
    count = 400_000
    users = np.random.default_rng(0).integers(0, 50_000, count)
    items = np.arange(count)
    names = pa.array([f"user-{u:08}-of-a-long-name" for u in users])
    pc.write_csv(pa.table({"user": names, "item": items}), tmp_path / "a.csv")
    assert os.path.getsize(tmp_path / "a.csv") > 1 << 23
    table = read_table(tmp_path / "a.csv")
    seen = users[np.sort(np.unique(users, return_index=True)[1])]
    assert table.user_ids.to_pylist() == [f"user-{u:08}-of-a-long-name" for u in seen]
    assert (seen[table.users] == users).all() and (table.items == items).all()


MISTAKES = {
    "empty.csv": (b"", {}, "is empty; it should hold"),
    "blank.csv": (b"\n \n", {}, "is empty but for blanks"),
    "header.csv": (b"user,item\n", {}, "holds a header and no interactions"),
    "one.csv": (b"user\n1\n2\n", {}, "has one column only"),
    "one.txt": (b"1\n2\n", {}, "has one column only"),
    "garbage.bin": (bytes(range(256)) * 40, {}, "holds binary data, not text"),
    "latin.csv": ("user,item\nä,1\n".encode("latin-1"), {}, "not text in UTF-8"),
    "garbled.csv": (b"user,item,time\n1,1,5\n1,2,\xe4\n", {}, "not text in UTF-8"),
    "latin.txt": ("ä 1 2\nb 1\n".encode("latin-1"), {}, "not text in UTF-8"),
    "wide.csv": ("user,item\n1,2\n".encode("utf-16"), {}, "UTF-16"),
    "pickle.pkl": (b"\x80\x04\x95abc", {}, "is a pickle"),
    "zip.csv": (b"PK\x03\x04abc", {}, "is a zip archive"),
    "a.npz": (b"PK\x03\x04abc", {}, "is not a whole .npz file"),
    "b.npz": (b"abc", {}, "is not a whole npz file"),
    "a.parquet": (b"PAR1abcdefghijkl", {}, "is not a whole parquet file"),
    "b.parquet": (b"abc", {}, "is not a whole parquet file"),
    "name.csv": (b"user,item\n1,2\n", {"user": "usr"}, 'has no column usr (it has user, item). Did you mean "user"?'),
    "same.csv": (b"user,item\n1,2\n", {"user": "item", "item": "item"}, "given as the same column (item)"),
    "number.csv": (b"1,2\n3,4\n", {"item": 2}, "has no header and no column 2; its columns are the numbers 0 to 1"),
    "weight.csv": (b"user,item,rating\n1,2,3\n1,3,PG-13\n", {}, "rating holds 'PG-13' in row 2; weights are numbers"),
    "width.csv": (b"user,item\n1,2\n1,3,4\n5,6\n5,8\n", {}, "has 3 columns in line 3 but 2 in the lines before"),
    "few.csv": (b"user,item,rating\n1,2,3\n", {"min_weight": 4}, "no interactions but rows with below --min-weight 1"),
    "weights.csv": (b"user,item\n1,2\n", {"min_weight": 4}, "has no weights that min_weight could compare"),
    "lists.txt": (b"1 2 3\n4 5\n", {"min_weight": 1}, "has no weights"),
    "none.csv": (b"user,item\n,2\n1,\n", {}, "holds no interactions but rows with empty ids 2"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_sentence(tmp_path, name):
    data, columns, message = MISTAKES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_table(path, **columns)
    assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_not_there_or_not_whole(tmp_path):
    write(tmp_path / "ratings.csv", "user,item\n1,2\n")
    with pytest.raises(UserError, match=r'does not exist. Did you mean "ratings.csv"\?'):
        read_table(tmp_path / "rating.csv")
    with pytest.raises(UserError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(UserError, match="is a URL"):
        read_table("https://example.org/a.csv")
    text = "".join(f"{k * k % 9973},{k}\n" for k in range(200_000)).encode()
    for name, data in (("a.csv.gz", text), ("a.txt.gz", text.replace(b",", b" "))):
        whole = gzip.compress(data)
        for end in (len(whole) // 2, 50):
            (tmp_path / name).write_bytes(whole[:end])
            with pytest.raises(UserError, match=r"is not a whole \.gz file"):
                read_table(tmp_path / name)


def test_sparse_matrices_that_lie(tmp_path):
    good = {"format": b"csr", "shape": (2, 3), "data": np.ones(3), "indices": [0, 1, 2], "indptr": [0, 2, 3]}
    np.savez(tmp_path / "a.npz", **good)
    assert pairs(read_table(tmp_path / "a.npz")) == [(0, 0), (0, 1), (1, 2)]
    lies = [
        {"indptr": [0, 2, 9]},
        {"indices": [0, 1, 3]},
        {"data": np.ones(2)},
        {"format": b"dia"},
        {"indices": [0.5] * 3},
    ]
    for lie in [*lies, {"indptr": [0, 3, 2, 3]}, {"shape": 5}]:
        np.savez(tmp_path / "a.npz", **{**good, **lie})
        with pytest.raises(UserError, match="sparse matrix"):
            read_table(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", users=np.array([1, "a"], object), items=np.array([{}, 2], object))
    with pytest.raises(UserError, match="pickled objects, which are never read: users, items"):
        read_table(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", users=[1, 2], items=[1, 2, 3])
    with pytest.raises(UserError, match="differ in length"):
        read_table(tmp_path / "a.npz")


def test_ids_that_are_neither_text_nor_numbers(tmp_path):
    file = tmp_path / "pictures.parquet"
    pq.write_table(pa.table({"image": [{"bytes": b"x", "path": "a"}], "label": [1]}), file)
    with pytest.raises(UserError, match=r"holds struct<.*; ids are text or whole numbers"):
        read_table(file)


@pytest.mark.parametrize("name", ["a.tsv", "a.inter", "a.csv"])
@pytest.mark.parametrize("count", [400, 30_000])
def test_a_lone_quote_joins_no_lines_and_is_part_of_its_id(tmp_path, name, count):
    mark = "," if name.endswith("csv") else "\t"
    rows = [(f"u{k % 97}", f"i{k}") for k in range(count)]
    rows[40], rows[80], rows[count - 1] = ("u1", '"Heroes'), ("u2", '7" single'), ("u3", '"last')
    rows[90] = ("u4", '"Heroes" live')
    text = "".join(f"{u}{mark}{i}\n" for u, i in [("user_id", "item_id"), *rows])
    table = read_table(write(tmp_path / name, text))
    assert pairs(table) == rows
    assert table.notes == ["its quotes do not enclose values and were read as part of them"]
    assert pairs(read_table(write(tmp_path / name, text.rstrip("\n")))) == rows


def test_a_pair_of_quotes_far_apart_joins_no_lines(tmp_path):
    for name, mark in (("a.tsv", "\t"), ("a.csv", ",")):
        rows = [("u1", "i1"), ("u2", '"i2'), ("u3", "i3"), ("u4", 'i4"'), ("u5", "i5")]
        text = "".join(f"{u}{mark}{i}\n" for u, i in [("user", "item"), *rows])
        assert pairs(read_table(write(tmp_path / name, text))) == rows


def test_quotes_between_tabs_enclose_where_each_closes_on_its_line(tmp_path):
    text = 'user\titem\n"u1"\t"a\tb"\nu2\t"say ""x"""\n'
    assert pairs(read_table(write(tmp_path / "a.tsv", text))) == [("u1", "a\tb"), ("u2", 'say "x"')]


@pytest.mark.parametrize("kilobytes", [1, 300, 9_000])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_line_breaks_in_quotes_are_read_at_any_size(tmp_path, kilobytes, ending):
    review = 'good, "")fine\r\n\nreally ' + "x" * 500
    count = 2 * kilobytes
    text = "".join(f'{k % 50},"i{k}","{review}",{k}\r\n' for k in range(count))
    table = read_table(write(tmp_path / f"a.csv{ending}", "user_id,item_id,review,rating\r\n" + text))
    assert pairs(table) == [(k % 50, f"i{k}") for k in range(count)]
    assert table.weight.tolist() == list(range(count))
    assert table.notes == [f"{count:,} values in quotes go over several lines"]


def test_line_breaks_in_ids_headers_and_values_longer_than_a_block(tmp_path):
    text = '"user\nid","item\nid"\nann,"hat\nblue"\n"bob","shoe"\n'
    table = read_table(write(tmp_path / "a.csv", text))
    assert pairs(table) == [("ann", "hat\nblue"), ("bob", "shoe")]
    long = "line of text\n" * (9 << 16)
    table = read_table(write(tmp_path / "b.csv", f'user,item,text\n1,2,"{long}"\n3,4,"{long}"\n5,6,x\n'))
    assert pairs(table) == [(1, 2), (3, 4), (5, 6)]


def test_a_quote_that_does_not_close_among_others_that_do_is_refused(tmp_path):
    text = 'user,item\n"u1","a, b"\nu2,"c\nu3,"d, e"\n'
    with pytest.raises(UserError, match="has a quote in line 3 that does not enclose a value"):
        read_table(write(tmp_path / "a.csv", text))


LOG = [(f"u{k % 7}", f"title {k % 5}") for k in range(30)]


@pytest.mark.parametrize(
    "header",
    [
        ",listener,title",
        "id,listener,title",
        "Unnamed: 0,user_id,title",
        "index,who,title",
        "rowid,who,what",
        "order_id,user_id,name",
    ],
)
def test_a_column_that_numbers_the_rows_is_passed_over(tmp_path, header):
    names = header.split(",")
    path = write(tmp_path / "a.csv", header + "\n" + "".join(f"{k},{u},{i}\n" for k, (u, i) in enumerate(LOG)))
    columns = [list(range(len(LOG))), *map(list, zip(*LOG, strict=True))]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), tmp_path / "a.parquet")
    for table in (read_table(path), read_table(tmp_path / "a.parquet")):
        assert set(pairs(table)) == set(LOG)
        assert f"passed over, for it differs in every row: column {names[0] or 'without a name'}" in table.describe()
    assert read_table(path, user=0).user_ids.to_pylist() == list(range(30))


def test_row_numbers_without_a_header_are_passed_over(tmp_path):
    text = "".join(f"{k},{u},{i}\n" for k, (u, i) in enumerate(LOG))
    assert set(pairs(read_table(write(tmp_path / "a.csv", text)))) == set(LOG)


def test_an_index_is_taken_where_it_repeats_or_nothing_else_is_left(tmp_path):
    text = "id,item_id,rating\n1,a,3\n2,b,4\n1,b,5\n"
    assert pairs(read_table(write(tmp_path / "a.csv", text))) == [(1, "a"), (2, "b"), (1, "b")]
    late = "id,title,price\n" + "".join(f"{k},t,1\n" for k in range(40_000)) + "7,u,1\n"
    assert len(read_table(write(tmp_path / "b.csv", late)).user_ids) == 40_000
    assert pairs(read_table(write(tmp_path / "c.csv", "id,title\n1,a\n2,b\n"))) == [(1, "a"), (2, "b")]


TIMES_ALIKE = {
    "1970-01-01T00:00:01.123456789": 1.123456,
    "1970-01-01 00:00:01.12345678901234": 1.123456,
    "1970-01-01 00:00:05 UTC": 5,
    "1970-01-01T00:00:05Z": 5,
    "1970-01-01 00:00:05.5 +0000 UTC": 5.5,
    "1970-01-01 01:00:05 +01:00": 5,
    "1970-01-01T02:00:05+0200": 5,
    "1970-01-01 01:00:05,25+01": 5.25,
    "1970-01-01T00:00:07": 7,
    "1970-01-02": 86400,
    "1970-01-01T02+02": 0,
}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_dates_of_all_forms_and_zones_stand_side_by_side(tmp_path, ending):
    for some in (list(TIMES_ALIKE), list(TIMES_ALIKE)[::-1], *([one] for one in TIMES_ALIKE)):
        rows = pa.table({"user": range(len(some)), "item": range(len(some)), "time": some})
        (pc.write_csv if ending == "csv" else pq.write_table)(rows, tmp_path / f"a.{ending}")
        assert read_table(tmp_path / f"a.{ending}").time.tolist() == [TIMES_ALIKE[text] for text in some]


def test_numbers_among_dates_are_refused_by_their_row(tmp_path):
    path = write(tmp_path / "a.csv", "user,item,time\n1,1,1970-01-02\n1,2,5\n")
    with pytest.raises(UserError, match="holds '5' in row 2, and rows before it in another form; give all in one form"):
        read_table(path)


def test_seconds_among_milliseconds_are_said(tmp_path):
    rows = "".join(f"{k},{k},{1_700_000_000 + k if k % 3 else (1_700_000_000 + k) * 1000}\n" for k in range(30))
    notes = read_table(write(tmp_path / "a.csv", "user,item,ts\n" + rows)).notes
    assert len(notes) == 1 and "seconds in 20 rows and milliseconds in 10 rows" in notes[0]
    assert not read_table(write(tmp_path / "b.csv", "user,item,ts\n1,1,1700000000\n1,2,5\n")).notes


@pytest.mark.parametrize("line", ["u{}\ti{}", "u{},i{}", "{} {} {}"])
def test_lines_that_end_in_carriage_returns_alone_are_refused(tmp_path, line):
    """They would read as one line: as a header without rows, or as one user with all ids."""
    file = tmp_path / "mac.txt"
    file.write_bytes("\r".join(line.format(k, k + 1, k + 2) for k in range(9)).encode())
    with pytest.raises(UserError, match=r"mac.txt has lines that end in carriage returns alone .*: save it with line"):
        read_table(str(file))
