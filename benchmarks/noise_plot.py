"""noise_plot.py FOLDER... --out FILE.svg: Recall@20 by the share of random training pairs, a line a method.

FOLDERs hold the JSON files of recommendation.py; a method's name without noise=... is its line, its mean over seeds a
point with the 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from twofold.evaluation.intervals import mean_interval

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 320, 60, 20, 150, 45
COLOURS = ("#2563eb", "#dc2626", "#059669", "#7c3aed", "#d97706")
METRIC = "recall@20"


def lines(folders: list[Path]) -> dict[str, dict[float, list[float]]]:
    """Of each method and floor the values of the seeds, by share of noise in per cent."""
    found: dict[str, dict[float, list[float]]] = {}
    for file in sorted(file for folder in folders for file in folder.glob("*.json")):
        stored = json.loads(file.read_text())
        noise = 100 * float((re.search(r"noise=([\d.]+)", stored["method"]) or [0, 0])[1])
        method = re.sub(r",?noise=[\d.]+", "", stored["method"]).replace("[]", "")
        for row in stored["results"]:
            if (row["protocol"], row["metric"]) == ("ranking", METRIC) and row["name"] != "popularity":
                name = row["name"] if row["floor"] else method
                found.setdefault(name, {}).setdefault(noise, []).append(row["value"])
    return {name: dict(sorted(points.items())) for name, points in found.items() if len(points) > 1}


def svg(found: dict[str, dict[float, list[float]]]) -> str:
    """The plot."""
    bands = {name: {x: mean_interval(ys) for x, ys in points.items()} for name, points in found.items()}
    edges = [
        mean + sign * (half or 0) for points in bands.values() for mean, half in points.values() for sign in (-1, 1)
    ]
    low, high = min(edges), max(edges)
    right = max(x for points in bands.values() for x in points)

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / right
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        _, y = place(0, value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    for x in sorted({x for points in bands.values() for x in points}):
        parts.append(f'<text x="{place(x, low)[0]:.1f}" y="{HEIGHT - 25}" text-anchor="middle">{x:g}</text>')
    parts.append(
        f'<text x="{LEFT}" y="{HEIGHT - 6}">random pairs, % of the training pairs; {METRIC}, mean and 95 %</text>'
    )
    for (name, points), colour in zip(bands.items(), COLOURS, strict=False):
        spots = [(place(x, mean), place(x, mean + (half or 0))[1], place(x, mean - (half or 0))[1])
                 for x, (mean, half) in points.items()]  # fmt: skip
        path = "L".join(f"{x:.1f} {y:.1f}" for (x, y), _, _ in spots)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), upper, lower in spots:
            parts.append(f'<path d="M{x:.1f} {upper:.1f}V{lower:.1f}" stroke="{colour}"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        (x, y), _, _ = spots[-1]
        parts.append(f'<text x="{x + 10:.1f}" y="{y + 4:.1f}" fill="{colour}">{name}</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="#374151">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.write_text(svg(lines(options.folders)))


if __name__ == "__main__":
    main()
