"""All that the page shows of one run, ready for the template; what is missing is said in a sentence."""

from __future__ import annotations

from typing import Any

from twofold.page import facts
from twofold.page.curves import run_charts
from twofold.page.gallery import gallery_view
from twofold.page.ranking import ranks
from twofold.page.ranking_view import ranking_view
from twofold.page.read import Run
from twofold.page.sprites import picture
from twofold.catalog import reconstructed

_SHOWN_UNREADABLE, _SHOWN_LOG = 200, 200
_VIEW_ROWS, _VIEWS, _VIEW_SIDE = 8, 6, 112


def run_view(run: Run, index: int, share: float) -> dict[str, Any]:
    """The template's context of `run`, the page's `index`-th; in a page where each run may have `share`
    (0..1] of the points and pictures of a page of its own.

    `charts` and `map.points` are the parts that the script draws; all else is words, numbers and picture addresses.
    """
    view: dict[str, Any] = {
        "index": index,
        "name": run.name,
        "subtitle": subtitle(run),
        "started": started(run),
        "outcome": facts.outcome(run),
        "notes": run.notes,
        "config": [(key, _setting(value)) for key, value in run.config.items()],
        "environment": [(key, _setting(value)) for key, value in run.environment.items()],
        "log": run.log[-_SHOWN_LOG:],
        "unreadable": run.unreadable[:_SHOWN_UNREADABLE],
        "unreadable_count": len(run.unreadable),
    }
    return view | (ranking_view(run, index, share) if ranks(run) else _image_view(run, index, share))


def _image_view(run: Run, index: int, share: float) -> dict[str, Any]:
    floors = facts.knn(run, online=True)[1]
    charts = run_charts(run.metrics, floors, share)
    for chart in charts:
        chart["id"] = f"run{index}-{chart['column']}"
    view = {
        "ranked": None,
        "collapse": facts.collapse(run),
        "gain": facts.gain(run),
        "tiles": _tiles(run),
        "charts": charts,
        "shown": charts,
        "folded": [],
        "bars": [],
        "unmeasured": _unmeasured(run, charts, floors),
        "evaluation": facts.evaluation_rows(run),
        "views": _views(run, share),
    }
    return view | gallery_view(run.gallery, share)


def subtitle(run: Run) -> str:
    """Method, data and scale of the run, as far as the settings name them."""
    config = run.config
    counts = [(run.environment.get(what), what) for what in ("images", "pairs")]
    early = "up to " if ranks(run) and config.get("patience") else ""
    scale = [
        *(f"{count:,} {what}" for count, what in counts if facts.is_value(count)),
        str(config["backbone"]) if config.get("backbone") else "",
        f"{config['image_size']} px" if config.get("image_size") else "",
        next((f"{early}{config[key]} {key}" for key in ("epochs", "steps") if config.get(key)), ""),
        f"batch {config['batch_size']}" if config.get("batch_size") else "",
    ]
    method = str(config.get("method", "unnamed method"))
    head = f"{method}{reconstructed(method)} on {config.get('data', 'unnamed data')}"
    return " · ".join([head, *(part for part in scale if part)])


def started(run: Run) -> str:
    """When the run was started as its environment tells, or else when its settings were written."""
    told = next((str(run.environment[key]) for key in ("started", "date", "time") if run.environment.get(key)), None)
    return (told or run.written.isoformat(sep=" ", timespec="minutes"))[:16].replace("T", " ")


def _tiles(run: Run) -> list[dict[str, str]]:
    tiles = []
    knn, floors = facts.knn(run)
    if knn is not None:
        best = max(floors, key=lambda name: floors[name], default=None)
        beside = facts.against(knn, best, floors[best]) if best else "no floor was measured"
        tiles.append({"label": "kNN accuracy", "value": facts.percent(knn), "beside": beside})
    for column, label, beside in (
        ("loss", "Last loss", "the total"),
        ("spread", "Spread", "1 is healthy"),
        ("effective_rank", "Effective rank", "directions in use"),
    ):
        value = facts.last(run.metrics, column)
        if value is not None:
            tiles.append({"label": label, "value": facts.number(value), "beside": beside})
    speed, wait, seconds = (
        facts.median(run, "images_per_second"),
        facts.median(run, "wait_share"),
        facts.last(run.metrics, "seconds"),
    )
    if speed is not None:
        waited = f"{facts.percent(wait)} waiting for data" if wait is not None else "median over the run"
        tiles.append({"label": "Images a second", "value": facts.number(speed), "beside": waited})
    if seconds is not None:
        step = facts.last(run.metrics, "step") or 0
        tiles.append({"label": "Duration", "value": facts.duration(seconds), "beside": f"{step:,.0f} steps"})
    return tiles


def _unmeasured(run: Run, charts: list[dict[str, Any]], floors: dict[str, float]) -> list[str]:
    drawn = {chart["column"] for chart in charts}
    if not run.metrics:
        return ["No metrics were logged: there are no curves to draw."]
    labelled = run.gallery is not None and run.gallery.labels is not None
    said = {
        "loss": "The loss was not logged.",
        "knn": "kNN was not measured in this run." if labelled else "No labels: kNN was not measured.",
        "spread": "The feature spread was not logged.",
        "effective_rank": "The effective rank was not logged.",
        "lr": "The learning rate was not logged.",
        "images_per_second": "The speed was not logged.",
        "wait_share": "The share of time spent waiting for data was not logged.",
    }
    lines = [sentence for column, sentence in said.items() if column not in drawn]
    if "knn" in drawn and not floors:
        lines.append("No kNN floors (pixels, random network) were measured to hold the curve against.")
    return lines


def _setting(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "—"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _views(run: Run, share: float) -> list[dict[str, Any]]:
    if run.views is None:
        return []
    rows = max(3, round(share * _VIEW_ROWS))
    return [
        {
            "name": run.views.names[row],
            "source": picture(run.views.sources[row], _VIEW_SIDE),
            "views": [picture(view, _VIEW_SIDE) for view in run.views.views[row][:_VIEWS]],
        }
        for row in range(min(rows, len(run.views.sources)))
    ]
