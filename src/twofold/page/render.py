"""Templates, styles and scripts put together; the page's policy lets its own scripts run and no other."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.errors import UserError
from twofold.page.overview import Overview
from twofold.page.run_view import RunView
from twofold.page.sections import Section, Sections

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


class Renderer:
    """Fills the page's templates, and those of wings. Raises UserError where the extra `report` is missing."""

    def __init__(self) -> None:
        try:
            import sklearn.manifold  # noqa: F401
            from jinja2 import Environment  # noqa: F401
            from plotly.offline import get_plotlyjs
        except ImportError as error:
            raise UserError(
                f'The report needs {error.name}, which is not installed: pip install "twofold[report]".'
            ) from error
        self.plotly = get_plotlyjs().replace("</script", "<\\/script")

    def page(self, *, wings: Sequence[Sections], comparison: Any, **context: Any) -> str:
        """The whole page, with the styles and scripts of the wings that it shows."""
        shown = list({wing.name: wing for wing in wings}.values())
        further = [_HERE / "dots.js"] if comparison else []
        files = [_HERE / "script.js", *(script for wing in shown for script in wing.scripts), *further]
        scripts = [_text(_HERE / "errors.js"), self.plotly, *map(_text, dict.fromkeys(files))]
        styles = [_HERE / "style.css", *(wing.style for wing in shown if wing.style)]
        drawn = ["curves", *(wing.drawn for wing in shown if wing.drawn)]
        return (
            _environment(None)
            .get_template("template.html")
            .render(
                style="".join(map(_text, styles)),
                scripts=scripts,
                hashes=[_hash(script) for script in scripts],
                drawn=" and the ".join(dict.fromkeys(drawn)),
                comparison=comparison,
                **context,
            )
        )

    def run(self, view: RunView, wing: Sections, level: int) -> RunView:
        """The view of a run with its sections filled in, their headings at `level`."""
        return replace(view, sections=[self._filled(section, wing, view.index, level) for section in view.sections])

    def overview(self, overview: Overview) -> Overview:
        """The overview with its sections filled in."""
        groups = [
            replace(group, sections=[self._filled(section, group.wing, None, 2) for section in group.sections])
            for group in overview.groups
        ]
        return replace(overview, groups=groups)

    def _filled(self, section: Section, wing: Sections, index: int | None, level: int) -> Section:
        from markupsafe import Markup

        template = _environment(wing.html).get_template(section.template)
        return replace(section, html=Markup(template.render(content=section.content, index=index, level=level)))


@functools.cache
def _environment(folder: Path | None) -> Environment:
    """Where templates are looked for: the page's own, then a wing's."""
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader([_HERE, *([folder] if folder else [])])
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.policies["json.dumps_kwargs"] = {"allow_nan": False}  # The browser's JSON has no NaN.
    return made


def _text(file: Path) -> str:
    return file.read_text("utf-8")


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
