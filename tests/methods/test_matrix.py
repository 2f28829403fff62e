"""Which additions go over which bases: two steps of every pair, written down in docs/composition.md.

`TWOFOLD_WRITE_MATRIX=1 pytest tests/methods/test_matrix.py` writes that page anew.
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import pytest
import torch

from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.methods.build import build, load
from twofold.seam import Progress, Situation
from twofold.wings import composed

from ..tiny import ADDITIONS, BASES, SYSTEMS, together
from .small import Tiny, views_of

PAGE = Path(__file__).parents[2] / "docs" / "composition.md"
BATCH, STEPS = 16, 40


def two_steps(name: str) -> str:
    """Why the composition is refused, or nothing where two steps of it (the 10th and 30th of 40) give gradients."""
    torch.manual_seed(0)
    composition = composed(name).on("images")
    try:
        method, _ = build(composition, Tiny(), Situation(64, BATCH, 1, STEPS), composition.recipes["cifar"], {})
    except UserError as refused:
        return str(refused)
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.01)
    for step in (10, 30):
        now = Progress(step, STEPS, step // 4, STEPS // 4)
        method.before_step(now)
        losses = method(views_of(method.view_count, BATCH, step), now)
        losses.total.backward()
        optimizer.step()
        method.after_step(now)
        assert torch.isfinite(losses.total), name
        with_terms = [a for a in ADDITIONS if load(ADDITIONS[a]).terms is not Addition.terms]
        expected = {"base", *(part for part in name.split("+")[1:] if part in with_terms)}
        assert expected <= losses.terms.keys(), name
    assert all(torch.isfinite(p).all() for p in method.parameters()), name
    assert method.student.backbone.conv.weight.grad.abs().max() > 0, name
    return ""


def page(single: dict[tuple[str, str], str]) -> str:
    """The matrix as Markdown: a row a base, a column an addition; reasons below it."""
    # The same reason for several bases is one reason.
    single = {
        (base, addition): re.sub(rf"\b{load(SYSTEMS[base].base).__name__}\b", "the base", reason)
        for (base, addition), reason in single.items()
    }
    reasons = list(dict.fromkeys(reason for reason in single.values() if reason))
    lines = [
        "# What composes with what",
        "",
        "Made by `tests/methods/test_matrix.py`, which builds every base with every addition, and with every two of",
        "them, and trains two steps: *yes* works, a number is the reason for which it is refused (below). Two",
        "additions go over a base exactly where each goes over it alone. Three and more: order in the name is order",
        "of application, and additions do not know each other.",
        "",
        "| | " + " | ".join(f"+{addition}" for addition in ADDITIONS) + " |",
        "|---" * (len(ADDITIONS) + 1) + "|",
    ]
    for base in BASES:
        cells = [f"[{reasons.index(r) + 1}]" if (r := single[base, addition]) else "yes" for addition in ADDITIONS]
        lines.append(f"| `{base}` | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"{i}. {reason}" for i, reason in enumerate(reasons, 1))]) + "\n"


def test_every_base_with_every_addition_is_as_the_page_says():
    written = page({(b, a): two_steps(f"{b}+{a}") for b, a in itertools.product(BASES, ADDITIONS)})
    if os.environ.get("TWOFOLD_WRITE_MATRIX"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, (
        "run TWOFOLD_WRITE_MATRIX=1 python -m pytest tests/methods/test_matrix.py"
    )


@pytest.mark.parametrize("base", BASES)
def test_two_additions_go_where_each_goes_alone(base):
    works = {addition: two_steps(f"{base}+{addition}") == "" for addition in ADDITIONS}
    for number, pair in enumerate(itertools.combinations(ADDITIONS, 2)):
        first, second = pair if number % 2 else pair[::-1]
        assert (two_steps(f"{base}+{first}+{second}") == "") == (works[first] and works[second]), (base, first, second)


@pytest.mark.parametrize("base", BASES)
def test_all_that_go_over_a_base_go_together(base):
    assert two_steps(together(base)) == ""
