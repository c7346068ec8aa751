"""The extractor "gutenberg": markers of every decade, credits, hard line ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from extract_kit import extract_one

from pipeline.contracts import InputFile
from pipeline.extract.gutenberg import gutenberg as extract
from pipeline.sources.gutenberg import gutenberg as read

PROSE = "It was a morning on which the harbour lay so still that the boats\nseemed to have been painted on it, and nobody\nspoke."
VERSE = "The tide came in,\nThe tide went out,\nAnd nobody knew\nWhat it was about."
BOOK = f"THE HARBOUR\n\n\n\nCHAPTER I.\n\n{PROSE}\n\n{VERSE}\n\n     A table      1\n     of things    2\n\n{PROSE * 20}\n\nTHE END"

TODAY = ("*** START OF THE PROJECT GUTENBERG EBOOK THE HARBOUR ***", "*** END OF THE PROJECT GUTENBERG EBOOK THE HARBOUR ***")
THIS = ("*** START OF THIS PROJECT GUTENBERG EBOOK THE HARBOUR ***", "*** END OF THIS PROJECT GUTENBERG EBOOK THE HARBOUR ***")
ETEXT = ("***START OF THE PROJECT GUTENBERG ETEXT OF THE HARBOUR***", "***END OF THE PROJECT GUTENBERG ETEXT OF THE HARBOUR***")
LONG = (
    "*** START OF THE PROJECT GUTENBERG EBOOK THE HARBOUR AND ALL THAT\nLAY THERE ***",
    "*** END OF THE PROJECT GUTENBERG EBOOK THE HARBOUR\nAND ***",
)
SMALL_PRINT = ("*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*", "End of Project Gutenberg's Etext of The Harbour")
SMALL_PRINT_2 = ("*END THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*", "End of The Project Gutenberg Etext The Harbour")


@pytest.mark.parametrize(("start", "end"), [TODAY, THIS, ETEXT, LONG, SMALL_PRINT, SMALL_PRINT_2], ids=range(6))
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_markers(start: str, end: str, newline: str) -> None:
    licence = "THE FULL LICENSE\n\n1. Pay nothing.\n" * 400
    whole = f"The Project Gutenberg EBook of The Harbour\n\nTitle: The Harbour\n\n{start}\n\n\n{BOOK}\n\n\n{end}\n\n{licence}"
    book = extract_one(extract, whole.replace("\n", newline), unwrap=False)
    assert book.text == BOOK.replace("\n\n\n\n", "\n\n")


def test_paragraphs_are_unwrapped_and_verse_is_not() -> None:
    text = extract_one(extract, f"{TODAY[0]}\n{BOOK}\n{TODAY[1]}").text or ""
    blocks = text.split("\n\n")
    assert blocks[2:5] == [PROSE.replace("\n", " "), VERSE, "     A table      1\n     of things    2"]


def test_credits_go_with_the_header() -> None:
    credits_ = "Produced by Nobody and the\nDistributed Proofreaders\n\nTranscriber's Note: commas were moved.\n\n[Note: so were dots.]\n\n"
    text = extract_one(extract, f"{TODAY[0]}\n\n\n{credits_}{BOOK}\n{TODAY[1]}").text or ""
    assert text.startswith("THE HARBOUR\n\nCHAPTER I.")


def test_the_old_end_line_before_the_new_marker_counts() -> None:
    text = extract_one(extract, f"{THIS[0]}\n{BOOK}\n\nEnd of the Project Gutenberg EBook of The Harbour\n\n{THIS[1]}\n").text or ""
    assert text.endswith("THE END")


def test_charsets() -> None:
    book = f"{TODAY[0]}\n{BOOK}\n\nÀ l'orée du port, les goélands. Où étaient-ils, là-bas, à l'été ?\n{TODAY[1]}"
    for charset, claim in (("latin-1", "ISO-8859-1"), ("cp1252", None), ("utf-8-sig", "ASCII"), ("mac-roman", "macintosh")):
        assert "goélands. Où étaient-ils" in (extract_one(extract, book.encode(charset), {"charset": claim}).text or "")


def test_reasons() -> None:
    assert extract_one(extract, BOOK).reason == "no_gutenberg_markers"
    assert extract_one(extract, f"{TODAY[0]}\n\n{TODAY[1]}" + "\nlicence" * 3).reason == "empty"
    assert extract_one(extract, b"x" * 20, max_bytes=10).reason == "too_large"


def test_no_book_of_the_corpus_keeps_its_licence(corpus: Path) -> None:
    for path in sorted((corpus / "books").glob("*.txt.gz"))[::6]:
        (book,) = read(InputFile(path.name, str(path), "", 0))
        found = extract_one(extract, book.content, book.meta)
        assert found.reason is None
        text = found.text or ""
        assert len(text) > 0.8 * len(book.content) - 40_000
        assert "PROJECT GUTENBERG EBOOK" not in text.upper()
        assert "Gutenberg Literary Archive" not in text
        assert book.meta is not None
        assert book.lang
        assert book.meta["ebook"] == path.name.partition("_")[0]
