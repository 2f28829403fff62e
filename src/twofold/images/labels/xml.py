"""XML from strangers as a small tree: no entities, no document types, bounded in depth and number."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

MOST_DEPTH = 40
MOST_NODES = 10**6


class XMLError(Exception):
    """What is wrong with it, as a clause."""


@dataclass
class Node:
    """An element: its tag without namespace, its text, its children."""

    tag: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, tag: str) -> list[Node]:
        """Its own children of a tag."""
        return [child for child in self.children if child.tag == tag]

    def value(self, *tags: str) -> str | None:
        """The text of the first own child with one of the tags, None where there is none or it is empty."""
        texts = (child.text.strip() for tag in tags for child in self.all(tag))
        return next((text for text in texts if text), None)


def parse(data: bytes) -> tuple[Node, bool]:
    """The root of a document, and whether its bytes were Latin-1 without saying so. Raises XMLError."""
    try:
        return _parse(data, None), False
    except XMLError:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return _parse(data, "iso-8859-1"), True
        raise


def _parse(data: bytes, encoding: str | None) -> Node:
    top = Node("")
    open_nodes, count = [top], 0

    def start(tag: str, _: object) -> None:
        nonlocal count
        count += 1
        if len(open_nodes) > MOST_DEPTH or count > MOST_NODES:
            raise XMLError("nested too deep" if len(open_nodes) > MOST_DEPTH else "too many elements")
        node = Node(tag.rpartition(":")[2].lower())
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def text(part: str) -> None:
        open_nodes[-1].text += part

    def refuse(*_: object) -> None:
        raise XMLError("it declares entities, which labels never need")

    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler = start, text
    parser.EndElementHandler = lambda _: open_nodes.pop()
    parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse  # type: ignore[assignment]
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XMLError(f"it is no XML ({error})") from error
    except (ValueError, LookupError) as error:  # an encoding that expat does not know
        raise XMLError(f"it cannot be decoded ({error})") from error
    return top.children[0]
