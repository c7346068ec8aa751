"""Charts draw what the facts say, to scale, and no text of theirs is ever markup."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from synthetic_documents import HOSTILE

from dashboards import charts, svg
from dashboards.model import Funnel, Histogram, Step


def shapes(drawing: str, class_: str) -> list[ElementTree.Element]:
    return [shape for shape in ElementTree.fromstring(drawing).iter() if class_ in (shape.get("class") or "").split()]


def numbers(found: list[ElementTree.Element], attribute: str) -> list[float]:
    return [float(shape.get(attribute, "nan")) for shape in found]


def titles(found: list[ElementTree.Element]) -> list[str]:
    return [shape.findtext("title") or "" for shape in found]


def test_texts_and_attributes_are_escaped() -> None:
    made = svg.el("text", "<b>&", class_='"><script>', text_anchor="end", x=1.5)
    assert made == '<text class="&#34;&gt;&lt;script&gt;" text-anchor="end" x="1.5">&lt;b&gt;&amp;</text>'


@pytest.mark.parametrize(
    "drawn",
    [
        charts.funnel(Funnel(HOSTILE, (Step(HOSTILE, 5), Step("b", 0))), "s0"),
        charts.histogram(Histogram(HOSTILE, HOSTILE, (0.0, 1.0), (1,), (1,), ((HOSTILE, 0.5),))),
        charts.stacked([(HOSTILE, [(HOSTILE, "s0", 1.0)])]),
        charts.columns([(HOSTILE, [(HOSTILE, "s0", 1.0)])]),
        charts.sizes([(HOSTILE, 3)]),
    ],
)
def test_hostile_names_are_drawn_as_text(drawn: str) -> None:
    """Parsing fails on control characters and on markup that isn't escaped."""
    root = ElementTree.fromstring(drawn)
    assert {shape.tag for shape in root.iter()} <= {"svg", "rect", "text", "title", "polygon", "line"}
    assert "\u202e" not in drawn
    assert any("alert(1)" in text for text in [*root.itertext(), root.get("aria-label", "")])


def test_a_funnel_is_to_scale() -> None:
    steps = (Step("read", 1000, 5_000_000), Step("kept", 250, None, 99), Step("none", 0), Step("later", None))
    drawn = charts.funnel(Funnel("web", steps), "s3")
    bars = [shape for shape in shapes(drawn, "s3") if shape.tag == "rect"]
    assert numbers(bars, "width") == [150.0, 37.5, 0.0]
    assert titles(bars) == ["read: 1,000 documents, 5,000,000 bytes of text", "kept: 250 documents, 99 tokens", "none: 0 documents"]
    assert "25.0 %" in "".join(ElementTree.fromstring(drawn).itertext())


def test_a_funnel_that_widens_stays_inside() -> None:
    """Packed documents count once per pass, so they may be more than were read."""
    drawn = charts.funnel(Funnel("web", (Step("read", 100), Step("packed", 400))), "s0")
    assert numbers([shape for shape in shapes(drawn, "s0") if shape.tag == "rect"], "width") == [37.5, 150.0]
    assert "400.0 %" in "".join(ElementTree.fromstring(drawn).itertext())


def test_dropped_documents_stand_on_kept_ones() -> None:
    drawn = charts.histogram(Histogram("web", "words", (0.0, 10.0, 20.0), (30, 0), (10, 20), (("min_words", 15.0),), 60, 60))
    (kept,), dropped = shapes(drawn, "kept"), shapes(drawn, "dropped")
    assert numbers([kept], "height")[0] == pytest.approx(3 * numbers(dropped, "height")[0], abs=0.02)
    assert numbers(dropped, "y")[0] + numbers(dropped, "height")[0] == pytest.approx(numbers([kept], "y")[0], abs=0.02)
    assert titles(dropped) == ["0 to 10: 30 kept, 10 dropped", "10 to 20: 0 kept, 20 dropped"]
    (bound,) = shapes(drawn, "bound")
    assert float(bound.get("x1", 0)) == pytest.approx(4 + 0.75 * (charts.CARD - 8))


def test_parts_fill_their_bar() -> None:
    drawn = charts.stacked([("recipe", [("web", "s0", 0.75), ("books", "s1", 0.25)])])
    web, books = shapes(drawn, "s0")[0], shapes(drawn, "s1")[0]
    assert float(web.get("x", 0)) + float(web.get("width", 0)) + 1 == float(books.get("x", 0))
    assert float(books.get("x", 0)) + float(books.get("width", 0)) + 1 == charts.WIDE


def test_columns_of_sizes_stand_on_the_axis() -> None:
    bars = shapes(charts.sizes([("2", 40), ("3", 10)]), "kept")
    heights = numbers(bars, "height")
    assert heights[0] == 4 * heights[1] > 0
    assert [y + height for y, height in zip(numbers(bars, "y"), heights, strict=True)] == [96.0, 96.0]


@pytest.mark.parametrize(("fraction", "width"), [(0.0, 0.0), (0.0001, 0.8), (0.5, 40.0), (2.0, 80.0)])
def test_bars_in_cells(fraction: float, width: float) -> None:
    assert numbers(shapes(charts.bar(fraction), "fill"), "width") == [width]
