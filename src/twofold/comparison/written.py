"""The result of a comparison on the screen and in files: compare.json, compare.md, report.html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.files import write_json, write_text
from twofold.page import Sections, build
from twofold.page.comparison import differences, notes, table


def as_text(result: Mapping[str, Any]) -> str:
    """The table, the differences and the notes, for a terminal."""
    parts = [_aligned(*table(result)), _aligned(*differences(result)), "\n".join(notes(result))]
    return "\n\n".join(part for part in parts if part)


def as_markdown(result: Mapping[str, Any]) -> str:
    """The same with what it was made with."""
    environment = result["environment"]
    made = {
        "data": result["about"],
        "command": f"`{environment['command']}`",
        "date": environment["started"],
        "machine": ", ".join(str(value) for value in environment["machine"].values() if value),
        "versions": ", ".join(f"{name} {version}" for name, version in environment["versions"].items()),
    }
    parts = [
        "# Comparison",
        _piped(*table(result)),
        _piped(*differences(result)),
        "\n".join(f"- {note}" for note in notes(result)),
        "\n".join(f"- {name}: {value}" for name, value in made.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_files(
    result: Mapping[str, Any], out: Path, runs: list[Path], sections: Sections, *, report: bool
) -> list[str]:
    """Write the files; report.html where `report` and any of `runs` began. Returns sentences about them."""
    write_json(out / "compare.json", result)
    write_text(out / "compare.md", as_markdown(result))
    messages = [f"table: {out / 'compare.md'}, numbers: {out / 'compare.json'}"]
    begun = [run for run in runs if (run / "config.yaml").is_file()]
    if report and begun:
        try:
            messages.append(f"report: {build(begun, out / 'report.html', sections, comparison=result)}")
        except UserError as error:
            messages.append(f"No report: {error}")
    return messages


def _aligned(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    aligned = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in aligned) if rows else ""


def _piped(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in line)} |" for line in lines) if rows else ""
