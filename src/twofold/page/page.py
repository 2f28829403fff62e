"""Runs -> one self-contained HTML page: no request leaves it, and no name in a run can become markup or script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.errors import UserError
from twofold.files import write_text
from twofold.page import facts
from twofold.page.comparison import comparison_view
from twofold.page.curves import overlay_charts
from twofold.page.ranking import ranks
from twofold.page.ranking_view import ranked_overview
from twofold.page.read import Run, read_run
from twofold.page.run_view import run_view, started, subtitle

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


def build(runs: Sequence[str | Path], out: str | Path, comparison: Mapping[str, Any] | None = None) -> Path:
    """Writes the report of `runs` (run folders) to the file `out` (into it as report.html where it is a folder).

    comparison: what `compare` wrote to compare.json about these runs; its table and plots come first.

    Returns the file written; it replaces an older one only when it is whole. Needs the extra `report`. Raises UserError
    where that is missing, no run is given, a folder is no run, or `out` cannot be written.
    """
    environment, plotly = _libraries()
    if not runs:
        raise UserError("There is nothing to report: give at least one run folder.")
    loaded = [read_run(run) for run in runs]
    names = _distinct(loaded)
    share = min(1.0, 1.5 / len(loaded))  # Several share what one and a half may have: a page too heavy is not sent.
    views = [run_view(run, index, share) | {"name": names[index]} for index, run in enumerate(loaded)]
    overview = _overview(loaded, names, share) if len(loaded) > 1 else None
    compared = comparison_view(comparison) if comparison else None
    parts = [*views, *([overview] if overview else [])]
    bars = {drawn["id"]: drawn for part in parts for drawn in part["bars"]}
    data = {
        "charts": {chart["id"]: chart for part in parts for chart in part["charts"]},
        "maps": {view["index"]: view["map"]["points"] for view in views if view["map"]},
        "dots": {plot["id"]: plot for plot in compared["dots"]} if compared else {},
        **({"bars": bars} if bars else {}),
    }
    scripts = [(_HERE / "errors.js").read_text("utf-8"), plotly]
    further = [*(["dots.js"] if compared else []), *(["bars.js"] if bars else [])]
    scripts += [(_HERE / name).read_text("utf-8") for name in ("script.js", "map.js", *further)]
    page = environment.get_template("template.html").render(
        title=compared["title"] if compared else names[0] if len(names) == 1 else f"{len(names)} runs",
        style=(_HERE / "style.css").read_text("utf-8"),
        scripts=scripts,
        hashes=[_hash(script) for script in scripts],
        runs=views,
        overview=overview,
        comparison=compared,
        data=data,
    )
    return _write(page, Path(out))


def _libraries() -> tuple[Environment, str]:
    try:
        import sklearn.manifold  # noqa: F401
        from jinja2 import Environment, FileSystemLoader
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise UserError(
            f'The report needs {error.name}, which is not installed: pip install "twofold[report]".'
        ) from error
    loader = FileSystemLoader(_HERE)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}  # The browser's JSON has no NaN.
    return environment, get_plotlyjs().replace("</script", "<\\/script")


def _hash(script: str) -> str:
    # The page's policy lets these scripts run and no other, so nothing a run's files say can.
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _distinct(runs: Sequence[Run]) -> list[str]:
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = ["/".join(run.path.resolve().parts[-2:]) for run in runs]
    return [name if names.count(name) == 1 else f"{name} ({index + 1})" for index, name in enumerate(names)]


def _overview(runs: Sequence[Run], names: Sequence[str], share: float) -> dict[str, Any]:
    """The tables of all runs, on images and on interactions, the settings in which they differ, and their curves laid
    over one another."""
    numbered = list(zip(range(len(runs)), names, runs, strict=True))
    ranking = [(index, name, run) for index, name, run in numbered if ranks(run)]
    others = [(index, name, run) for index, name, run in numbered if not ranks(run)]
    ranked = ranked_overview(ranking, share) if ranking else None
    charts = _overlaid(others, share)
    return {
        "rows": _overview_rows(others),
        "names": names,
        "ranked": ranked,
        "differences": _differences(runs),
        "charts": [*charts, *(ranked["charts"] if ranked else [])],
        "shown": charts,
        "bars": ranked["bars"] if ranked else [],
    }


def _overlaid(runs: Sequence[tuple[int, str, Run]], share: float) -> list[dict[str, Any]]:
    floors: dict[str, set[float]] = {}
    for _, _, run in runs:
        for name, value in facts.knn(run, online=True)[1].items():
            floors.setdefault(name, set()).add(round(value, 4))
    # A floor holds for one data set: it is drawn only where all runs that measured it agree.
    shared = {name: values.pop() for name, values in floors.items() if len(values) == 1}
    charts = overlay_charts({name: run.metrics for _, name, run in runs}, shared, share)
    for chart in charts:
        chart["id"] = f"all-{chart['column']}"
    return charts


def _overview_rows(runs: Sequence[tuple[int, str, Run]]) -> list[dict[str, Any]]:
    measured = [facts.knn(run) for _, _, run in runs]
    best = max((score for score, _ in measured if score is not None), default=None)
    rows = []
    for (index, name, run), (score, floors) in zip(runs, measured, strict=True):
        speed, seconds = facts.median(run, "images_per_second"), facts.last(run.metrics, "seconds")
        loss, spread, rank = (facts.last(run.metrics, column) for column in ("loss", "spread", "effective_rank"))
        rows.append(
            {
                "index": index,
                "name": name,
                "subtitle": subtitle(run),
                "started": started(run),
                "outcome": facts.outcome(run),
                "collapse": facts.collapse(run),
                "knn": "—" if score is None else facts.percent(score),
                "best": score is not None and score == best,
                "gain": facts.against(score, "its floor", max(floors.values())) if score is not None and floors else "",
                "loss": "—" if loss is None else facts.number(loss),
                "spread": "—" if spread is None else facts.number(spread),
                "rank": "—" if rank is None else facts.number(rank),
                "speed": "—" if speed is None else facts.number(speed),
                "duration": "—" if seconds is None else facts.duration(seconds),
            }
        )
    return rows


def _differences(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    settings = [_settings(run) for run in runs]
    keys = list(dict.fromkeys(key for held in settings for key in held if key != "out"))
    table = [(key, [str(held.get(key, "—")) for held in settings]) for key in keys]
    return [(key, values) for key, values in table if len(set(values)) > 1]


def _settings(run: Run) -> dict[str, Any]:
    # Methods on interactions build on one another: dim of the one is dim of the other.
    if not ranks(run):
        return run.config
    prefix = f"method_options.{run.config.get('method')}."
    return {f"method_options.{k[len(prefix) :]}" if k.startswith(prefix) else k: v for k, v in run.config.items()}


def _write(page: str, out: Path) -> Path:
    if out.is_dir():
        out = out / "report.html"
    write_text(out, page)
    return out
