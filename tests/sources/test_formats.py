"""What a file's name says of it."""

from __future__ import annotations

import pytest

from pipeline.sources.formats import FORMATS, LANGUAGES, Kind, guess


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a/page.html", Kind("html")),
        ("a/PAGE.HTM", Kind("html")),
        ("manual/index.html.fr", Kind("html", lang="fr")),
        ("manual/index.html.ja.utf8", Kind("html", lang="ja", charset="utf8")),
        ("manual/index.html.ru.koi8-r", Kind("html", lang="ru", charset="koi8-r")),
        ("manual/index.html.pt-br", Kind("html", lang="pt-br")),
        ("template.html.in", None),
        ("notes.txt", Kind("text")),
        ("README.md", Kind("markdown")),
        ("index.rst", Kind("rst")),
        ("doc/paper.Rnw", Kind("latex")),
        ("usr/share/man/es/man1/ls.1", Kind("man")),
        ("usr/share/man/man3/printf.3posix", Kind("man")),
        ("usr/lib/libc.so.6", None),
        ("lib/mod.rs", Kind("code", "Rust")),
        ("include/set.h", Kind("code", "C")),
        ("include/set.hpp", Kind("code", "C++")),
        ("a.b/Makefile", None),
        (".html", None),
        ("logo.png", None),
        ("", None),
    ],
)
def test_guess(name: str, kind: Kind | None) -> None:
    assert guess(name) == kind


def test_no_suffix_stands_for_two_things() -> None:
    every = [suffix for table in (FORMATS, LANGUAGES) for suffixes in table.values() for suffix in suffixes.split()]
    assert len(every) == len(set(every))
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in every)
