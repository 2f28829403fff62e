"""What a reader of a page finds in its file: tags, ids, words, and the data for its scripts."""

from __future__ import annotations

import json
from html.parser import HTMLParser

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</title></style>"


class Seen(HTMLParser):
    """Tags with their attributes, ids, and the text outside of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words, self.inside = [], [], None
        self.feed(page.read_text("utf-8"))
        self.ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        self.text = " ".join(" ".join(self.words).replace("\u00a0", " ").split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.words.append(data)

    def count(self, tag, **wanted):
        return sum(name == tag and wanted.items() <= have.items() for name, have in self.tags)

    def classed(self, name):
        return sum(name in (have.get("class") or "").split() for _, have in self.tags)


def data_of(page):
    """The page's data, as its scripts read it."""
    text = page.read_text("utf-8")
    start = text.index('id="page-data">') + len('id="page-data">')
    return json.loads(text[start : text.index("</script>", start)])
