"""Drawings as inline SVG: a few shapes, and the charts of the page made of them. No script, no font, nothing fetched.

Colours are CSS classes of the page (`s0` to `s7` for sources, `kept`, `dropped`), so that they follow light and dark;
every text goes through `el`, which escapes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape

from dashboards import human
from dashboards.model import Funnel, Histogram

#: Pieces of a whole: name, colour class, fraction.
Parts = Sequence[tuple[str, str, float]]

#: Width in user units of a drawing that stands in a card: about a phone's width, so it is never scaled down there.
WIDTH = 340


def el(tag: str, *children: str, **attributes: object) -> Markup:
    """One SVG element. `class_` is class, other underscores are hyphens; numbers are rounded to hundredths; texts escaped."""
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    written = "".join(f' {key}="{escape(_number(value))}"' for key, value in named.items())
    return Markup(f"<{tag}{written}>{''.join(escape(child) for child in children)}</{tag}>")


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def drawing(width: float, height: float, label: str, *children: Markup) -> Markup:
    """The <svg> around the shapes; `label` is what it says to those who can't see it."""
    return el("svg", *children, viewBox=f"0 0 {_number(float(width))} {_number(float(height))}", role="img", aria_label=label)


def text(x: float, y: float, content: str, anchor: str = "start", class_: str = "t") -> Markup:
    return el("text", human.clean(content), x=x, y=y, text_anchor=anchor, class_=class_)


def titled(shape: str, title: str, **attributes: object) -> Markup:
    """A shape that shows `title` under the pointer."""
    return el(shape, el("title", human.clean(title)), **attributes)


def funnel(found: Funnel, colour: str) -> Markup:
    """One row per step, its bar as wide as documents are left; slopes between rows show what was lost."""
    known = [step for step in found.steps if step.documents is not None]
    most = max([step.documents or 0 for step in known], default=0) or 1
    left, room, row, bar = 84.0, 150.0, 34.0, 20.0
    shapes: list[Markup] = []
    widths = [max(1.5, room * (step.documents or 0) / most) if step.documents else 0.0 for step in known]
    for index, (upper, lower) in enumerate(pairwise(widths)):
        top = index * row + bar + 4
        points = f"{left},{top} {left + upper:.2f},{top} {left + lower:.2f},{top + row - bar} {left},{top + row - bar}"
        shapes.append(el("polygon", points=points, class_=f"{colour} slope"))
    for index, (step, width) in enumerate(zip(known, widths, strict=True)):
        top = index * row + 4
        shapes.append(text(left - 8, top + 14, step.name, "end"))
        facts = [f"{human.exact(step.documents)} documents"]
        facts += [f"{human.exact(step.bytes)} bytes of text"] * (step.bytes is not None)
        facts += [f"{human.exact(step.tokens)} tokens"] * (step.tokens is not None)
        shapes.append(titled("rect", f"{step.name}: {', '.join(facts)}", x=left, y=top, width=width, height=bar, rx=2, class_=colour))
        part = human.share((step.documents or 0) / most)
        shapes.append(text(left + room + 10, top + 14, f"{human.count(step.documents)}", class_="t n"))
        shapes.append(text(WIDTH - 2, top + 14, part, "end", class_="t dim n"))
    return drawing(WIDTH, len(known) * row, f"{found.source}: documents left after each step", *shapes)


def histogram(found: Histogram) -> Markup:
    """Kept documents below, dropped ones stacked on them, a dashed line at each bound."""
    top, floor, left, right = 22.0, 112.0, 4.0, WIDTH - 4.0
    most = max(k + d for k, d in zip(found.kept, found.dropped, strict=True)) or 1
    width = (right - left) / len(found.kept)
    shapes: list[Markup] = [el("line", x1=left, x2=right, y1=floor, y2=floor, class_="axis")]
    for index, (kept, dropped) in enumerate(zip(found.kept, found.dropped, strict=True)):
        title = f"{human.mark(found.edges[index])} to {human.mark(found.edges[index + 1])}: {kept:,} kept, {dropped:,} dropped"
        x, low = left + index * width, floor - (floor - top) * kept / most
        high = low - (floor - top) * dropped / most
        bar = {"x": x + 0.5, "width": max(width - 1, 0.8)}
        shapes += [titled("rect", title, **bar, y=low, height=floor - low, class_="kept")] if kept else []
        shapes += [titled("rect", title, **bar, y=high, height=low - high, class_="dropped")] if dropped else []
    shapes += [shape for key, bound in found.bounds for shape in _bound(key, bound, found.edges, left, right, top, floor)]
    shapes.append(text(left, floor + 15, human.mark(found.edges[0]), class_="t dim n"))
    shapes.append(text((left + right) / 2, floor + 15, human.mark(found.edges[len(found.edges) // 2]), "middle", "t dim n"))
    shapes.append(text(right, floor + 15, human.mark(found.edges[-1]), "end", "t dim n"))
    return drawing(WIDTH, floor + 22, f"{found.source}: {found.name}, documents kept and dropped", *shapes)


def _bound(key: str, bound: float, edges: Sequence[float], left: float, right: float, top: float, floor: float) -> list[Markup]:
    x = left + (right - left) * float(np.interp(bound, edges, np.linspace(0, 1, len(edges))))
    anchor = "start" if x < (left + right) / 2 else "end"
    label = f"{key} {human.mark(bound)}"
    return [
        el("line", x1=x, x2=x, y1=top - 8, y2=floor, class_="bound"),
        text(x + (4 if anchor == "start" else -4), top - 8, label, anchor),
    ]


def stacked(rows: Sequence[tuple[str, Parts]]) -> Markup:
    """Bars of one length, each divided by (name, colour, fraction): what the recipe asks above what the shards hold."""
    left, width, row = 76.0, 720.0, 34.0
    shapes: list[Markup] = []
    for index, (label, parts) in enumerate(rows):
        x, top = left, index * row + 2
        shapes.append(text(left - 8, top + 17, label, "end"))
        for name, colour, fraction in parts:
            wide = (width - left) * fraction
            shapes.append(
                titled("rect", f"{name}: {human.share(fraction)}", x=x, y=top, width=max(wide - 1, 0.5), height=26, class_=colour)
            )
            if wide > 8 * len(name) + 8:
                shapes.append(text(x + 7, top + 17, name, class_="t on"))
            x += wide
    return drawing(width, len(rows) * row, "shares of tokens by source", *shapes)


def columns(stacks: Sequence[tuple[str, Parts]]) -> Markup:
    """One narrow column per shard (or group of shards), divided like `stacked`: in a sound run all look alike."""
    width, height = 720.0, 96.0
    wide = width / max(len(stacks), 24)
    shapes: list[Markup] = []
    for index, (label, parts) in enumerate(stacks):
        y = 0.0
        for name, colour, fraction in parts:
            tall = height * fraction
            title = f"{label}, {name}: {human.share(fraction)}"
            shapes.append(
                titled("rect", title, x=index * wide, y=y, width=max(wide - 1.5, 0.8), height=max(tall - 0.5, 0.3), class_=colour)
            )
            y += tall
    return drawing(width, height, "shares of tokens by shard", *shapes)


def bar(fraction: float, colour: str = "dropped") -> Markup:
    """A bar that stands in a table's cell."""
    shapes = el("rect", x=0, y=1, width=80, height=8, rx=1, class_="track")
    filled = el("rect", x=0, y=1, width=max(80 * min(fraction, 1.0), 0.8 if fraction > 0 else 0.0), height=8, rx=1, class_=colour)
    return el("svg", shapes, filled, viewBox="0 0 80 10", class_="bar", aria_hidden="true")


def sizes(found: Sequence[tuple[str, int]]) -> Markup:
    """A small column chart of labelled counts, each with its number above."""
    floor, top = 96.0, 20.0
    most = max([number for _, number in found], default=0) or 1
    wide = WIDTH / max(len(found), 6)
    shapes: list[Markup] = [el("line", x1=0, x2=WIDTH, y1=floor, y2=floor, class_="axis")]
    for index, (label, number) in enumerate(found):
        tall = (floor - top) * number / most
        middle = index * wide + wide / 2
        shapes.append(
            titled(
                "rect",
                f"{label}: {human.exact(number)}",
                x=middle - wide * 0.35,
                y=floor - tall,
                width=wide * 0.7,
                height=tall,
                class_="kept",
            )
        )
        shapes.append(text(middle, floor - tall - 5, human.count(number), "middle", "t n"))
        shapes.append(text(middle, floor + 15, label, "middle", "t dim n"))
    return drawing(WIDTH, floor + 22, "clusters by size", *shapes)
