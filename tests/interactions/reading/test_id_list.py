"""Lists of ids: from the command line or a file, one reader for all options, mistakes in one sentence."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from twofold.errors import UserError
from twofold.interactions.reading.id_list import read_ids

TEXT, NUMBERS = pa.array(["ann", "bob", "c/d", "e.txt"]), pa.array([1, 7, 2**62])


def test_ids_with_commas_between_are_distinct_and_of_the_runs_type():
    assert read_ids(" ann, bob,,ann", TEXT, "--users") == ["ann", "bob"]
    assert read_ids("7, 1,+7,007,-3", NUMBERS, "--users") == [7, 1, -3]
    long = ",".join(f"user-{k}" for k in range(1000))
    assert len(read_ids(long, TEXT, "--users")) == 1000
    assert read_ids("x" * 300, TEXT, "--users") == ["x" * 300]
    assert read_ids("a\0b", TEXT, "--users") == ["a\0b"]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_of_one_a_line(tmp_path, start, end, pack):
    file = tmp_path / "ids"
    file.write_bytes(pack(start + end.join([b"ann", "böb, the 2nd\u2028x".encode(), b"", b" ann "])))
    assert read_ids(str(file), TEXT, "--users") == ["ann", "böb, the 2nd\u2028x"]
    file.write_bytes(pack(start + end.join([b"7", b"1", b"7"])))
    assert read_ids(str(file), NUMBERS, "--users") == [7, 1]


def test_a_known_id_that_looks_like_a_path_is_an_id():
    assert read_ids("c/d", TEXT, "--users") == ["c/d"] and read_ids("e.txt", TEXT, "--users") == ["e.txt"]
    assert read_ids("c/d,x/y.txt", TEXT, "--users") == ["c/d", "x/y.txt"]


@pytest.mark.parametrize(
    ("listed", "known", "message"),
    [
        ("", TEXT, "--users names no ids"),
        (" , ,", TEXT, "--users names no ids"),
        ("{folder}/user.txt", TEXT, 'which does not exist. Did you mean "users.txt"?'),
        ("missing.csv", NUMBERS, "--users names the file missing.csv, which does not exist."),
        ("x/" * 3000, TEXT, "which does not exist."),
        ("{folder}", TEXT, "--users names the folder"),
        ("{folder}/empty.txt", TEXT, "--users names no ids"),
        ("{folder}/blank.txt", TEXT, "is empty but for blanks"),
        ("{folder}/wide.txt", TEXT, "is text in UTF-16; save it in UTF-8."),
        ("{folder}/latin.txt", TEXT, "holds ids that are not text in UTF-8; save it in UTF-8."),
        ("{folder}/binary.txt", TEXT, "holds binary data"),
        ("{folder}/pickle.txt", TEXT, "is a pickle"),
        ("{folder}/table.parquet", TEXT, "takes a text file of one id a line."),
        ("ann", NUMBERS, '--users names "ann", and the ids of this run are whole numbers'),
        ("--7", NUMBERS, "whole numbers"),
        ("²", NUMBERS, "whole numbers"),
        ("٣", NUMBERS, "whole numbers"),
        ("1.0", NUMBERS, "whole numbers"),
        ("9" * 5000, NUMBERS, "whole numbers of at most 64 bits."),
        (str(2**63), NUMBERS, "whole numbers of at most 64 bits."),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, listed, known, message):
    (tmp_path / "users.txt").write_text("ann\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "blank.txt").write_text("\n \n")
    (tmp_path / "wide.txt").write_text("ann\nbob\n", encoding="utf-16")
    (tmp_path / "latin.txt").write_bytes("böb\n".encode("latin-1"))
    (tmp_path / "binary.txt").write_bytes(b"a\0b\n")
    (tmp_path / "pickle.txt").write_bytes(b"\x80\x04\x95abc")
    (tmp_path / "table.parquet").write_bytes(b"PAR1abcPAR1")
    with pytest.raises(UserError) as caught:
        read_ids(listed.replace("{folder}", str(tmp_path)), known, "--users")
    assert message in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 600
