"""The charts of the page, from the facts. Colours are classes of page.css (s0 to s7, kept, dropped), so they follow light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from dashboards import human
from dashboards.model import Funnel, Histogram, Step
from dashboards.svg import drawing, el, line, polygon, rect, text

#: Pieces of a whole: name, colour class, fraction.
Parts = Sequence[tuple[str, str, float]]

#: Width in user units of a chart in a card: about a phone's, so that its texts are never scaled down there.
CARD = 340.0
#: Width of a chart that takes the whole column.
WIDE = 720.0


def funnel(found: Funnel, colour: str) -> Markup:
    """One row per step, its bar as wide as documents are left; slopes between the rows show what was lost."""
    left, room, row, tall = 84.0, 150.0, 34.0, 20.0
    known = [(step, step.documents) for step in found.steps if step.documents is not None]
    most = max([documents for _, documents in known], default=0) or 1
    widths = [room * documents / most for _, documents in known]
    shapes: list[Markup] = []
    for index, (upper, lower) in enumerate(pairwise(widths)):
        top, bottom = index * row + tall, (index + 1) * row
        shapes.append(polygon([(left, top), (left + upper, top), (left + lower, bottom), (left, bottom)], f"{colour} slope"))
    for index, ((step, documents), width) in enumerate(zip(known, widths, strict=True)):
        y = index * row
        shapes += [
            text(left - 8, y + 14, step.name, anchor="end"),
            rect(left, y, max(width, 1.5 if documents else 0), tall, colour, _step_title(step), rx=2),
            text(left + room + 10, y + 14, human.count(documents), class_="n"),
            text(CARD - 2, y + 14, human.share(documents / known[0][1] if known[0][1] else None), anchor="end", class_="dim n"),
        ]
    return drawing(CARD, max(len(known) * row - 10, 1), f"{found.source}: documents left after each step", *shapes)


def _step_title(step: Step) -> str:
    units = (("documents", step.documents), ("bytes of text", step.bytes), ("tokens", step.tokens))
    return f"{step.name}: " + ", ".join(f"{number:,} {unit}" for unit, number in units if number is not None)


def histogram(found: Histogram) -> Markup:
    """Kept documents below, dropped ones stacked on them, a dashed line at each bound."""
    top, floor, left, right = 22.0, 112.0, 4.0, CARD - 4
    wide = (right - left) / len(found.kept)
    scale = (floor - top) / (max(k + d for k, d in zip(found.kept, found.dropped, strict=True)) or 1)
    shapes = [line(left, floor, right, floor, "axis")]
    for index, (kept, dropped) in enumerate(zip(found.kept, found.dropped, strict=True)):
        x, low = left + index * wide + 0.5, floor - kept * scale
        title = f"{human.mark(found.edges[index])} to {human.mark(found.edges[index + 1])}: {kept:,} kept, {dropped:,} dropped"
        shapes += [rect(x, low, max(wide - 1, 0.8), kept * scale, "kept", title)] if kept else []
        shapes += [rect(x, low - dropped * scale, max(wide - 1, 0.8), dropped * scale, "dropped", title)] if dropped else []
    for key, bound in found.bounds:
        x = left + (right - left) * float(np.interp(bound, found.edges, np.linspace(0, 1, len(found.edges))))
        shapes += _bound(x, top - 8, floor, f"{key} {human.mark(bound)}")
    for place, edge, anchor in ((left, 0, "start"), ((left + right) / 2, len(found.edges) // 2, "middle"), (right, -1, "end")):
        shapes.append(text(place, floor + 15, human.mark(found.edges[edge]), anchor=anchor, class_="dim n"))
    return drawing(CARD, floor + 22, f"{found.source}: {found.name}, documents kept and dropped", *shapes)


def _bound(x: float, top: float, floor: float, label: str) -> list[Markup]:
    """A dashed line, its label on the side where there is room."""
    beside = text(x + 4, top, label) if x < CARD / 2 else text(x - 4, top, label, anchor="end")
    return [line(x, top, x, floor, "bound"), beside]


def stacked(rows: Sequence[tuple[str, Parts]]) -> Markup:
    """Bars of one length, each divided: what the recipe asks above what the shards hold."""
    left, row = 76.0, 34.0
    shapes: list[Markup] = []
    for index, (label, parts) in enumerate(rows):
        x, y = left, index * row + 2
        shapes.append(text(left - 8, y + 17, label, anchor="end"))
        for name, colour, fraction in parts:
            wide = (WIDE - left) * fraction
            shapes.append(rect(x, y, max(wide - 1, 0.5), 26, colour, f"{name}: {human.share(fraction)}"))
            shapes += [text(x + 7, y + 17, name, class_="on")] if wide > 8 * len(name) + 8 else []
            x += wide
    return drawing(WIDE, len(rows) * row, "shares of tokens by source", *shapes)


def columns(stacks: Sequence[tuple[str, Parts]]) -> Markup:
    """One narrow column per shard (or group of shards), divided like `stacked`: in a sound run all look alike."""
    height, wide = 96.0, WIDE / max(len(stacks), 24)
    shapes: list[Markup] = []
    for index, (label, parts) in enumerate(stacks):
        y = 0.0
        for name, colour, fraction in parts:
            title = f"{label}, {name}: {human.share(fraction)}"
            shapes.append(rect(index * wide, y, max(wide - 1.5, 0.8), max(height * fraction - 0.5, 0.3), colour, title))
            y += height * fraction
    return drawing(WIDE, height, "shares of tokens by shard", *shapes)


def sizes(found: Sequence[tuple[str, int]]) -> Markup:
    """A column for each range of sizes, its number above."""
    top, floor = 20.0, 96.0
    most = max([number for _, number in found], default=0) or 1
    wide = CARD / max(len(found), 6)
    shapes = [line(0, floor, CARD, floor, "axis")]
    for index, (label, number) in enumerate(found):
        middle, tall = (index + 0.5) * wide, (floor - top) * number / most
        shapes += [
            rect(middle - wide * 0.35, floor - tall, wide * 0.7, tall, "kept", f"{label}: {number:,}"),
            text(middle, floor - tall - 5, human.count(number), anchor="middle", class_="n"),
            text(middle, floor + 15, label, anchor="middle", class_="dim n"),
        ]
    return drawing(CARD, floor + 22, "clusters by size", *shapes)


def bar(fraction: float) -> Markup:
    """A bar that stands in a table's cell."""
    filled = rect(0, 1, max(80 * min(fraction, 1.0), 0.8 if fraction > 0 else 0), 8, "fill", rx=1)
    return el("svg", rect(0, 1, 80, 8, "track", rx=1), filled, viewBox="0 0 80 10", class_="bar", aria_hidden="true")
