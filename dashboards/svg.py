"""Shapes as inline SVG. Texts are cleaned and escaped here, so that a chart can't forget to."""

from __future__ import annotations

from markupsafe import Markup, escape

from dashboards import human


def el(tag: str, *children: str, **attributes: object) -> Markup:
    """One element: `class_` is class, other underscores are hyphens; floats are rounded to hundredths; texts are escaped."""
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    written = "".join(f' {key}="{escape(_number(value))}"' for key, value in named.items())
    return Markup(f"<{tag}{written}>{''.join(escape(child) for child in children)}</{tag}>")


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def drawing(width: float, height: float, label: str, *shapes: Markup) -> Markup:
    """The <svg> around some shapes; `label` is what it says to those who can't see it."""
    box = f"0 0 {_number(float(width))} {_number(float(height))}"
    return el("svg", *shapes, viewBox=box, role="img", aria_label=human.clean(label))


def text(x: float, y: float, content: str, *, anchor: str = "start", class_: str = "") -> Markup:
    return el("text", human.clean(content), x=float(x), y=float(y), text_anchor=anchor, class_=f"t {class_}".strip())


def rect(x: float, y: float, width: float, height: float, class_: str, title: str = "", **attributes: object) -> Markup:
    """A rectangle that shows `title` under the pointer."""
    inside = [el("title", human.clean(title))] if title else []
    place = {"x": float(x), "y": float(y), "width": float(max(width, 0)), "height": float(max(height, 0))}
    return el("rect", *inside, **place, class_=class_, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return el("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def polygon(points: list[tuple[float, float]], class_: str) -> Markup:
    return el("polygon", points=" ".join(f"{_number(float(x))},{_number(float(y))}" for x, y in points), class_=class_)
