"""Draw the figures in benchmarks/results/ as pictures for docs/performance.md, one line for each kind of work.

    python benchmarks/curves.py

Of several results with the same number of memories, the newest counts. Both axes are logarithmic: work that takes the same
time for any number of memories is a horizontal line, and work that takes time in proportion rises by one square for each.
"""

from __future__ import annotations

import json
import math

from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple


HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results"
PICTURES: Final = HERE.parent / "docs" / "images"

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 300, 40, 50
COLORS: Final = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b")


class Picture(NamedTuple):
    """A picture: its file, title, unit, and the names of the figures that it shows."""

    file: str
    title: str
    unit: str
    figures: dict[str, str]


CHOSEN: Final = (
    Picture(
        "waits.svg",
        "What a user waits for",
        "ms",
        {
            "run of 100 memories, CPU": "export of 100 memories",
            "page of user A or user B, with the count, CPU": "page of two users",
            "slowest other page of 200, CPU": "any page of 200",
            "slowest other page of 100 entities, CPU": "any page of 100 entities",
            "first page of 200 of all memories, with the count, CPU": "first page, with the count",
            'count of metadata["team"] == "red", CPU': "filter without an index",
        },
    ),
    Picture(
        "ratios.svg",
        "Import and list exports, to plain sqlite3",
        "x",
        {
            "import, to a raw executemany": "import",
            "export, own fields, to a raw read": "export, own fields",
            "export, validated, to a raw read": "export, validated",
            "export, with gaps, to a raw read": "export, a third lacks a value",
        },
    ),
    Picture(
        "memory.svg",
        "Peak memory of a process",
        "MB",
        {
            "import, peak memory": "import",
            "export, own fields, peak memory": "list export",
            "listing, peak memory": "lists",
        },
    ),
)


def newest() -> dict[int, dict[str, Any]]:
    """Return the newest figures for each number of memories."""
    found: dict[int, dict[str, Any]] = {}
    for path in sorted(RESULTS.glob("*.json")):  # the names begin with the date
        document = json.loads(path.read_text())
        found[document["memories"]] = document["figures"]
    return dict(sorted(found.items()))


def drawn(picture: Picture, results: dict[int, dict[str, Any]]) -> str:
    """Return a picture as SVG."""
    lines = {
        label: [(count, figures[name]["value"]) for count, figures in results.items() if name in figures]
        for name, label in picture.figures.items()
    }
    values = [value for points in lines.values() for _, value in points]
    low, high = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
    first, last = (math.log10(min(results)), math.log10(max(results)))

    def x(count: float) -> float:
        return LEFT + (math.log10(count) - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - low) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM)

    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="16">{escape(picture.title)}</text>',
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        svg.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        svg.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power:g} {picture.unit}</text>')
    for count in results:
        svg.append(f'<line x1="{x(count):.1f}" x2="{x(count):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        svg.append(f'<text x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{count:,}</text>')
    svg.append(f'<text x="{LEFT}" y="{HEIGHT - 10}" fill="#666">memories</text>')
    # The labels stand beside the ends of their lines, moved apart where these are close together.
    ends = sorted(((y(points[-1][1]), label) for label, points in lines.items() if points), reverse=True)
    places: dict[str, float] = {}
    lowest = HEIGHT - BOTTOM + 4.0
    for at, label in ends:
        places[label] = lowest = min(at + 4, lowest)
        lowest -= 16
    for color, (label, points) in zip(COLORS, lines.items(), strict=False):
        path = " ".join(f"{x(count):.1f},{y(value):.1f}" for count, value in points)
        svg.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        svg += [f'<circle cx="{x(count):.1f}" cy="{y(value):.1f}" r="3" fill="{color}"/>' for count, value in points]
        text = f"{label}: {points[-1][1]:.3g} {picture.unit}"
        svg.append(f'<text x="{WIDTH - RIGHT + 10}" y="{places[label]:.1f}" fill="{color}">{escape(text)}</text>')
    return "\n".join([*svg, "</svg>", ""])


def main() -> None:
    """Draw all pictures."""
    results = newest()
    PICTURES.mkdir(exist_ok=True)
    for picture in CHOSEN:
        (PICTURES / picture.file).write_text(drawn(picture, results), encoding="utf-8")
        print(f"docs/images/{picture.file}")


if __name__ == "__main__":
    main()
