"""What a terminal obeys and what is no UTF-8 is spelled out; names stay apart."""

from __future__ import annotations

import ast
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import twofold
from twofold.errors import UserError
from twofold.printable import fitting, printable, say, spelled_out, storable

HOUSE = Path(twofold.__file__).parent
# Every kind that is spelled out, and what the spelling itself is made of.
LETTERS = ["\udce9", "\udcff", "\n", "\x1b", "\u202e", "\\", *"xue95cé"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo é.jpg", "photo é.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
        ("caf\\xe9.jpg", "caf\\x5cxe9.jpg"),
        ("C:\\new\\é", "C:\\new\\é"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"),
        ("a\u202egnp.jpg", "a\\u202egnp.jpg"),
        ("a\u2028b\x85c\U000e0041", "a\\u2028b\\u0085c\\U000e0041"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
    ],
)
def test_a_name_is_one_line_that_a_terminal_does_not_obey(name, shown):
    assert printable(name) == shown
    assert spelled_out(shown) == shown


def test_what_is_stored_differs_from_the_name_only_where_it_is_no_text():
    assert storable("a\x1b\nb\u202e\\new") == "a\x1b\nb\u202e\\new"
    assert storable(os.fsdecode(b"\xe9\n")) == "\\xe9\n" and storable("\\xe9\n") == "\\x5cxe9\n"


@given(st.text(st.sampled_from(LETTERS)), st.text(st.sampled_from(LETTERS)))
def test_different_names_stay_different(one, other):
    for spelled in (printable, storable):
        assert (spelled(one) == spelled(other)) == (one == other)
        spelled(one).encode()
    assert len(printable(one).splitlines()) <= 1


def test_a_stream_gets_what_it_can_hold():
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    say("é \udce9 \u202e\nsecond", ascii_only)
    assert ascii_only.buffer.getvalue() == b"\\xe9 \\xe9 \\u202e\nsecond\n"  # type: ignore[attr-defined]
    assert fitting("é\n\udce9") == "é\n\\xe9"


def test_an_error_is_one_line():
    assert str(UserError("a\x1b[2J\nb.")) == "a\\x1b[2J\\x0ab."


def test_everything_is_printed_by_say():
    for file in HOUSE.rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call))
        printed = any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
        assert printed == (file.name == "printable.py"), file
