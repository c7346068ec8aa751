"""Troff's escapes as plain text: fonts and motions dropped, special characters by name, strings filled in (groff(7))."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Special characters by their two-letter or longer names (groff_char(7)): those that manual pages use.
_CHARACTERS = dict(
    pair.split("=", 1)
    for pair in str.split(
        "em=— en=– hy=- mi=− -=- lq=“ rq=” oq=‘ cq=’ aq=' dq=\" Bq=„ bq=‚ Fo=« Fc=» fo=‹ fc=› bu=• ci=○ sq=□ lh=☜ rh=☞ dg=† dd=‡"
        " ps=¶ sc=§ co=© rg=® tm=™ de=° mc=µ fm=′ sd=″ ha=^ ti=~ rs=\\ sl=/ ba=| br=| bv=| ul=_ ru=_ at=@ sh=# Do=$ Eu=€ eu=€ Po=£ Ye=¥"
        " ct=¢ ga=` aa=´ ad=¨ a^=^ a~=~ ac=¸ lB=[ rB=] lC={ rC=} la=⟨ ra=⟩ <-=← ->=→ <>=↔ ua=↑ da=↓ lA=⇐ rA=⇒ hA=⇔ mu=× di=÷ +-=± **=∗"
        " <==≤ >==≥ !==≠ ===≡ ~~=≈ ap=∼ if=∞ sr=√ is=∫ pd=∂ gr=∇ mo=∈ sb=⊂ sp=⊃ ca=∩ cu=∪ es=∅ fa=∀ te=∃ AN=∧ OR=∨ no=¬ tno=¬"
        " 12=½ 14=¼ 34=¾ S1=¹ S2=² S3=³ Of=ª Om=º r!=¡ r?=¿ ss=ß AE=Æ ae=æ OE=Œ oe=œ /O=Ø /o=ø oA=Å oa=å ,C=Ç ,c=ç ~N=Ñ ~n=ñ"
        " 'A=Á 'E=É 'I=Í 'O=Ó 'U=Ú 'a=á 'e=é 'i=í 'o=ó 'u=ú `A=À `E=È `a=à `e=è `i=ì `o=ò `u=ù :A=Ä :E=Ë :I=Ï :O=Ö :U=Ü :a=ä :e=ë :i=ï"
        " :o=ö :u=ü ^A=Â ^E=Ê ^I=Î ^O=Ô ^U=Û ^a=â ^e=ê ^i=î ^o=ô ^u=û *a=α *b=β *g=γ *d=δ *e=ε *l=λ *m=μ *p=π *s=σ *t=τ *w=ω *D=Δ *W=Ω"
    )
)
#: Escapes of one character that stand for one, or for nothing.
_SINGLE = {"-": "-", "e": "\\", "\\": "\\", " ": " ", "~": " ", "0": " ", "'": "´", "`": "`", "_": "_", "t": "\t", ".": ".", "E": "\\"}

#: Names and arguments are bounded, so that one left open isn't looked for to the end of each line.
_ESCAPE = re.compile(
    r"\\(?:[\"#](?P<comment>.*)"
    r"|f(?:\[[^\]]{0,40}\]|\(..|.)|s(?:[-+]?\[[^\]]{0,40}\]|'[^']{0,40}'|[-+]?\([-+]?\d\d|[-+]?\d)|[mMFnVYg](?:\[[^\]]{0,40}\]|\(..|.)"
    r"|\*(?P<string>\[[^\]]{0,40}\]|\(..|.)"
    r"|\[u(?P<code>[0-9A-Fa-f]{4,6})\]|\[(?P<long>[^\]]{0,40})\]|\((?P<pair>..)|C'(?P<quoted>[^']{0,40})'|N'(?P<number>\d{1,4})'"
    r"|[hvwlLoxXAbBDHRSZk](?P<mark>['\"]).{0,80}?(?P=mark)|(?P<single>.)|$)"
)
_STRINGS = {"R": "®", "Tm": "™", "lq": "“", "rq": "”", "S": ""}


def plain(line: str, strings: Mapping[str, str]) -> str:
    """One line without its escapes; `strings` are those the page has defined (.ds)."""
    return _ESCAPE.sub(lambda found: _character(found, strings), line) if "\\" in line else line


def _character(found: re.Match[str], strings: Mapping[str, str]) -> str:
    if found["string"]:
        name = found["string"].strip("[]").removeprefix("(")
        return strings.get(name, _STRINGS.get(name, ""))
    if found["code"]:
        return _scalar(int(found["code"], 16))
    if found["number"]:
        return _scalar(int(found["number"]))
    name = found["pair"] or found["long"] or found["quoted"]
    if name:
        return _named(name.partition(" ")[0])  # "e aa" is an e with an accent
    return _SINGLE.get(found["single"] or "", "")


def _named(name: str) -> str:
    if name in _CHARACTERS:
        return _CHARACTERS[name]
    if re.fullmatch(r"u[0-9A-Fa-f]{4,6}(?:_[0-9A-Fa-f]{4,6})*", name):
        return "".join(_scalar(int(code, 16)) for code in name[1:].split("_"))
    return name if len(name) == 1 else ""


def _scalar(code: int) -> str:
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
