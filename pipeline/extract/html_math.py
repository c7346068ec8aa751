"""Formulas of a page as TeX between dollars: MathJax's scripts, KaTeX's and Wikipedia's annotations, MathML that has no source."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_ANNOTATION = re.compile(r'<annotation encoding="(?:application/x-tex|TeX|text/tex)"[^>]*>([^<]*)</annotation>', re.I)
_ALTERNATIVE = re.compile(r' alttext="([^"]*)"')
_DISPLAY = re.compile(r' display="block"| mode="display"|mode=display')
_STYLED = re.compile(r"^\{\\(?:display|text)style\s?(.*)\}$", re.S)
_TAG = re.compile(r"<[^>]*>")
#: A formula longer than this is no formula, or not worth reading as a tree.
_MAX_CHARS = 20_000
#: MathML's elements of two or three parts, as TeX.
_PATTERNS = {
    "mfrac": r"\frac{{{0}}}{{{1}}}", "msup": "{0}^{{{1}}}", "msub": "{0}_{{{1}}}", "msubsup": "{0}_{{{1}}}^{{{2}}}",
    "munder": "{0}_{{{1}}}", "mover": "{0}^{{{1}}}", "munderover": "{0}_{{{1}}}^{{{2}}}", "mroot": r"\sqrt[{1}]{{{0}}}",
}  # fmt: skip


def unescaped(text: str) -> str:
    """The text that a parser wrote out: it knows four entities."""
    if "&" not in text:
        return text
    return text.replace("&nbsp;", "\xa0").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def formula(name: str, attributes: str, content: str) -> str:
    """The formula of a <script type="math/tex"> or a <math>, "" if there is none: $...$, or $$...$$ on a line of its own."""
    source = content if name == "script" else _source(attributes, content)
    source = " ".join(source.split())
    if not source or len(source) > _MAX_CHARS:
        return ""
    return f"\n$${source}$$\n" if _DISPLAY.search(attributes) else f"${source}$"


def _source(attributes: str, content: str) -> str:
    found = _ANNOTATION.search(content) or _ALTERNATIVE.search(attributes)
    if not found:
        return _from_mathml(content)
    source = unescaped(found[1]).strip()
    styled = _STYLED.match(source)
    return styled[1] if styled else source


def _from_mathml(content: str) -> str:
    """TeX of fractions, powers, indices and roots; what it doesn't know, it gives as text."""
    if len(content) > _MAX_CHARS:
        return ""
    try:
        return _tex(ElementTree.fromstring(f"<math>{content.replace('&nbsp;', ' ')}</math>"))
    except (ElementTree.ParseError, RecursionError):
        return unescaped(_TAG.sub(" ", content))


def _tex(element: ElementTree.Element) -> str:
    if element.tag in ("annotation", "annotation-xml"):
        return ""
    parts = [_tex(child) for child in element]
    pattern = _PATTERNS.get(element.tag)
    if pattern and len(parts) == pattern.count("{{{") + pattern.startswith("{0}") + pattern.count("[{1}]"):
        return pattern.format(*parts)
    inner = " ".join(part for part in [(element.text or "").strip(), *parts] if part)
    return rf"\sqrt{{{inner}}}" if element.tag == "msqrt" else inner
