"""mdoc(7)'s macros that stand within a line: options, names, quotes, as plain words."""

from __future__ import annotations

from collections.abc import Sequence

#: What a macro puts before and after what follows it in its line.
_AROUND = {
    "Op": ("[", "]"), "Oo": ("[", ""), "Oc": ("", "]"), "Bq": ("[", "]"), "Pq": ("(", ")"), "Aq": ("<", ">"), "Qq": ('"', '"'),
    "Dq": ("“", "”"), "Sq": ("‘", "’"), "Ql": ("‘", "’"), "In": ("#include <", ">"), "Fl": ("-", ""), "Fn": ("", "()"),
}  # fmt: skip
_PLAIN = str.split(
    "Nm Nd Ar Cm Em Sy Li Pa Ev Va Vt Fa Ft An Ad Dv Er Ic Tn St Lk Mt Bx Ux Nx Fx Ox Ns Ap D1 Dl Cd Fd Xr Pf No Sx Ms Rv Ex"
)
#: Macros that give text, alone or in the arguments of others.
MDOC = frozenset([*_AROUND, *_PLAIN])

_CLOSING = (".", ",", ";", ":", ")", "]", "?", "!")


def inline(words: Sequence[str], name: str) -> str:
    """The text of one line of macros and arguments; `name` is what .Nm stands for when it is given none."""
    end = len(words)
    while end and words[end - 1] in _CLOSING:  # what closes the sentence stands behind what closes the quote
        end -= 1
    words, trailing = words[:end], words[end:]
    out: list[str] = []
    closers: list[str] = []
    joined = False
    before, after = "", ""

    def put(word: str) -> None:
        nonlocal joined
        if out and (joined or word in _CLOSING):
            out[-1] += word
        else:
            out.append(word)
        joined = False

    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word in ("Ns", "Pf", "Ap"):
            if word == "Pf" and index < len(words):
                put(words[index])
                index += 1
            joined = True
        elif word == "Xr" and index + 1 < len(words):
            put(f"{words[index]}({words[index + 1]})")
            index += 2
        elif word in ("Fl", "Fn"):
            before, after = _AROUND[word]
            if index == len(words) or words[index] in MDOC:
                put(before)
        elif word in _AROUND:
            opening, closing = _AROUND[word]
            if opening:
                put(opening)
                joined = True
            elif closing:
                joined = True
                put(closing)
            closers += [closing] if opening and closing else []
            before, after = "", ""
        elif word in MDOC:
            before, after = "", ""
            if word == "Nm" and (index == len(words) or words[index] in MDOC or words[index] in _CLOSING) and name:
                put(name)
        else:
            put(f"{before}{word}{after}" if word not in _CLOSING else word)
    return " ".join(out) + "".join(reversed(closers)) + "".join(trailing)
