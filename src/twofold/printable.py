"""Names and sentences as they may be printed or written: what a terminal obeys or UTF-8 cannot hold is spelled out."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import TextIO

# Controls (line breaks and ESC among them), bytes that are no UTF-8, line separators, and marks that turn the direction
# of writing or are not seen; the two joiners, which scripts and emoji need, are let be.
_OBEYED = ("Cc", "Cs", "Zl", "Zp", "Cf")
_JOINERS = "\u200c\u200d"
_BYTES = range(0xDC80, 0xDD00)  # what Python reads such bytes of a file name as
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
_SPELLED = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def printable(name: str) -> str:
    """A name (of a file, a class, an id) as one harmless line; different names stay different.

    Spelled as Python does: \\xe9 for a byte that is no UTF-8, \\x0a for a line break, \\u202e for other characters. A
    backslash is spelled \\x5c where it would be taken for the beginning of such, and nowhere else.
    """
    return spelled_out(_apart(name))


def storable(name: str) -> str:
    """A name as UTF-8 can hold it, for files that keep names; different names stay different: see `printable`.

    Only what is no UTF-8 is spelled out, so that all other names stay as they are.
    """
    return _with_text_alone(_apart(name))


def is_text(name: str) -> bool:
    """Whether UTF-8 can hold a name as it is."""
    return _NO_TEXT.search(name) is None


def spelled_out(text: str) -> str:
    """A sentence as one line, in which names may be spelled out already."""
    return "".join(_spelling(c) if _is_obeyed(c) else c for c in text)


def say(text: str, to: TextIO | None = None) -> None:
    """Print lines, on standard output where nothing else is given; all that twofold prints goes this way.

    Whatever the stream's encoding lacks is spelled out.
    """
    stream = sys.stdout if to is None else to
    lines = "\n".join(map(spelled_out, text.split("\n")))
    print(fitting(lines, getattr(stream, "encoding", None)), file=stream, flush=True)


def fitting(text: str, encoding: str | None = "utf-8") -> str:
    """A text, line breaks and all, as an encoding can hold it."""
    return _with_text_alone(text).encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def _apart(name: str) -> str:
    return _SPELLED.sub(lambda found: "\\x5c" + found[0][1:], name)


def _with_text_alone(text: str) -> str:
    return _NO_TEXT.sub(lambda found: _spelling(found[0]), text)


def _spelling(c: str) -> str:
    code = ord(c)
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_obeyed(c: str) -> bool:
    return not c.isprintable() and c not in _JOINERS and unicodedata.category(c) in _OBEYED
