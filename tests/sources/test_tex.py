"""The reader "tex": projects put together from their files; arXiv's nested archives."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest
from archive_kit import COMPRESS, input_file, sparse, tar

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources.tex import tex

BOOK = {
    "book-1/main.tex": (
        b"\\documentclass{book}\n\\input{macros}\n\\begin{document}\n\\include{ch/one}\n%\\input{ch/two}\n\\input ch/two.tex\n"
        b"end\\end{document}"
    ),
    "book-1/macros.tex": b"\\def\\x{X}",
    "book-1/ch/one.tex": b"ONE \\input{ch/part} \\input{missing} \\input{../../etc/passwd}",
    "book-1/ch/part.tex": b"PART \\input{ch/one} \\input{main}",
    "book-1/ch/two.tex": b"TWO",
    "book-1/excerpt.tex": b"\\input{macros}\\begin{document}\\input{ch/two} only\\end{document}",
    "book-1/pic.pdf": b"%PDF",
    "book-1/notes.md": b"# notes",
}


def archive(tmp_path: Path, files: dict[str, bytes], suffix: str = ".gz") -> InputFile:
    (tmp_path / f"src.tar{suffix}").write_bytes(COMPRESS[suffix](tar(files)))
    return input_file(tmp_path / f"src.tar{suffix}")


def test_a_project_is_its_main_files_with_what_they_input(tmp_path: Path) -> None:
    found = {item.locator: item.content for item in tex(archive(tmp_path, BOOK))}
    assert found == {
        "book-1/excerpt.tex": b"\\def\\x{X}\\begin{document} only\\end{document}",
        "book-1/main.tex": (
            b"\\documentclass{book}\n\\def\\x{X}\n\\begin{document}\nONE PART   \\input{missing} \\input{../../etc/passwd}\n"
            b"%\\input{ch/two}\nTWO\nend\\end{document}"
        ),
    }


def test_each_file_can_be_a_document(tmp_path: Path) -> None:
    found = list(tex(archive(tmp_path, BOOK), unit="file"))
    assert [item.locator for item in found] == sorted(name for name in BOOK if name.endswith(".tex"))
    assert {item.format for item in found} == {"latex"}


def test_parts_without_a_main_file(tmp_path: Path) -> None:
    files = {"a.tex": b"A \\input{b}", "b.tex": b"B", "c.tex": b"C"}
    assert [(item.locator, item.content) for item in tex(archive(tmp_path, files))] == [("a.tex", b"A B"), ("c.tex", b"C")]


def test_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "paper.tex.gz").write_bytes(gzip.compress(b"\\input{x} text"))
    (found,) = tex(input_file(tmp_path / "paper.tex.gz"))
    assert (found.locator, found.content) == ("", b"\\input{x} text")


def test_the_bulk_archives_of_arxiv(tmp_path: Path) -> None:
    paper = {"ms.tex": b"\\begin{document}\\input{sec}\\end{document}", "sec.tex": b"SECTION", "fig.eps": b"x"}
    bulk = {
        "2301/2301.00001.gz": gzip.compress(tar(paper)),
        "2301/2301.00002.gz": gzip.compress(b"\\documentstyle{article} alone"),
        "2301/2301.00003.pdf": b"%PDF-1.5",
        "9901/hep-th9901004.gz": gzip.compress(tar({"a.tex": b"old"})),
        "2301/2301.00005.gz": gzip.compress(b"%PDF-1.4"),
        "2301/2301.00006.gz": gzip.compress(tar(paper)[:1300]),
    }
    found = {item.locator: item for item in tex(archive(tmp_path, bulk, ""))}
    assert {name: (item.format, item.content, item.url) for name, item in found.items() if item.format == "latex"} == {
        "2301/2301.00001/ms.tex": ("latex", b"\\begin{document}SECTION\\end{document}", "https://arxiv.org/abs/2301.00001"),
        "2301/2301.00002": ("latex", b"\\documentstyle{article} alone", "https://arxiv.org/abs/2301.00002"),
        "9901/hep-th9901004/a.tex": ("latex", b"old", "https://arxiv.org/abs/hep-th/9901004"),
    }
    bad = {name: (item.meta or {})["reason"] for name, item in found.items() if item.format == "invalid"}
    assert bad == {"2301/2301.00005": "pdf_only", "2301/2301.00006": "broken_archive"}


def test_inputs_in_circles_and_in_powers_end(tmp_path: Path) -> None:
    files = {f"f{n}.tex": f"{n}\\input{{f{n + 1}}}\\input{{f{n + 1}}}\\input{{f0}}".encode() for n in range(200)}
    files["main.tex"] = b"\\begin{document}\\input{f0}"
    (found,) = tex(archive(tmp_path, files))
    assert len(found.content) < 20_000


def test_a_tree_too_large_for_memory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"src\.tar\.gz.*max_bytes=1000"):
        list(tex(archive(tmp_path, {"a.tex": b"x" * 600, "b.tex": b"y" * 600}), max_bytes=1000))


def test_projects_of_the_corpus(corpus: Path) -> None:
    path = corpus / "academic" / "hott-book.tar.gz"
    found = sorted(tex(InputFile(path.name, str(path), "", 0)), key=lambda item: -len(item.content))
    assert found[0].locator.endswith("/main.tex")
    assert b"\\chapter{Homotopy theory}" in found[0].content
    assert sum(b"\\chapter{Homotopy theory}" in item.content for item in found) == 1


def test_the_size_of_a_papers_file_is_not_believed(tmp_path: Path) -> None:
    """A paper's tar may hold a hole, or a file that brings it over the limit: no more is read than that."""
    (tmp_path / "bulk.tar").write_bytes(tar({"2301/2301.00001.gz": gzip.compress(sparse("a.tex", 5_000_000))}))
    with pytest.raises(SourceError, match=r"bulk\.tar \(.*member 'a\.tex' of 2301/2301\.00001 is sparse"):
        list(tex(input_file(tmp_path / "bulk.tar")))
    claim = tarfile.TarInfo("b.tex")
    claim.size = 1 << 40
    paper = tar({"a.tex": b"A"})[:1024] + claim.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "bulk.tar").write_bytes(tar({"2301/2301.00001.gz": gzip.compress(paper)}))
    with pytest.raises(SourceError, match=r"member 'b\.tex' of 2301/2301\.00001 brings .* above max_bytes=67108864"):
        list(tex(input_file(tmp_path / "bulk.tar")))
