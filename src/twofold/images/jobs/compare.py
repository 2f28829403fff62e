"""`compare`: several methods and seeds under one budget, each run trained and measured once, in one table and page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.images.jobs.comparison.doing import Comparison, do_all
from twofold.images.jobs.comparison.entries import Entry
from twofold.images.jobs.comparison.folder import ComparisonFolder
from twofold.images.jobs.comparison.shared import default_out, share
from twofold.images.jobs.comparison.summary import summarise
from twofold.images.jobs.comparison.written import as_text, write_files
from twofold.images.jobs.evaluate import protocols_named
from twofold.runs.environment import environment


def run(
    entries: list[Entry], given: Mapping[str, Any], training: Mapping[str, Any], measuring: Mapping[str, Any]
) -> dict[str, Any]:
    """Do what is missing, print the table, write the files; see `api.compare`. Returns what compare.json holds.

    training, measuring: what `pretrain` and `evaluate` are given where nothing is said. Raises UserError at the end
    where a run has failed.
    """
    protocols = [] if given["protocols"].strip() == "none" else protocols_named(given["protocols"])
    shared = share(entries, given, training, bool(protocols))
    protocols = protocols if shared.labelled else []
    seeds = list(range(given["first_seed"], given["first_seed"] + given["seeds"]))
    out, names = Path(given["out"] or default_out(given["data"])), [entry.name for entry in entries]
    kept = ("data", "test", "workers", "image_column", "label_column")
    asked = {**measuring, **{name: given[name] for name in kept}, "precision": shared.training["precision"]}
    folder = ComparisonFolder.open(out, shared.settings, names, seeds)
    ceiling = given["supervised"] and bool(protocols)
    comparison = Comparison(entries, seeds, protocols, shared, folder, {**asked, "quiet": True}, ceiling)
    say: Callable[[str], None] = (lambda text: None) if given["quiet"] else lambda text: print(text, flush=True)
    try:
        say(_header(comparison))
        do_all(comparison, given["minutes"], say)
        result = _result(comparison)
        print(as_text(result))
        for line in write_files(result, out, _folders(comparison), report=given["report"]):
            say(line)
    except (KeyboardInterrupt, SystemExit):
        say("Stopped; the same command goes on from there.")
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
    summary = summarise(
        comparison.folder.path,
        comparison.entries,
        comparison.seeds,
        comparison.protocols,
        comparison.failures,
        supervised=comparison.ceiling,
        batch_size=comparison.shared.training["batch_size"],
    )
    settings = comparison.shared.settings
    return {
        "about": _about(comparison),
        "labelled": bool(comparison.protocols),
        "seeds": comparison.seeds,
        **summary,
        "settings": {**settings, "steps_by_method": comparison.folder.steps},
        "environment": environment(),
    }


def _about(comparison: Comparison) -> str:
    training, shared = comparison.shared.training, comparison.shared
    key = next(key for key in ("epochs", "steps", "minutes") if shared.settings[key])
    amount = shared.settings[key]
    budget = f"{amount:,} {key.removesuffix('s') if amount == 1 else key}"
    recipe = f", recipe of {shared.settings['recipe_of']}" if shared.settings["recipe_of"] else ""
    asked = f", asked about {shared.settings['test']}" if shared.settings["test"] else ""
    return (
        f"{shared.images:,} images of {training['data']}{asked}; {training['backbone']}, {training['image_size']} px, "
        f"batch {training['batch_size']}, {budget} a run{recipe}"
    )


def _header(comparison: Comparison) -> str:
    names = ", ".join(entry.name for entry in comparison.entries)
    seeds = f"seed{'s' * (len(comparison.seeds) > 1)} {', '.join(map(str, comparison.seeds))}"
    lines = [f"{names} with {seeds} -> {comparison.folder.path}", _about(comparison)]
    if not comparison.protocols:
        lines.append("Compared without labels: by effective rank and instance retrieval.")
    return "\n".join(lines)


def _folders(comparison: Comparison) -> list[Path]:
    return [comparison.folder.path / e.folder(seed) for e in comparison.entries for seed in comparison.seeds]


def _count(comparison: Comparison) -> int:
    return len(comparison.seeds) * (len(comparison.entries) + comparison.ceiling)
