"""Text files of one line for each user, `user item item ...`, as LightGCN and NGCF have them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from twofold.errors import UserError
from twofold.interactions.reading.content import whole
from twofold.interactions.reading.ids import Ids, encode
from twofold.interactions.reading.raw import Raw
from twofold.interactions.reading.sniff import Layout

BLANKS = b" \t\r\n\v\f"


def read_lists(path: str, layout: Layout) -> Raw:
    """All pairs of the file, in its order. Users without an item are counted as dropped.

    No loop over lines or pairs: the bytes between blanks become one arrow array, and the line of each word is the
    number of line ends before it.
    """
    data = np.frombuffer(_after(whole(path), layout.skip), np.uint8)
    inside = np.ones(256, bool)
    inside[list(BLANKS)] = False
    word = inside[data]
    starts = np.flatnonzero(word & ~np.concatenate([[False], word[:-1]]))
    ends = np.flatnonzero(word & ~np.concatenate([word[1:], [False]])) + 1
    line = np.searchsorted(np.flatnonzero(data == ord("\n")), starts)
    text = data[word]
    offsets = np.concatenate([[0], np.cumsum(ends - starts)])
    words = pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(text))
    try:
        words.validate(full=True)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} holds ids that are not text in UTF-8; save it in UTF-8.") from error
    first = np.concatenate([[True], line[1:] != line[:-1]])[: len(line)]
    heads = words.filter(pa.array(first))
    owner = np.cumsum(first)[~first] - 1
    where = f"{path}: the lists"
    named = encode(heads, where)
    without = int((np.bincount(owner, minlength=len(heads)) == 0).sum())
    users = Ids(named.codes[owner], named.values)
    dropped = {"comment lines": layout.comments} if layout.comments else {}
    dropped.update({"users without items": without} if without else {})
    items = encode(words.filter(pa.array(~first)), where)
    return Raw(users, items, None, None, "one line for each user", dropped)


def _after(data: bytes, lines: int) -> bytes:
    """The bytes after so many lines."""
    for _ in range(lines):
        data = data.partition(b"\n")[2]
    return data
