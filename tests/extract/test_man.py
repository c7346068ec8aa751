"""The extractor "man": troff's macros and escapes, mdoc, tables, and sources that define more than they say."""

from __future__ import annotations

import time

import pytest
from extract_kit import extract_one
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.man import man

PAGE = r"""'\" t -*- coding: UTF-8 -*-
.\" Copyright of nobody
.de XX
.ft B
..
.ie n .ds Aq '
.el .ds Aq \(aq
.if t \{\
.ds Tq wide
not for terminals \}
.TH WELL 7 "2024\-05\-01" "Tools" "Manual"
.SH NOMBRE
well \- saca agua
.SH "DESCRIPCIÓN LARGA"
.PP
El comando \fBwell\fP(7) saca \fI\,agua\/\fP
y la lleva \(em si puede \(em a \(Foca\%sa\(Fc.
.br
It\*(Aqs done.\" not this
.TP
\fB\-d\fR, \fB\-\-depth\fR=\fIN\fR
baja
.I N
metros
.TP
.BR \-h ", " \-\-help
muestra esto
.IP \(bu 2
primero
.IP "a longer tag"
segundo
.RS
.nf
$ well \-d 3
    agua\e
.fi
.RE
.SS Véase
.BR bucket (1),
.UR http://well.invalid
.UE
.\" .SH HIDDEN
.ig
ignored
..
"""


def test_a_manual_page() -> None:
    page = extract_one(man, PAGE)
    assert page.facts == {"meta": {"title": "WELL"}}
    assert (page.text or "").split("\n") == [
        "NOMBRE",
        "",
        "well - saca agua",
        "",
        "DESCRIPCIÓN LARGA",
        "",
        "El comando well(7) saca agua y la lleva — si puede — a «casa».",
        "It's done.",
        "",
        "-d, --depth=N",
        "baja N metros",
        "",
        "-h, --help",
        "muestra esto",
        "",
        "• primero",
        "",
        "a longer tag",
        "segundo",
        "",
        "$ well -d 3",
        "    agua\\",
        "",
        "Véase",
        "",
        "bucket(1), http://well.invalid",
    ]


def test_mdoc() -> None:
    page = r""".Dd May 1, 2024
.Dt WELL 7
.Os
.Sh NAME
.Nm well
.Nd draw water
.Sh SYNOPSIS
.Nm
.Op Fl d Ar depth
.Op Fl hv
.Ar bucket ...
.Sh DESCRIPTION
The
.Nm
utility draws
.Em water ,
see
.Xr bucket 1 .
.Pp
Say
.Dq please .
.Bl -tag
.It Fl d Ar depth
Go down.
.El
"""
    assert (extract_one(man, page).text or "").split("\n") == [
        "NAME",
        "",
        "well — draw water",
        "",
        "SYNOPSIS",
        "",
        "well [-d depth] [-hv] bucket ...",
        "",
        "DESCRIPTION",
        "",
        "The well utility draws water, see bucket(1).",
        "",
        "Say “please”.",
        "",
        "-d depth",
        "Go down.",
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\(aq\(dq\(co\(:a\(~n\[u00E9]\['a]\[u0065_0301]", "'\"©äñéáé"),
        (r"\s-1small\s0 \s+2x\s'12'y\f(CWz\f[B]w\fR", "small xyzw"),
        (r"a\ b\~c\0d\&e\|f\^g\:h\%i\cj", "a b c defghij"),
        (r"\m[red]x\m[] \h'1i'y \v'-.4m'z \w'abc'", "x y z"),
        (r"\\fB \e \- \' \`", "\\fB \\ - ´ `"),
        (r"\*R \*(Tm \*[undefined]x \n(.xy \[nosuch]z", "® ™ x y z"),
        (r"\u\d\p\[uD800]\[u110000]end", "end"),
        ("joined \\\nlines", "joined lines"),
    ],
)
def test_escapes(source: str, text: str) -> None:
    assert extract_one(man, f".PP\n{source}\n").text == text


def test_tables_give_their_rows() -> None:
    page = ".TS\ntab(:) allbox;\nlb lb\nl l.\nName:Value\n_\nT{\nlong\nT}:\\fBx\\fR\na:b\n.TE\nafter\n"
    assert extract_one(man, page).text == "Name  Value\nlong\nx\na  b\n\nafter"


def test_conditions_nest() -> None:
    page = ".ie t \\{\\\n.if n no\nno\n.\\}\n.el \\{\\\n.if t no\nyes\n.if n \\{\\\ninner\n.\\}\n.\\}\nend\n"
    assert extract_one(man, page).text == "yes inner end"


def test_reasons() -> None:
    assert extract_one(man, ".so man1/bucket.1\n").reason == "link"
    assert extract_one(man, '.TH X 1\n.\\" nothing\n').reason == "empty"
    assert extract_one(man, ".PP\nx", max_bytes=3).reason == "too_large"
    assert extract_one(man, b"\0\1\2" * 50).reason == "binary"


def test_an_old_page_in_latin1() -> None:
    assert extract_one(man, ".SH AÑO\nniño, señor y demás\n".encode("latin-1")).text == "AÑO\n\nniño, señor y demás"


@pytest.mark.parametrize(
    "line",
    [
        r"\[" * 200_000,
        r"\h'" * 200_000,
        '"' * 200_000,
        ".B " + '"' * 200_000,
        ".if n \\{\\\n" * 50_000,
        ".if n " * 50_000,
        ".de\n" * 50_000,
    ],
    ids=range(7),
)
def test_hostile_pages_take_no_longer(line: str) -> None:
    start = time.process_time()
    extract_one(man, f".PP\n{line}\n")
    assert time.process_time() - start < 5


TOKENS = [".", "'", "\\", '"', "if", "ie", "el", " n ", "\\{", "\\}", "\n", "TS", "TE", "It", "Xr", "ds", "f", "[", "(", "x", "Op"]


@given(st.lists(st.sampled_from(TOKENS)))
def test_any_order_of_tokens_is_read(tokens: list[str]) -> None:
    found = extract_one(man, "".join(tokens))
    assert found.text is not None or found.reason in ("empty", "link")
