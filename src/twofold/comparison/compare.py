"""Doing what is missing of a comparison, and its table, files and page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twofold.catalog.options import Compare
from twofold.comparison.bench import Bench
from twofold.comparison.doing import Comparison, do_all
from twofold.comparison.entries import Entry
from twofold.comparison.folder import ComparisonFolder, default_folder
from twofold.comparison.summary import summarise
from twofold.comparison.written import as_text, write_files
from twofold.errors import UserError
from twofold.printable import say
from twofold.runs.environment import environment


def compare(entries: list[Entry], bench: Bench, data: str, options: Compare) -> dict[str, Any]:
    """Do what is missing, print the table, write the files; see `api.compare`. Returns what compare.json holds.

    Raises UserError at the end where a run has failed.
    """
    out = Path(options.out) if options.out else default_folder(data)
    seeds = list(range(options.first_seed, options.first_seed + options.seeds))
    folder = ComparisonFolder.open(out, bench.settings, [entry.name for entry in entries], seeds)
    comparison = Comparison(entries, seeds, bench, folder)
    tell: Callable[[str], None] = (lambda text: None) if options.quiet else say
    try:
        tell(_header(comparison))
        do_all(comparison, options.minutes, tell)
        result = _result(comparison)
        say(as_text(result))
        for line in write_files(result, out, _folders(comparison), bench.sections, report=options.report):
            tell(line)
    except (KeyboardInterrupt, SystemExit):
        tell("Stopped; the same command goes on from there.")
        raise
    finally:
        folder.close()
    if comparison.failures:
        (name, seed), reason = next(iter(comparison.failures.items()))
        raise UserError(
            f"{len(comparison.failures)} of {_count(comparison)} runs failed; {name}, seed {seed}: {reason}"
        )
    return result


def _result(comparison: Comparison) -> dict[str, Any]:
    bench = comparison.bench
    return {
        "about": _about(comparison),
        "seeds": comparison.seeds,
        "notes": list(bench.notes),
        **summarise(comparison),
        "settings": {**bench.settings, "steps_by_method": comparison.folder.steps},
        "environment": environment(),
    }


def _about(comparison: Comparison) -> str:
    settings = comparison.bench.settings
    key = next((key for key in ("epochs", "steps", "minutes") if settings[key]), None)
    budget = ""
    if key:
        amount = settings[key]
        budget = f", {amount:,} {key.removesuffix('s') if amount == 1 else key} a run"
    recipe = f", recipe of {settings['recipe_of']}" if settings["recipe_of"] else ""
    return f"{comparison.bench.about}{budget}{recipe}"


def _header(comparison: Comparison) -> str:
    names = ", ".join(entry.name for entry in comparison.entries)
    seeds = f"seed{'s' if len(comparison.seeds) > 1 else ''} {', '.join(map(str, comparison.seeds))}"
    return f"{names} with {seeds} -> {comparison.folder.path}\n{_about(comparison)}"


def _folders(comparison: Comparison) -> list[Path]:
    return [comparison.folder.path / e.folder(seed) for e in comparison.entries for seed in comparison.seeds]


def _count(comparison: Comparison) -> int:
    return len(comparison.seeds) * (len(comparison.entries) + (1 if comparison.bench.ceiling else 0))
