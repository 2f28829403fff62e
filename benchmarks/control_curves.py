"""control_curves.py COMPARISON --out FILE.svg: return over decisions, a line a method, thin lines its seeds.

COMPARISON: the folder of `twofold compare` over agents; a run's evaluations are those of its episodes.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from twofold.control.acting.episodes import read_episodes

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 700, 320, 50, 20, 230, 45
COLOURS = ("#2563eb", "#dc2626", "#059669", "#7c3aed", "#d97706")

Curve = dict[int, float]


def curves(folder: Path) -> dict[str, list[Curve]]:
    """Of each method the curves of its seeds that have come to the end of the longest."""
    found: dict[str, list[Curve]] = {}
    for run in sorted(path.parent for path in folder.glob("*/episodes.csv")):
        scores: dict[int, list[float]] = {}
        for row in read_episodes(run):
            scores.setdefault(row.decisions, []).append(row.score)
        curve = {at: float(np.mean(values)) for at, values in scores.items()}
        found.setdefault(run.name.rpartition("-seed")[0], []).append(curve)
    last = max(max(curve) for known in found.values() for curve in known)
    return {name: [curve for curve in known if last in curve] for name, known in found.items()}


def svg(found: dict[str, list[Curve]]) -> str:
    """The plot."""
    values = [value for known in found.values() for curve in known for value in curve.values()]
    low, high = min(values), max(values)
    right = max(at for known in found.values() for curve in known for at in curve)

    def place(at: float, value: float) -> str:
        across = LEFT + (WIDTH - LEFT - RIGHT) * at / right
        return f"{across:.1f} {TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low):.1f}"

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        y = float(place(0, value).split()[1])
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    for share in (0, 0.5, 1):
        x = float(place(share * right, low).split()[0])
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 25}" text-anchor="middle">{share * right:,.0f}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">decisions; mean return of evaluations, thin: single seeds</text>')
    ends = {name: np.mean([curve[max(curve)] for curve in known]) for name, known in found.items()}
    rows = {name: row for row, name in enumerate(sorted(ends, key=lambda name: -ends[name]))}
    for (name, known), colour in zip(found.items(), COLOURS, strict=False):
        mean = {at: float(np.mean([curve[at] for curve in known])) for at in known[0]}
        for curve, width in [*((curve, 0.6) for curve in known), (mean, 2.5)]:
            path = "L".join(place(at, value) for at, value in sorted(curve.items()))
            parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        y = TOP + 14 + 18 * rows[name]
        parts.append(f'<text x="{WIDTH - RIGHT + 14}" y="{y}" fill="{colour}">{name} ({len(known)})</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="#374151">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.write_text(svg(curves(options.comparison)))


if __name__ == "__main__":
    main()
