"""Any text at all through every filter there is: a reason or a clean pass, the same in any batch, and nothing unaccounted for."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from kit import prose

from pipeline.contracts import Verdicts
from pipeline.job import Committed, TaskResult
from pipeline.registry import Step, bind, lookup, names
from pipeline.report import Report
from pipeline.schema import DOC
from pipeline.storage import Folder
from pipeline.worker import LocalStage

#: Keys that a filter can't do without, or that it does little without. A list of texts becomes a file of such lines.
NEEDED: dict[str, dict[str, Any]] = {
    "c4": {"bad_words": ["darn", "\u202edarn\u0301"]},
    "datatrove": {"block": "datatrove.pipeline.filters.GopherQualityFilter", "words": "whitespace"},
    "decontaminate": {"evals": [" ".join("abcdefghijklmnopqrstuvwxyz"), "?!" * 40]},
    "licence": {"unknown": "keep"},
    "toxicity": {"words": ["a", ".*", "[a-z]+", "\\", "\u05e9\u05dc\u05d5\u05dd", "\u6f22\u5b57"]},
    "url": {"domains": ["\u4f8b\u3048.jp"], "urls": ["http://a.a"], "hard_words": [".*", "zz"], "substrings": ["((", "%zz"]},
}
#: The keys that take files.
LISTS = ("bad_words", "evals", "words", "domains", "urls", "hard_words", "substrings")

TEXTS = {
    "empty": "",
    "prose": prose("kept"),
    "NUL": "a\0b \0 " * 300,
    "only NUL": "\0" * 300,
    "controls": "".join(map(chr, [*range(32), *range(127, 160)])) * 20,
    "white space": " \t\u00a0\u2003\u3000\u1680" * 300,
    "line ends": "\n\r\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029" * 200,
    "a line end after each letter": "a\n" * 5000,
    "zero width": "\u200b\u200c\u200d\ufeff\u2060" * 500,
    "zero width between letters": "w\u200bo\u200br\u200bd " * 500,
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd \u2067\u0645\u0631\u062d\u0628\u0627\u2069 \u202d123\u202c. " * 100,
    "combining flood": "e" + "\u0301\u0327\u20dd" * 20_000,
    "combining without a base": "\u0301 " * 500,
    "noncharacters": "\ufffe\uffff\ufdd0\U0001ffff\U0010ffff" * 200,
    "private use": "\ue000\U000f0000\U00100000 " * 200,
    "unassigned": "\U000e0fff\u0378 " * 200,
    "replacement": "\ufffd" * 2000,
    "astral": "\U0001f600\U0001f3fd\u200d\U0001f4bb\U0001f1e9\U0001f1ea" * 300,
    "astral letters": "\U0001d54b\U0001d559\U0001d556 \U00020000\U0002a6d6. " * 300,
    "one letter with three cases": "\u01c5\u0130\u0131\u1e9e\u0149 " * 300,
    "punctuation": "?!.,;:\u2026\u3002\uff01" * 300,
    "brackets": "{[(<\u300c" * 3000,
    "closing brackets": ">)]}" * 3000,
    "quotes": "\"'`\u201c\u2019" * 3000,
    "hashes and dots": "#...\u2026" * 3000,
    "bullets": "- \n\u2022 \n* \n" * 500,
    "digits": "1234567890" * 2000,
    "dots and digits": "1.2.3.4." * 3000,
    "at signs": "a@b." * 3000,
    "colons": "http://" * 3000,
    "hex": "0x" + "deadbeef" * 3000,
    "percent signs": "%%%41%zz" * 2000,
    "markup": "<!--<script>/*//" * 2000,
    "one long word": "x" * 1_000_000,
    "one long line of words": "word " * 100_000,
    "CJK without spaces": "\u6f22\u5b57\u304b\u306a\u3002" * 20_000,
    "the same line": "This is the same line again and again.\n" * 3000,
}
URLS = [
    None,
    "",
    "http://",
    "no url \0",
    "//[::",
    "https://\u202eexample.com/%zz?&=&;#",
    "http://" + "a." * 3000,
    "mailto:x",
    "HTTP://\u4f8b\u3048.jp:99999/",
]
LANGS = [None, "", "en", "\u202e", "xx-Zzzz-999"]
METAS = [None, "{}", '{"file": null, "locator": ""}', '{"locator": "a\\u0000/\u202e..//.min.js"}']


def documents(facts: bool) -> pa.RecordBatch:
    """Every text, with nothing known of it or with facts as odd as the texts."""
    rows = [{"id": f"{row:032x}", "text": text, "source": "web"} for row, text in enumerate(TEXTS.values())]
    if facts:
        for row, document in enumerate(rows):
            document |= {"url": URLS[row % len(URLS)], "lang": LANGS[row % len(LANGS)], "licence": "\u202e"}
            document |= {"meta": METAS[row % len(METAS)]}
    return pa.RecordBatch.from_pylist(rows, schema=DOC)


@pytest.fixture(params=names("filter"))
def step(request: pytest.FixtureRequest, tmp_path: Path) -> Step:
    """A filter with the keys that it needs."""
    given = dict(NEEDED.get(request.param, {}))
    for key in (key for key in LISTS if isinstance(given.get(key), list)):
        listed = tmp_path / f"{key}.txt"
        listed.write_text("\n".join(given[key]), "utf-8")
        given[key] = [str(listed)]
    keys = lookup("filter", request.param).parameters.items()
    missing = [key for key, parameter in keys if parameter.default is inspect.Parameter.empty and key not in given]
    assert not missing, f"{request.param} needs {missing}: say in NEEDED what to give it"
    bound, mistakes = bind("filter", request.param, given)
    assert not mistakes
    return bound


@pytest.mark.parametrize("facts", [False, True], ids=["nothing known", "odd facts"])
def test_every_document_is_kept_or_has_a_reason(step: Step, facts: bool, tmp_path: Path) -> None:
    docs = documents(facts)
    done = filtered(tmp_path, docs, step)
    kept, dropped = (done.folder.table(f"web-00000.{kind}.parquet") for kind in ("docs", "rejects"))
    assert sorted([*kept["id"].to_pylist(), *dropped["id"].to_pylist()]) == docs["id"].to_pylist()
    assert done.report.check().read["web"] == docs.num_rows
    assert all(reason.startswith(f"{step.name}:") for reason in dropped["reason"].to_pylist())
    columns = sorted(set(kept.schema.names) - set(DOC.names))
    assert all(sorted(json.loads(signals)) == columns for signals in dropped["signals"].to_pylist())
    kept["text"].validate(full=True)


@pytest.mark.parametrize("facts", [False, True], ids=["nothing known", "odd facts"])
def test_a_verdict_is_the_same_in_any_batch(step: Step, facts: bool) -> None:
    docs = documents(facts)
    whole = rows_of(step(docs))
    for start, length in ((0, 1), (1, 7), (8, 0), (8, docs.num_rows - 8)):
        assert rows_of(step(docs.slice(start, length))) == whole[start : start + length]
    again = step(pa.RecordBatch.from_pylist(docs.to_pylist(), schema=DOC))
    assert rows_of(again) == whole


def rows_of(verdicts: Verdicts) -> list[str]:
    """All that is said of each document, as text: so that NaN equals NaN."""
    columns = {"reasons": verdicts.reasons, **verdicts.signals, **verdicts.facts}
    columns |= {} if verdicts.text is None else {"text": verdicts.text}
    values = [column.to_pylist() for column in columns.values()]
    return [repr(dict(zip(columns, row, strict=True))) for row in zip(*values, strict=True)]


def filtered(folder: Path, docs: pa.RecordBatch, step: Step) -> Committed:
    """The filter stage over one part."""
    extracted = Folder(str(folder)).sub("extract")
    with extracted.parquet("web-00000.docs.parquet", DOC) as sink:
        sink.write(docs)
    task = TaskResult("web-00000", (sink.entry(),), Report()).to_json()
    inputs = {"extract": Committed(extracted, {"stage": "extract-web", "tasks": [task], "fingerprint": "extract"})}
    return LocalStage(Folder(str(folder / "out"))).run("filter", inputs, steps=[{"name": step.name, "args": step.args}])
