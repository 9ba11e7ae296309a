"""The plot of seconds over children, both axes logarithmic, as SVG by hand."""

from __future__ import annotations

import math
from typing import Any

from tests.benchmarks.ours import total
from tests.benchmarks.report import notes_total

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 76, 148, 58, 56
NOTES, OURS, INK, GRID = "#c2410c", "#1d4ed8", "#1f2937", "#e5e7eb"
Point = tuple[float, float]


def plot(sizes: list[dict[str, Any]]) -> str:
    """The notes' way and ours; a hollow point is one that was sampled."""
    ours = [(size["children"], total(size["ours"])) for size in sizes]
    full = [size for size in sizes if "notes" in size]
    notes = [(size["children"], notes_total(size["notes"])) for size in full]
    sampled = {
        size["children"] for size in full if size["notes"]["moved"] < size["notes"]["children"]
    }
    scale = _Scale(
        x=(min(x for x, _ in ours) * 0.8, max(x for x, _ in ours) * 1.25),
        y=(
            10 ** math.floor(math.log10(min(y for _, y in ours))),
            10 ** math.ceil(math.log10(max(y for _, y in [*ours, *notes]))),
        ),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13">',
        "<title>Seconds to convert a page, by the number of its children</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>',
        _text(LEFT, 30, "Converting a page with many children", size=16, weight=600),
        *_axes(scale, [x for x, _ in ours]),
        *_line(scale, notes, NOTES, hollow=sampled),
        *_line(scale, ours, OURS),
    ]
    for x, y in notes:
        parts.append(_beside(scale, (x, y), -12, _spoken(y), NOTES))
    for x, y in ours:
        parts.append(_beside(scale, (x, y), 22, _spoken(y), OURS))
    by_size = dict(ours)
    if notes:
        x, y = notes[-1]
        parts += _gap(scale, x, y, by_size[x])
        parts.append(_label(scale, (x, y), "the notes' way", NOTES))
    parts += [_label(scale, ours[-1], "wagtail-remodel", OURS), "</svg>"]
    return "\n".join(parts) + "\n"


class _Scale:
    """Positions of values on both axes."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = x, y

    def at(self, point: Point) -> Point:
        across = _share(point[0], self.x) * (WIDTH - LEFT - RIGHT)
        up = _share(point[1], self.y) * (HEIGHT - TOP - BOTTOM)
        return LEFT + across, HEIGHT - BOTTOM - up


def _share(value: float, limits: tuple[float, float]) -> float:
    low, high = (math.log10(limit) for limit in limits)
    return (math.log10(value) - low) / (high - low)


def _axes(scale: _Scale, sizes: list[int]) -> list[str]:
    parts = []
    power = math.log10(scale.y[0])
    while power <= math.log10(scale.y[1]) + 1e-9:
        value = 10**power
        _, y = scale.at((scale.x[0], value))
        parts.append(_stroke(LEFT, y, WIDTH - RIGHT, y, GRID))
        parts.append(_text(LEFT - 10, y + 4, f"{value:g} s", anchor="end"))
        power += 1
    for size in sizes:
        x, _ = scale.at((size, scale.y[0]))
        parts.append(_stroke(x, TOP, x, HEIGHT - BOTTOM, GRID))
        parts.append(_text(x, HEIGHT - BOTTOM + 20, f"{size:,}", anchor="middle"))
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 14, "children (both axes logarithmic)", anchor="middle"))
    return parts


def _line(
    scale: _Scale,
    points: list[Point],
    colour: str,
    hollow: set[float] = frozenset(),  # type: ignore[assignment]
) -> list[str]:
    at = [scale.at(point) for point in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>']
    for (value, _), (x, y) in zip(points, at, strict=True):
        fill = "#ffffff" if value in hollow else colour
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="{colour}" '
            'stroke-width="2.5"/>'
        )
    return parts


def _gap(scale: _Scale, size: float, above: float, below: float) -> list[str]:
    """How many times faster, between the two points of a size."""
    x, top = scale.at((size, above))
    _, bottom = scale.at((size, below))
    return [
        f'<line x1="{x:.1f}" y1="{top + 9:.1f}" x2="{x:.1f}" y2="{bottom - 9:.1f}" '
        f'stroke="{INK}" stroke-dasharray="3 4"/>',
        _text(x + 10, (top + bottom) / 2, f"{above / below:,.0f} times", size=15, weight=600),
    ]


def _beside(scale: _Scale, point: Point, down: float, text: str, colour: str) -> str:
    x, y = scale.at(point)
    return _text(x, y + down, text, anchor="middle", colour=colour)


def _label(scale: _Scale, point: Point, text: str, colour: str) -> str:
    x, y = scale.at(point)
    return _text(x + 14, y + 5, text, colour=colour, weight=600)


def _spoken(seconds: float) -> str:
    if seconds >= 600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: int = 13,
    weight: int = 400,
) -> str:
    said = text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{said}</text>'
    )
