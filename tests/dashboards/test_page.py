"""The page says what the facts are, whatever the documents hold, and needs nothing but itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synthetic_documents import HOSTILE
from synthetic_run import make_run

from dashboards import human, tables, token_tables
from dashboards.facts import gather
from dashboards.model import Cluster, Counted, DedupeFacts, Drop, Member, RunFacts, Sample
from dashboards.page import SECTIONS, render_page
from pipeline.storage import Folder

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What a browser would see: tags and their attributes, texts, tables by caption; unbalanced tags are an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._cell: list[str] | None = None
        self._rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._rows = [[]]
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th", "caption"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("td", "th", "caption") and self._cell is not None:
            self._rows[-1].append("".join(self._cell).strip())
            self._cell = None
        elif tag == "table":
            self.tables[self._rows[0][0]] = self._rows[1:]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._cell is not None and ("details" not in self._within_table or self.open[-1] == "summary"):
            self._cell.append(data)

    @property
    def _within_table(self) -> list[str]:
        """Tags open inside the current table: what a reason's samples say is not part of its cell."""
        return self.open[len(self.open) - self.open[::-1].index("table") :]

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def html(facts: RunFacts) -> str:
    return render_page(facts)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_funnel_table_is_that_of_the_facts(page: Page, facts: RunFacts) -> None:
    rows = page.tables["What was left after each step"][1:]
    expected = [(funnel.source, step.name, human.count(step.documents)) for funnel in facts.funnels for step in funnel.steps]
    assert [(row[0], row[1], row[2]) for row in rows] == expected


def test_reasons_are_counted(page: Page, facts: RunFacts) -> None:
    counted = facts.counted("filter", "web")
    assert counted is not None
    rows = page.tables[f"filter dropped {counted.dropped} of {counted.read} documents"][1:]
    assert {row[0]: int(row[1]) for row in rows} == {drop.reason: drop.documents for drop in counted.drops}


def test_bars_are_relative_to_the_most_frequent_reason(facts: RunFacts) -> None:
    counted = Counted("web", 1000, 850, (Drop("a:rare", 50), Drop("b:often", 100)))
    found = tables.drops(facts.stages[0], counted)
    assert [(row[0].text, row[2].text, row[2].bar) for row in found.rows] == [("b:often", "10.0 %", 1.0), ("a:rare", "5.00 %", 0.5)]


def test_samples_show_what_was_measured(facts: RunFacts) -> None:
    signals = {"gopher_quality.words": 12_345, "gopher_quality.mean_word": 5.123456, "language.lang": "fr"}
    counted = Counted("web", 1, 0, (Drop("x:y", 1, (Sample("1f", "How it begins", "https://a.example", signals),)),))
    text = Page(render_page(replace(facts, stages=(replace(facts.stages[0], counted=(counted,)),)))).text
    assert "How it begins\n1f · https://a.example · words 12.3 k · mean_word 5.123 · lang fr" in text


def test_shares_are_shown_with_their_difference(page: Page) -> None:
    rows = page.tables["Shares of tokens, asked and packed"]
    assert rows[1][:6] == ["web", "60.0 %", "60.0 %", "60,000", "60,000", "±0"]


def test_a_share_that_was_missed_is_shown(facts: RunFacts) -> None:
    mix = tuple(replace(row, quota=row.quota + 7) for row in facts.mix)
    rows = Page(render_page(replace(facts, mix=mix))).tables["Shares of tokens, asked and packed"]
    assert [row[5] for row in rows[1:]] == ["−7", "−7", "−7"]
    assert dict(tables.figures(replace(facts, mix=mix)))["tokens off the shares"].text == "7"
    assert dict(tables.figures(facts))["tokens off the shares"].text == "0"


def test_the_tokenizer_is_shown_by_source_and_by_language(page: Page) -> None:
    head, web, *_ = page.tables["The tokenizer on held-out text, by source"]
    assert head == ["Source", "Text", "Tokens", "Bytes per token", "documents", "not restored"]
    assert web == ["web", "400 kB", "100 k", "4.000", "9", "0"]
    assert [row[0] for row in page.tables["The tokenizer on held-out text, by language"]] == ["Language", "en", "fr"]


def test_times_that_were_not_taken_are_left_out(facts: RunFacts) -> None:
    stages = tuple(replace(stage, ran=False, seconds=0.0, task_seconds=0.0) if stage.stage == "pack" else stage for stage in facts.stages)
    rows = {row[0]: row for row in Page(render_page(replace(facts, stages=stages))).tables["Time by stage"]}
    assert rows["pack"][1:6] == ["done before", "1", "–", "–", "–"]
    assert rows["mix"][1] == "ran"
    assert rows["extract"][3:6] == ["11.0 s", "1 min 16 s", "7.0"]


def test_helpers_of_dedupe_do_not_drop_a_second_time(facts: RunFacts) -> None:
    dedupe = next(stage for stage in facts.stages if stage.key == "dedupe")
    verify = replace(dedupe, key="verify", stage="verify")
    assert tables.drops_of(replace(facts, stages=(*facts.stages, verify)), "web") == tables.drops_of(facts, "web")


def test_every_digit_is_in_a_title(page: Page) -> None:
    titles = page.attributes("title")
    assert "101,000" in titles
    assert "web: 60.0 %" in [text for text in page.texts if text.startswith("web:")]


def test_the_page_says_that_its_sums_agree(page: Page, facts: RunFacts) -> None:
    assert f"✓ All {len(facts.checks)} sums agree" in page.text
    assert "do not agree" not in page.text
    assert len(page.tables["Two counts of one thing"]) == len(facts.checks) + 1


def test_the_page_is_loud_about_a_sum_that_does_not(facts: RunFacts) -> None:
    broken = (*facts.checks[:-1], replace(facts.checks[-1], right=facts.checks[-1].right - 1))
    page = Page(render_page(replace(facts, checks=broken)))
    assert f"✗ 1 of {len(facts.checks)} sums do not agree." in page.text
    assert page.attributes("role").count("alert") == 1
    assert page.tables["Two counts of one thing"][1][0] == "✗ WRONG"


def test_missing_inputs_are_named_at_the_top(facts: RunFacts) -> None:
    html = render_page(replace(facts, missing=("package <perl-doc> is not in the suite",)))
    assert html.index("package &lt;perl-doc&gt;") < html.index("<nav")


def test_contents_lead_to_sections(page: Page) -> None:
    targets = {value.removeprefix("#") for value in page.attributes("href")}
    assert targets == set(SECTIONS)
    assert set(SECTIONS) <= set(page.attributes("id"))


def test_nothing_is_loaded(page: Page, html: str) -> None:
    """Every reference is an anchor of the page itself; the policy forbids the rest, scripts above all."""
    assert all(value.startswith("#") for value in page.attributes("href"))
    assert not page.attributes("src")
    assert not page.attributes("style")
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert "default-src 'none'" in page.attributes("content")[0]
    assert not re.search(r"@import|url\(", html)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_drawings_are_well_formed_and_described(html: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) > 15
    for drawing in drawings:
        assert "nan" not in drawing.lower().replace("nance", "")
        root = ElementTree.fromstring(drawing)
        assert root.get("aria-label") or root.get("aria-hidden") == "true"
        assert all(float(shape.get("width", 1)) >= 0 and float(shape.get("height", 1)) >= 0 for shape in root.iter())


def test_the_same_facts_are_the_same_bytes(facts: RunFacts, html: str) -> None:
    assert render_page(facts) == html


def test_hostile_documents_do_no_harm(facts: RunFacts) -> None:
    """The same page with plain and with hostile texts has the same tags; the texts are shown, not obeyed."""
    plain, hostile = Page(render_page(poisoned(facts, "the text of an ordinary page"))), Page(render_page(poisoned(facts, HOSTILE)))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert "</script><script>alert(1)</script>␀␛[2J⟨202E⟩evil" in hostile.text
    assert "{{ 7*7 }} {% raw %}" in hostile.text
    assert not re.search("[\x00\x1b\u202e\u2066\ufeff]", hostile.text)


def test_a_line_of_ten_megabytes_is_cut(facts: RunFacts) -> None:
    html = render_page(poisoned(facts, "x" * 10_000_000))
    assert len(html) < len(render_page(poisoned(facts, "x" * human.LONGEST))) + 1000
    Page(html)


def test_a_lone_surrogate_can_be_written(facts: RunFacts) -> None:
    assert "⟨D83D⟩" in render_page(poisoned(facts, "half a smile \ud83d")).encode().decode()


def poisoned(facts: RunFacts, text: str) -> RunFacts:
    """The facts with `text` wherever a document, a package or a recipe could have put it."""
    sample = Sample(text, text, text, {text: text})
    counted = Counted("web", 5, 2, (Drop(text, 3, (sample,)),), {text: 1})
    stages = tuple(replace(stage, counted=(counted,)) if stage.key == "filter-web" else stage for stage in facts.stages)
    clusters = DedupeFacts({2: 1}, (Cluster(text, 2, (Member(text, text, True, None, text),)),))
    inputs = (replace(facts.inputs[0], name=text, version=text, licence=text),)
    sources = tuple(replace(source, about=text) for source in facts.sources)
    return replace(facts, about=text, missing=(text,), stages=stages, dedupe=clusters, inputs=inputs, sources=sources, digest=text)


@pytest.mark.parametrize("until", ["extract", "dedupe", "tokenizer"])
def test_what_was_not_run_is_said(tmp_path: Path, until: str) -> None:
    make_run(Folder(str(tmp_path)), until)
    page = Page(render_page(gather(Folder(str(tmp_path)))))
    assert "Not run: pack has not finished." in page.text
    assert ("Not run: dedupe has not finished." in page.text) == (until == "extract")
    assert "not run" in [row[2] for row in page.tables["What was left after each step"]]
    assert "sums agree" in page.text


def test_a_run_of_nothing_makes_a_page(facts: RunFacts) -> None:
    empty = replace(
        facts, stages=(), funnels=(), thresholds=(), quality=(), dedupe=None, tokenizer=None, mix=(), shards=(), checks=(), inputs=()
    )
    page = Page(render_page(empty))
    assert "No stage has finished" in page.text
    assert "✓" not in page.text


def test_many_sources_and_shards_fit(facts: RunFacts) -> None:
    sources = tuple(replace(facts.sources[0], name=f"s{number}", share=1 / 30) for number in range(30))
    shard = replace(facts.shards[0].shards[0], by_source={source.name: 100 for source in sources}, tokens=3000)
    shards = (replace(facts.shards[0], shards=tuple(replace(shard, name=f"shard {number}") for number in range(300))),)
    html = render_page(replace(facts, sources=sources, funnels=(), shards=shards))
    assert "shard 0 to shard 2" in html
    assert len(html) < 2_000_000
    Page(html)


def test_shards_that_differ_are_measured(facts: RunFacts) -> None:
    train = facts.shards[0]
    assert token_tables.unevenness(train).text == "0 %"
    skewed = replace(train.shards[0], by_source={"web": 35_000, "books": 10_000, "code": 5_000})
    assert token_tables.unevenness(replace(train, shards=(skewed, train.shards[1]))).text == "5.00 %"
