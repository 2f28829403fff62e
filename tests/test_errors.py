"""Every error that a user reads has one grammar: what is wrong and where, what to do after a colon, a full stop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from twofold.errors import UserError, clause, nearest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "twofold"
ERRORS = ("UserError", "TrainingStopped")
# What may follow the last full stop, or bring its own: a hint of the nearest name, or another whole message.
WHOLE = re.compile(r"\{(nearest\(.*\)|missing\(.*\)|hint|reason)\}$", re.DOTALL)
ARTICLES = re.compile(r"(the|a|an|no|none|there|this|these|it|every|only|cannot|must)\b")


def sentences(message: ast.expr) -> Iterator[str]:
    """The text of a message, each part that is computed in braces; of a choice all that it may be."""
    if isinstance(message, ast.IfExp):
        yield from sentences(message.body)
        yield from sentences(message.orelse)
    elif isinstance(message, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
            for part in message.values
        )
    else:
        yield str(message.value) if isinstance(message, ast.Constant) else f"? {ast.unparse(message)}"


def wrong_with(text: str) -> str:
    """What breaks the grammar in a message, or ""."""
    if text.startswith("?"):
        return "is not written out where it is raised"
    if not text.endswith(".") and not WHOLE.search(text):
        return "has no full stop"
    if re.search(r"(?<!\.)\.\.(?!\.)|\.\s*\{hint\}\.", text):
        return "has two full stops"
    if re.search(r"\{(str\()?error\)?\}\.?$", text):
        return "ends in another's words, which may have a full stop or not: put them in brackets, by clause()"
    if ARTICLES.match(text):
        return "begins with a small letter"
    return ""


def test_every_error_in_the_source_keeps_the_grammar():
    found, count = [], 0
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                for text in sentences(node.args[0]):
                    count += 1
                    if wrong := wrong_with(text):
                        found.append(f"{file.relative_to(SOURCE)}:{node.lineno} {wrong}: {text}")
    assert count > 200
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        '"Give a name"',
        'f"{path} is empty.."',
        '"the path is empty."',
        'f"{path} fails: {error}."',
        "message",
        '"a" + b',
    ],
)
def test_the_grammar_finds_what_breaks_it(code):
    assert any(wrong_with(text) for text in sentences(ast.parse(code, mode="eval").body))


@pytest.mark.parametrize(
    "code", ['f"There is no {x}.{nearest(x, y)}"', '"Give one, two, ... or three."', 'f"{path} is {a}; give {b}."']
)
def test_the_grammar_lets_good_sentences_pass(code):
    assert not any(wrong_with(text) for text in sentences(ast.parse(code, mode="eval").body))


def test_an_error_of_others_becomes_a_clause():
    assert clause(ValueError("It broke.\nAt line 3.")) == "It broke"
    assert clause(UserError("")) == "UserError"


def test_the_nearest_name_is_a_sentence_of_its_own():
    assert nearest("simclir", ["simclr", "moco"]) == ' Did you mean "simclr"?'
    assert nearest("x", ["simclr"]) == ""
