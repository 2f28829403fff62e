"""Arrow files, message by message: what they unpack to is known before any of it is unpacked."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.control.reading.stores import Unreadable, damage

MAGIC = b"ARROW1"  # at both ends of a file
START = 8  # bytes before the first message
LENGTH, BUFFERS, COMPRESSION = 0, 2, 3  # fields of a record batch, as Arrow's format numbers them
HEADER = 2  # field of a message


@dataclass(frozen=True)
class ArrowRows:
    """What an Arrow file holds. rows: of all batches; nbytes: what they take when they are unpacked."""

    schema: Any
    batches: list[Any]
    rows: int
    nbytes: int

    def table(self) -> Any:
        """All columns; what is not packed lies in the file."""
        import pyarrow as pa

        return pa.Table.from_batches([pa.ipc.read_record_batch(one, self.schema) for one in self.batches], self.schema)


def opened_arrow(file: Path) -> ArrowRows:
    """An Arrow file, of which nothing is unpacked yet. Raises Unreadable where it is damaged."""
    import pyarrow as pa

    with damage():
        whole = pa.memory_map(str(file)).read_buffer()
        if whole.size < START + len(MAGIC) or not bytes(whole[: len(MAGIC)]) == bytes(whole[-len(MAGIC) :]) == MAGIC:
            raise Unreadable("it is no whole Arrow file")
        messages = list(pa.ipc.MessageReader.open_stream(whole.slice(START)))
        if not messages or messages[0].type != "schema" or any(one.type != "record batch" for one in messages[1:]):
            raise Unreadable("it has other parts than columns of values")
        claims = [_claims(bytes(one.metadata), one.body) for one in messages[1:]]
        schema = pa.ipc.read_schema(messages[0])
        return ArrowRows(schema, messages[1:], sum(rows for rows, _ in claims), sum(size for _, size in claims))


def _claims(head: bytes, body: Any) -> tuple[int, int]:
    """Rows of a record batch, and bytes that its values take when they are unpacked: packed ones say so before them."""
    batch = _pointed(head, _field(head, _pointed(head, 0), HEADER))
    at = _field(head, batch, LENGTH)
    rows = _number(head, at, "q") if at else 0
    packed = _field(head, batch, COMPRESSION) != 0
    listed = _field(head, batch, BUFFERS)
    first = _pointed(head, listed) if listed else 0
    size = 0
    for number in range(_number(head, first, "I") if listed else 0):
        start, length = struct.unpack_from("<qq", head, first + 4 + 16 * number)
        if start < 0 or length < 0 or start + length > body.size:
            raise Unreadable("its values do not lie in it")
        own = _number(bytes(body[start : start + 8]), 0, "q") if packed and length >= 8 else length
        size += own if own >= 0 else length
    if rows < 0:
        raise Unreadable("it claims less than nothing")
    return rows, size


def _field(head: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffers table lies, 0 where it has none."""
    names = table - _number(head, table, "i")
    if 4 + 2 * number >= _number(head, names, "H"):
        return 0
    own = _number(head, names + 4 + 2 * number, "H")
    return table + own if own else 0


def _pointed(head: bytes, at: int) -> int:
    return at + _number(head, at, "I")


def _number(head: bytes, at: int, kind: str) -> int:
    if at < 0:
        raise Unreadable("its head points out of it")
    return int(struct.unpack_from(f"<{kind}", head, at)[0])
