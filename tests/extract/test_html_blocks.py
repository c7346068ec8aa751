"""Which blocks are kept: the rules beside the weights, and what the weights do on plain cases."""

from __future__ import annotations

import numpy as np
import pytest
from extract_kit import extract_one

from pipeline.extract.html import html
from pipeline.extract.html_features import BOUNDS, CONTEXT_BOUNDS, MASKS
from pipeline.extract.html_weights import ALONE, AMONG
from pipeline.kernels.additive import Weights, add_up

PARAGRAPHS = [
    f"<p>Paragraph {at} says that the ferry, which is late today, will leave at {at}. The road is closed; so is the pier.</p>"
    for at in range(8)
]
ARTICLE = f"<article><h1>Ferries</h1>{''.join(PARAGRAPHS)}</article>"
MENU = "<nav><ul><li><a href=/>Home</a><li><a href=/map>Map of the site</a></ul></nav>"


def text_of(body: str, **keys: object) -> str:
    return extract_one(html, f"<html><body>{MENU}{body}<footer><p>All rights reserved.</p></footer></body></html>", **keys).text or ""


def test_the_article_without_what_is_around_it() -> None:
    text = text_of(ARTICLE)
    assert all(f"Paragraph {at} says" in text for at in range(8))
    assert "Map of the site" not in text
    assert "rights" not in text


def test_comments_go_unless_they_are_asked_for_or_all_there_is() -> None:
    comment = "<p>I wrote that I waited for an hour at the pier, and that nobody came, and nobody told me why it was so.</p>"
    thread = f'<div id="comments"><div class="comment-body">{comment}</div></div>'
    assert "nobody told me" not in text_of(ARTICLE + thread)
    assert text_of(f"<article><h1>Ferries</h1>{thread}</article>").count("nobody told me") == 1


def test_a_text_that_stands_again_in_another_box_is_kept_once() -> None:
    assert text_of(f"{ARTICLE}<section>{PARAGRAPHS[3]}</section>").count("Paragraph 3 says") == 1
    assert text_of(f"<article>{''.join(PARAGRAPHS)}{PARAGRAPHS[3]}</article>").count("Paragraph 3 says") == 2


def test_code_goes_with_the_text_before_it() -> None:
    text = text_of(f"<article>{PARAGRAPHS[0]}{PARAGRAPHS[1]}<h3>menu nav</h3><pre>x\n  y</pre>{PARAGRAPHS[2]}</article><pre>menu</pre>")
    assert "```\nx\n  y\n```" in text


def test_a_page_of_too_many_tags_is_refused() -> None:
    assert extract_one(html, "<p>" * 300_001).reason == "tangled"


@pytest.mark.parametrize(("weights", "bounds"), [(ALONE, BOUNDS), (AMONG, {**BOUNDS, **CONTEXT_BOUNDS})])
def test_there_is_a_weight_for_every_step(weights: dict[str, tuple[float, ...]], bounds: dict[str, tuple[float, ...]]) -> None:
    assert set(weights) == {"bias", *MASKS, *bounds}
    assert all(len(weights[name]) == len(steps) and list(steps) == sorted(steps) for name, steps in bounds.items())


def test_sums_are_those_of_the_columns() -> None:
    bits = np.zeros((2, 64))
    bits[0, 1], bits[1, 40] = 0.5, -2.0
    weights = Weights(0.25, bits, np.array([0, 2, 3]), np.array([1.0, 3.0, 0.5]), np.array([0.1, 0.2, 0.4]))
    masks = np.array([[2, 0], [3, 1 << 40], [0, 1 << 39]])
    numbers = np.array([[0.0, 1.0, 3.0], [0.5, 0.4, np.inf]])
    sums = np.array([0.25 + 0.5 + 0.4, 0.25 + 0.5 - 2 + 0.1, 0.25 + 0.1 + 0.2 + 0.4])
    assert np.allclose(add_up(weights, masks, numbers), 1 / (1 + np.exp(-sums)))
    assert len(add_up(weights, masks[:0], numbers[:, :0])) == 0
