"""The form of a page in its text: what Markdown has signs for, formulas, and that no text is lost or told twice."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from extract_kit import extract_one
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from pipeline.extract.html import html
from pipeline.extract.html_names import vocabulary
from pipeline.kernels.hints import hints, hints_in
from pipeline.kernels.pages import BLOCK_FIELDS, CHARS, FIRST, LAST, WORDS, read_page


def whole(page: str) -> str | None:
    return extract_one(html, f"<body>{page}</body>", main_content=False).text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<h1>One</h1><h3>Three<br>lines</h3><p>text", "# One\n\n### Three lines\n\ntext"),
        ("<ul><li>a<ul><li>b</ul><li><p>c<p>d</ul>", "- a\n  - b\n- c\n  d"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<table><tr><th>x<th>y<tr><td><td>1|2</table>", "| x | y |\n| --- | --- |\n|  | 1\\|2 |"),
        (f"<table><tr><td>{'word ' * 80}<td>side</table>", f"{('word ' * 80).strip()}\n\nside"),
        (
            "<p>so:<pre><code class='language-python'>def f():\n    return 1\n\n\tx</code></pre>",
            "so:\n\n```python\ndef f():\n    return 1\n\n\tx\n```",
        ),
        ("<pre><div>a</div><div>  b</div></pre>", "```\na\n  b\n```"),
        ("<pre>```</pre>", "````\n```\n````"),
        ("<p>call <code>f(x &lt; 1)</code> or <kbd>q</kbd>", "call `f(x < 1)` or `q`"),
        ("<blockquote><p>a<br>b<p>c</blockquote>", "> a\n> b\n\n> c"),
        ("<p>one<br><br>two<br>three", "one\n\ntwo\nthree"),
        ("<p>a <b>b</b>\n <i>c</i>d &amp;amp; &nbsp; e", "a b cd &amp; e"),
        ("a<script>no</script><style>no</style><template>no</template><textarea>no</textarea>b", "ab"),
        ("<p>visible<p hidden>not", "visible"),
        ("<my-box>a</my-box><my-box>b</my-box>", "a\n\nb"),
    ],
)
def test_the_signs_of_markdown(page: str, text: str) -> None:
    assert whole(page) == text


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("<script type='math/tex'>a<b</script>", "$a<b$"),
        ("<script type='math/tex; mode=display'>a</script>", "\n$$a$$\n"),
        ("<script type='text/x-other'>a</script>", ""),
        ("<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x &amp; y</annotation></semantics></math>", "$x & y$"),
        ("<math alttext='{\\displaystyle x^2}'><mi>x</mi></math>", "$x^2$"),
        ("<math display='block'><mfrac><mn>1</mn><msup><mi>n</mi><mn>2</mn></msup></mfrac></math>", "\n$$\\frac{1}{n^{2}}$$\n"),
        ("<math><msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt></math>", "$\\sqrt{a + b}$"),
        ("<math><mfrac><mn>1</mn></mfrac></math>", "$1$"),
        ("<math></math>", ""),
        (
            "<span class=katex><math><annotation encoding='application/x-tex'>E</annotation></math><span class=katex-html>E</span></span>",
            "$E$",
        ),
    ],
)
def test_formulas(formula: str, text: str) -> None:
    expected = f"with {text} in it" if text.strip() else "with in it"
    assert whole(f"<p>with {formula} in it") == re.sub(r" ?\n ?", "\n", expected)


def test_form_can_be_left_out() -> None:
    page = "<body><h1>Title</h1><ul><li>one<li>two</ul><pre>a\n b</pre>"
    assert extract_one(html, page, main_content=False, preserve_formatting=False).text == "Title one two a b"
    assert extract_one(html, page, main_content=False, list_bullets=False).text == "# Title\n\none\ntwo\n\n```\na\n b\n```"


def test_elements_are_skipped_by_selector() -> None:
    assert extract_one(html, "<p>a<p class=x>b<p>c", main_content=False, skip_elements=[".x", "b"]).text == "a\n\nc"


class _Texts(HTMLParser):
    """The twin: texts of a page that a parser wrote out, in elements whose text is read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.texts, self.unread = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unread += tag in ("script", "template", "title")

    def handle_endtag(self, tag: str) -> None:
        self.unread -= tag in ("script", "template", "title")

    def handle_data(self, data: str) -> None:
        self.texts += "" if self.unread else data

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")


_PIECES = [
    *("<p>", "</p>", "<div class='a b'>", "</div>", "<b>", "</b>", "<br>", "<li>", "<table>", "<td>", "<!-- <p> -->", "<pre>", "</pre>"),
    *("<script>var a = '<b>'</script>", "<template>t</template>", "a", "é 漢字. ", " ", "\n", "<x-y>", "&lt;", "<a href='>'>"),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=30))
def test_every_text_is_in_one_block(pieces: list[str]) -> None:
    tree = HTMLTree.parse("".join(pieces))
    source = str(tree.document.html) if tree.document else ""
    twin = _Texts()
    twin.feed(source)
    twin.close()
    page = read_page(source.encode(), *vocabulary())
    assert page.blocks.shape[1] == BLOCK_FIELDS
    assert page.blocks[:, FIRST].tolist() == [0, *page.blocks[:-1, LAST].tolist()][: len(page.blocks)]
    texts = [
        b"".join(page.html[start:end] for start, end, _ in page.runs[block[FIRST] : block[LAST]].tolist()).decode() for block in page.blocks
    ]
    assert "".join("".join(texts).split()) == "".join(twin.texts.split())
    for block, text in zip(page.blocks, texts, strict=True):
        assert block[CHARS] == sum(not char.isspace() for char in text)
        if text.isascii():
            assert len(text.split()) <= block[WORDS] <= len(text.split()) + sum(page.runs[block[FIRST] : block[LAST], 0] >= 0)


@given(st.text("abR- ï", max_size=12))
def test_hints_are_substrings_of_words(text: str) -> None:
    import numpy as np

    patterns = ["ab", " a ", "b a", "bar"]
    found = hints([[pattern] for pattern in patterns])
    data = np.frombuffer(text.encode(), np.uint8)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    plain = f" {' '.join(re.findall('[a-z]+', spaced.lower(), re.ASCII))} "
    assert hints_in(data, 0, len(data), found.moves, found.bits) == sum(
        1 << bit for bit, pattern in enumerate(patterns) if pattern in plain
    )


def test_patterns_that_cannot_be_looked_for() -> None:
    for group in ([""], ["A"], ["é"]):
        with pytest.raises(ValueError, match="small letters"):
            hints([group])
