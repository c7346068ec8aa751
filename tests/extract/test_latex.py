"""The extractor "latex": what goes, what stays, what is expanded."""

from __future__ import annotations

import time

import pytest
from extract_kit import extract_one

from pipeline.extract.latex import latex

FILL = "The rest of the paper is about what was said before. " * 20

PAPER = r"""% a comment line
\documentclass{article}
\newcommand{\RR}{\mathbb{R}}
\newcommand\eps{\varepsilon}
\def\oo{\infty}
\renewcommand{\Re}{\operatorname{Re}}
\newcommand{\pair}[2]{(#1, #2)}
\def\twice#1{#1#1}
\DeclareMathOperator{\spec}{Spec}
\newcommand{\balls}{balls of \RR}
\title[short]{On {\em small} balls in $\RR^n$}
\begin{document}
\maketitle
Thanks to nobody. % nor to you
\begin{abstract}We show that 5\% of balls are small.\end{abstract}
\section{Introduction}\label{intro}
Let $x \in \RR^n$, $\eps>0$ and $\Re x < \oo$. The \balls{} are $\pair{a}{b}$ in $\spec A$. \\% end
Done \RRR.
\includegraphics[width=3cm]{ball.pdf}
\begin{verbatim}
100 % of \RR
\end{verbatim}
\begin{tikzpicture}\draw (0,0);\end{tikzpicture}
\section*{Second}
See \cite{doe}. @
\begin{thebibliography}{9}\bibitem{doe} J. Doe\end{thebibliography}
\bibliography{all}
\end{document}
Notes to the editor.""".replace("@", FILL)


def test_a_paper() -> None:
    paper = extract_one(latex, PAPER)
    assert paper.facts == {"meta": {"title": r"On small balls in $ R ^n$"}}
    assert (paper.text or "").split("\n") == [
        r"\begin{abstract}We show that 5\% of balls are small.\end{abstract}",
        "",
        r"\section{Introduction}\label{intro}",
        r"Let $x \in \mathbb{R}^n$, $\varepsilon>0$ and $\operatorname{Re} x < \infty$. The balls of \mathbb{R}{} are $\pair{a}{b}$ in"
        r" $\operatorname{Spec} A$. \\",
        r"Done \RRR.",
        "",
        r"\begin{verbatim}",
        r"100 % of \RR",
        r"\end{verbatim}",
        "",
        r"\section*{Second}",
        r"See \cite{doe}. " + FILL.strip(),
    ]


def test_macros_can_stay() -> None:
    assert r"$x \in \RR^n$" in (extract_one(latex, PAPER, expand_macros=False).text or "")


def test_a_chapter_without_a_document_is_taken_whole() -> None:
    assert extract_one(latex, "An epigraph.\n\\chapter{One} % first\nText.\n").text == "An epigraph.\n\\chapter{One} \nText.".replace(
        " \n", "\n"
    )


def test_a_first_section_far_down_cuts_nothing() -> None:
    body = "A letter without sections. " * 20
    assert extract_one(latex, f"\\begin{{document}}{body}\\section{{End}}x\\end{{document}}").text == f"{body}\\section{{End}}x"


def test_a_comment_cant_open_an_environment_nor_hide_an_escaped_percent() -> None:
    source = "a \\% b\n% \\begin{comment}\nc\n\\begin{comment}d\\end{comment}e \\\\% f\n"
    assert extract_one(latex, source).text == "a \\% b\nc\ne \\\\"


def test_latin1_and_reasons() -> None:
    assert extract_one(latex, "Poincaré et Weierstraß, Å.".encode("latin-1")).text == "Poincaré et Weierstraß, Å."
    assert extract_one(latex, "% nothing\n\\begin{document}\\maketitle\\end{document}").reason == "empty"
    assert extract_one(latex, "x" * 100, max_bytes=99).reason == "too_large"


@pytest.mark.parametrize(
    "source",
    [
        "\\begin{verbatim}" * 100_000,
        "\\title{" * 100_000,
        "\\def\\a{" * 100_000,
        "\\newcommand{\\a}{\\a\\a\\a\\a}" + "\\a" * 100_000,
        "\\begin{abstract}" * 50_000 + "\\section{x}" + "x" * 2_000_000,
        "%" * 1_000_000,
        "\\\\" * 500_000 + "%",
        "\\includegraphics[" * 50_000,
    ],
    ids=range(8),
)
def test_hostile_sources_take_no_longer(source: str) -> None:
    start = time.process_time()
    found = extract_one(latex, f"\\begin{{document}}{source}")
    assert time.process_time() - start < 5
    assert len(found.text or "") < 60 * len(source)
