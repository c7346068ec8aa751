"""Numbers and texts for people: 1.2 M, 3.4 GB, 1 h 12 min, and document text made harmless to show.

Document text is hostile until proven otherwise: it may hold markup, control characters, direction overrides that
reorder the page around them, lone surrogates that no encoder accepts, or ten million characters. Markup is escaped by
the template; the rest is made visible here, for the page and the terminal alike (an ESC drives a terminal).
"""

from __future__ import annotations

import re

import numpy as np

#: Characters shown of any text that comes from documents, recipes or packages.
LONGEST = 600

#: Direction marks, isolates and overrides, zero-width characters, line separators and byte-order marks: invisible, and able to mislead.
_INVISIBLE = "\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_HARMFUL = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}\ud800-\udfff\ufffe\uffff]")

#: Each unit is `step` times the one before; below the first, the number is exact.
_COUNT_UNITS = ("", " k", " M", " G", " T", " P")
_BYTE_UNITS = (" B", " kB", " MB", " GB", " TB", " PB")


def clean(text: str, limit: int = LONGEST) -> str:
    """At most `limit` characters of `text`, with everything invisible or harmful written out as ⟨hex⟩ (controls as their pictures)."""
    cut = text[:limit]
    shown = _HARMFUL.sub(_visible, cut)
    return shown + "…" if len(text) > limit else shown


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0D:
        return ""
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"⟨{code:04X}⟩"


def exact(number: float | None) -> str:
    """Every digit, grouped: 1,234,567."""
    if number is None:
        return ""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"


def count(number: int | None) -> str:
    """Every digit below ten thousand, three above: 9,876, 12.3 k, 45.6 M; a dash for what isn't known."""
    if number is None or abs(number) >= 10_000:
        return "–" if number is None else _scaled(number, _COUNT_UNITS)
    return f"{number:,}"


def mark(number: float) -> str:
    """A number on an axis: three significant digits and no exponent, 0.25, 1,180, 100 k."""
    rounded = float(f"{number:.3g}")
    return count(int(rounded)) if rounded == int(rounded) else np.format_float_positional(rounded, trim="-")


def size(number: float | None) -> str:
    """Bytes in decimal units: 812 B, 1.23 MB."""
    return "–" if number is None else _scaled(number, _BYTE_UNITS)


def _scaled(number: float, units: tuple[str, ...]) -> str:
    value, index = float(number), 0
    while abs(value) >= 999.5 and index < len(units) - 1:
        value, index = value / 1000, index + 1
    if index == 0:
        return f"{number:g}{units[0]}"
    return f"{value:.{_decimals(value)}f}{units[index]}"


def _decimals(value: float) -> int:
    """Decimals that leave three significant digits of a number below 1000."""
    return 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0


def share(fraction: float | None) -> str:
    """A fraction as a percentage, with more digits near nought, so that "0 %" means none at all."""
    if fraction is None:
        return "–"
    percent = fraction * 100
    if percent == 0 or abs(percent) >= 9.95:
        return f"{percent:.1f} %" if percent not in (0, 100) else f"{percent:.0f} %"
    return f"{percent:.2f} %" if abs(percent) >= 0.005 else ("<0.01 %" if percent > 0 else ">-0.01 %")


def signed(number: int) -> str:
    """A difference: +12, −3, or ±0."""
    return "±0" if number == 0 else f"{'+' if number > 0 else '−'}{abs(number):,}"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 0.4 s, 12.3 s, 4 min 05 s, 1 h 12 min, 3 d 04 h."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def plural(number: int, noun: str) -> str:
    """1 document, 2 documents."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
