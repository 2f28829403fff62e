"""Which additions go over which bases: two steps of every pair, written down in docs/composition.md.

`TWOFOLD_WRITE_MATRIX=1 pytest tests/methods/test_matrix.py` writes that page anew.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
from pathlib import Path

import pytest
import torch

from twofold.catalog.settings import read_settings
from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.methods.build import build, load
from twofold.seam import Progress, Situation
from twofold.training.distribution import make_fabric
from twofold.training.plan import Plan
from twofold.training.step import Updates
from twofold.wings import composed

from ..control.small import GRID, PLANE, Life
from ..tiny import ADDITIONS, BASES, ON_CLIPS, SYSTEMS, additions_on, kind_of, make, net_for, together
from .small import views_of

PAGE = Path(__file__).parents[2] / "docs" / "composition.md"
BATCH, STEPS = 16, 40
SMALL, FRAMES = {"images": "cifar", "videos": "small"}, {"images": 0, "videos": 4}
AGENTS = ["rainbow", "sac"]
BASES_ON = {"images": [name for name in BASES if kind_of(name) == "images"], "videos": ON_CLIPS, "control": AGENTS}
WIDTHS = {"hidden": 32, "dim": 8, "prototypes": 40}  # of the heads, on which it does not depend what goes together
NO_TERM = ("be",)  # over a base that compares views it has none


@functools.cache
def two_steps(name: str, kind: str) -> str:
    """Why the composition is refused, or nothing where two steps of it (the 10th and 30th of 40) give gradients."""
    torch.manual_seed(0)
    if kind == "control":
        return two_updates(name)
    composition = composed(name).on(kind)
    try:
        recipe = composition.recipes[SMALL[kind]]
        narrow = {s.name: WIDTHS[s.name] for s in read_settings(composition.base) if s.name in WIDTHS}
        method, _ = build(composition, net_for(kind), Situation(64, BATCH, 1, STEPS), recipe, narrow)
    except UserError as refused:
        return str(refused)
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.01)
    for step in (10, 30):
        now = Progress(step, STEPS, step // 4, STEPS // 4)
        method.before_step(now)
        losses = method(views_of(method.view_count, BATCH, step, FRAMES[kind], method.pretext), now)
        losses.total.backward()
        optimizer.step()
        method.after_step(now)
        assert torch.isfinite(losses.total), name
        with_terms = [
            a for a in additions_on(kind) if load(ADDITIONS[a]).terms is not Addition.terms and a not in NO_TERM
        ]
        expected = {"base", *(part for part in name.split("+")[1:] if part in with_terms)}
        assert expected <= {term.partition("_")[0] for term in losses.terms}, name
    assert all(torch.isfinite(p).all() for p in method.parameters()), name
    assert next(method.student.backbone.parameters()).grad.abs().max() > 0, name
    return ""


def two_updates(name: str) -> str:
    """The same for an agent: two updates of it, in which each part has a loss."""
    try:
        agent = make(name, PLANE if name.startswith("sac") else GRID)
    except UserError as refused:
        return str(refused)
    plan = Plan(batch_size=8, steps=2, optimizer="adam", lr=1e-3, weight_decay=0.0, schedule="constant", eps=1.5e-4)
    life, updates = Life(agent), Updates(agent, plan, make_fabric(1), print)
    losses = []
    for step, drawn in enumerate(life.stream(range(2))):
        losses.append(updates(drawn.views(), Progress(step, 2), 1e-3))
        agent.after_step(Progress(step, 2))
    assert all(torch.isfinite(found.total) for found in losses), name
    assert set(name.split("+")[1:]) <= losses[0].terms.keys(), name
    return ""


def page(reasons_of: dict[str, dict[tuple[str, str], str]]) -> str:
    """The matrices as Markdown: a row a base, a column an addition; reasons below them."""
    lines = [
        "# What composes with what",
        "",
        "Made by `tests/methods/test_matrix.py`, which builds every base with every addition, and with every two of",
        "them (on videos only those that images lack), and trains two steps: *yes* works, a number is the reason for",
        "which it is refused (below). Two additions go over a base exactly where each goes over it alone. Three and",
        "more: order in the name is order of application, and additions do not know each other.",
    ]
    reasons: list[str] = []
    for kind, single in reasons_of.items():
        lines += ["", f"On {kind}:", "", "| | " + " | ".join(f"+{a}" for a in additions_on(kind)) + " |"]
        lines.append("|---" * (len(additions_on(kind)) + 1) + "|")
        for base in BASES_ON[kind]:
            cells = [_cell(base, single[base, addition], reasons) for addition in additions_on(kind)]
            lines.append(f"| `{base}` | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"{i}. {reason}" for i, reason in enumerate(reasons, 1))]) + "\n"


def _cell(base: str, reason: str, reasons: list[str]) -> str:
    """yes, or the number of the reason, which is the same one for several bases."""
    if not reason:
        return "yes"
    reason = re.sub(rf"\b{load(SYSTEMS[base].base).__name__}\b", "the base", reason)
    if reason not in reasons:
        reasons.append(reason)
    return f"[{reasons.index(reason) + 1}]"


def test_every_base_with_every_addition_is_as_the_page_says():
    found = {
        kind: {(b, a): two_steps(f"{b}+{a}", kind) for b, a in itertools.product(bases, additions_on(kind))}
        for kind, bases in BASES_ON.items()
    }
    written = page(found)
    if os.environ.get("TWOFOLD_WRITE_MATRIX"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, (
        "run TWOFOLD_WRITE_MATRIX=1 python -m pytest tests/methods/test_matrix.py"
    )


PLACES = [(base, kind) for kind, bases in BASES_ON.items() for base in bases]


@pytest.mark.parametrize(("base", "kind"), PLACES)
def test_two_additions_go_where_each_goes_alone(base, kind):
    works = {addition: two_steps(f"{base}+{addition}", kind) == "" for addition in additions_on(kind)}
    pairs = itertools.combinations(works, 2)
    if kind != "images" and base in BASES_ON["images"]:  # pairs that images have, too, are tried on them
        pairs = (pair for pair in pairs if not set(pair) <= set(additions_on("images")))
    for number, pair in enumerate(pairs):
        first, second = pair if number % 2 else pair[::-1]
        both = two_steps(f"{base}+{first}+{second}", kind) == ""
        assert both == (works[first] and works[second]), (base, first, second)


@pytest.mark.parametrize(("base", "kind"), PLACES)
def test_all_that_go_over_a_base_go_together(base, kind):
    every = together(base, kind=kind) if kind != "control" else "+".join([base, *works_over(base)])
    assert two_steps(every, kind) == ""


def works_over(agent: str) -> list[str]:
    """The additions that an agent takes."""
    return [addition for addition in additions_on("control") if not two_steps(f"{agent}+{addition}", "control")]
