"""Personal data, told by regular expressions and the standard library: the plain twin of `pipeline.kernels.pii`.

A text is gone through from left to right; at each place the kinds are tried in their order. Characters outside ASCII are
told by their bytes, which no pattern knows.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator

Found = tuple[int, int, str]

# ---- e-mail ---------------------------------------------------------------------------------------------------------

LOCAL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_%+-]|\.(?!\.))*\Z")
DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,24})(?![A-Za-z0-9_])")
SUFFIXES = re.compile(
    r"png|jpe?g|jpe|gif|svg|webp|avif|bmp|ico|tiff?|s?css|sass|less|[mc]?js|[jt]sx?|json|x?html|htm|php|aspx?|jsp|xml|ya?ml|toml|txt|pdf"
    r"|docx?|xlsx?|csv|mp3|mp4|webm|wav|ogg|woff|ttf|otf|eot|exe|dll|tar|t?gz|whl|jar"
)


def email(text: str, floor: int, at: int) -> tuple[int, int] | None:
    run = re.search(r"[A-Za-z0-9._%+-]*\Z", text[floor:at])
    local = LOCAL.search(run[0]) if run and len(run[0]) <= 64 else None
    domain = DOMAIN.match(text, at + 1, at + 1 + 253)
    if not local or not domain or local[0].endswith(".") or re.match(r"[A-Za-z0-9_]", text[domain.end() : domain.end() + 1]):
        return None
    *_, second, top = domain[0].lower().split(".")
    if SUFFIXES.fullmatch(top) or top in ("example", "test", "invalid", "localhost") or local[0].lower() in ("git", "this", "super"):
        return None
    return None if second == "example" and top in ("com", "net", "org") else (at - len(local[0]), domain.end())


# ---- addresses ------------------------------------------------------------------------------------------------------

#: What `ipaddress` of some releases takes for public, or for private, and IANA doesn't.
CLOSED = [ipaddress.ip_network(net) for net in ("100.64.0.0/10", "192.0.0.0/24", "224.0.0.0/3", "2001::/23", "2001:db8::/32", "3fff::/20")]
IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z0-9_]|\.[A-Za-z0-9]|-[A-Za-z])", re.ASCII)
IPV6 = re.compile(r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]*+(?![A-Za-z0-9_]|\.\d)", re.ASCII)
VERSION = re.compile(r"(?<![a-z])(?:v|ver|versions?|release|build)\Z", re.IGNORECASE)


def ip(text: str, floor: int, i: int) -> int | None:
    if not may_start(text, floor, i):
        return None
    four, six = IPV4.match(text, i), IPV6.match(text, i)
    if four and any(int(part) >= 32 for part in four[0].split(".")) and public(four[0]):
        blank = re.search(r"[ .:=\"'(]{0,4}\Z", text[floor:i])
        assert blank
        return None if VERSION.search(text[floor : i - len(blank[0])]) else four.end()
    if six and not six[0].endswith(":") and (i == floor or text[i - 1] != ":") and public(six[0]):
        return six.end()
    return None


def public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_global and not any(parsed in net for net in CLOSED if net.version == parsed.version)


# ---- cards, IBANs, telephones ---------------------------------------------------------------------------------------

CARD = re.compile(
    r"(?:\d{13,19}|\d{4}([ -])(?:\d{6}\1\d{4,5}|\d{4}\1\d{4}\1\d{4}(?!\1\d{4}(?![A-Za-z0-9_.:-]))))(?![A-Za-z0-9_@]|[.-]\d)", re.ASCII
)
ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|3[47]\d{13}|5[1-5]\d{14}|36\d{12,17}|(?:30[0-59]|38\d|39\d)\d{11}|(?:30[0-59]|38\d|39\d)\d{13,16}"
    r"|(?:352[89]|35[3-8]\d|6011|65\d\d|64[4-9]\d|62\d\d|5018|5020|5038|5893|6304|6759|676[1-3])\d{12,15}", re.ASCII,
)  # fmt: skip
COUNTRIES = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA",
    30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
LENGTHS = {country: length for length, countries in COUNTRIES.items() for country in countries.split()}


def may_start(text: str, floor: int, i: int, never_after: str = "_.-") -> bool:
    return i >= floor and (i == floor or not re.match(rf"[A-Za-z0-9{re.escape(never_after)}]", text[i - 1]))


def number_may_start(text: str, floor: int, i: int) -> bool:
    return may_start(text, floor, i, "_.-/+$#@")


def card(text: str, floor: int, i: int) -> int | None:
    found = CARD.match(text, i)
    if not found or not number_may_start(text, floor, i):
        return None
    if found[1] == " " and re.search(r"[0-9] \Z", text[floor:i]):
        return None
    digits = re.sub(r"[ -]", "", found[0])
    mastercard = len(digits) == 16 and 2221 <= int(digits[:4]) <= 2720
    return found.end() if (mastercard or ISSUED.fullmatch(digits)) and luhn(digits) else None


def luhn(digits: str) -> bool:
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(digit), 10)) for digit in even)) % 10 == 0


def iban(text: str, floor: int, i: int) -> int | None:
    start = i - 2
    if start < floor or not may_start(text, floor, start) or text[start:i] not in LENGTHS:
        return None
    length = LENGTHS[text[start:i]]
    whole, rest = divmod(length - 4, 4)
    spaced = rf"(?: [0-9A-Z]{{4}}){{{whole}}}" + (rf" [0-9A-Z]{{{rest}}}" if rest else "")
    found = re.compile(rf"[A-Z]{{2}}[0-9]{{2}}(?:[0-9A-Z]{{{length - 4}}}|{spaced})(?![A-Za-z0-9_])").match(text, start)
    if not found:
        return None
    bare = found[0].replace(" ", "")
    return found.end() if int("".join(str(int(char, 36)) for char in bare[4:] + bare[:4])) % 97 == 1 else None


CODE = r"[2-9](?!11)\d\d"
LINE = r"(?!555[ .-]?01)" + CODE
END = r"(?![A-Za-z0-9_@])(?![.-]\d)"
BARE = re.compile(
    rf"(?:1[ .-]?)?\({CODE}\)[ -]?{LINE}[ .-]\d{{4}}{END}|(?:1(?P<one>[ .-]))?{CODE}(?P<mark>[.-]){LINE}(?P=mark)\d{{4}}{END}", re.ASCII
)
PLUS_ONE = re.compile(rf"\+1\)?[ .-]?(?:\({CODE}\)[ -]?|{CODE}[ .-]?){LINE}[ .-]?\d{{4}}{END}", re.ASCII)
CODES = re.compile(
    r"7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|21[12368]|22\d|23\d|24\d|25[0-8]|26\d|29[01789]|35\d|37\d|38[0-35-79]"
    r"|42[013]|50\d|59\d|67[02-9]|68[0-35-9]|69[0-2]|85[02356]|88[06]|96[0-8]|97[0-7]|99[2-68]", re.ASCII,
)  # fmt: skip
AREA = re.compile(r"\)?(?:[ -]?\((\d{1,5})\)|(?![ .-]?00))", re.ASCII)
GROUP = re.compile(r"([ .-]?)(\d+)(?![A-Za-z0-9_@])", re.ASCII)


def american(text: str, floor: int, i: int) -> int | None:
    found = BARE.match(text, i)
    if not found or not number_may_start(text, floor, i) or found["one"] not in (None, " ", found["mark"]):
        return None
    return found.end()


def international(text: str, floor: int, i: int) -> int | None:
    if not number_may_start(text, floor, i):
        return None
    if text[i + 1 : i + 2] == "1":
        found = PLUS_ONE.match(text, i)
        return found.end() if found else None
    code = CODES.match(text, i + 1)
    area = AREA.match(text, code.end()) if code else None
    if not code or not area or re.match(r"20\d\d(?!\d)", text[i + 1 :], re.ASCII):
        return None
    marks, stop, digits = "", area.end(), len(code[0]) + len(area[1] or "")
    while (group := GROUP.match(text, stop)) and digits + len(group[2]) <= 15:
        marks, stop, digits = marks + group[1], group.end(), digits + len(group[2])
    return stop if digits >= 9 and marks != "." else None


# ---- keys -----------------------------------------------------------------------------------------------------------

KEYS = [
    ("A", r"A[KS]IA[A-Z0-9]{9}(?!EXAMPLE)[A-Z0-9]{7}(?![A-Za-z0-9_])"),
    ("A", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("J", r"eyJ[A-Za-z0-9_-]{7,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"),
    ("_", r"gh[oprsu]_[A-Za-z0-9]{36,}+(?![A-Za-z0-9_])"),
    ("_", r"github_pat_[A-Za-z0-9_]{22,}"),
    ("_", r"[rs]k_live_[A-Za-z0-9]{16,}+(?![A-Za-z0-9_])"),
    ("-", r"sk-(?P<random>[A-Za-z0-9_-]{20,})"),
    ("-", r"xox[A-Za-z]-(?=(?:[A-Za-z-]*[0-9]){8})[A-Za-z0-9-]{10,}+(?![A-Za-z0-9_])"),
]
ASSIGNED = re.compile(
    r"(?:api|secret|access|auth|client|private|bearer)[_ -]?(?:key|token|secret)[\"'`]?[ \t]{0,8}[=:][=>]?[ \t]{0,8}"
    r"([\"'`])(?P<random>[A-Za-z0-9_+/=.~-]{20,128})\1", re.IGNORECASE,
)  # fmt: skip
BLOCK = re.compile(r"-----BEGIN (?=[A-Z0-9 ]{11,40}-)[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?P<body>(?:(?!-----).){0,32768})", re.DOTALL)
END_LINE = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")
LOOSE = re.compile(r"(?:[ \t\n\r\x0b\x0c\\]*[A-Za-z0-9+/=]{24,})+")


def random(value: str) -> bool:
    kinds = re.sub(r"[0-9]+", "0", re.sub(r"[A-Za-z]+", "a", re.sub(r"[^A-Za-z0-9]", "", value)))
    return len(kinds) >= 5 and sum(char.isdigit() for char in value) >= 3 and len(set(value)) >= 10


def api_key(text: str, floor: int, i: int) -> tuple[int, int] | None:
    for sign, pattern in KEYS:
        if text[i] != sign:
            continue
        for start in range(max(floor, i - 6), i + 1):
            found = re.compile(pattern).match(text, start)
            if (
                found
                and text.index(sign, start) == i
                and may_start(text, floor, start)
                and random(found.groupdict().get("random") or "a0b1c2d3e4f5")
            ):
                return start, found.end()
    if text[i] in "=:":
        for start in range(max(floor, i - 40), i):
            found = ASSIGNED.match(text, start)
            if found and re.match(r"[^=:]*\Z", text[start:i]) and random(found["random"]):
                return found.span("random")
    return None


def private_key(text: str, floor: int, i: int) -> int | None:
    found = BLOCK.match(text, i)
    if not found or not (may_start(text, floor, i) or re.search(r"\\[nr]\Z", text[floor:i])):
        return None
    closed = END_LINE.match(text, found.end())
    if closed and re.search(r"[A-Za-z0-9+/=]{24}", found["body"]):
        return closed.end()
    loose = LOOSE.match(text, found.start("body"))
    return loose.end() if loose else None


# ---- all of them ----------------------------------------------------------------------------------------------------

AT_DIGIT = (("ip", ip), ("card", card), ("phone", american))


def find(text: str, kinds: Collection[str]) -> list[Found]:
    """(start, stop, kind) in bytes of UTF-8, in order."""
    raw, floor, found = text.encode().decode("latin-1"), 0, []
    for sign in re.finditer(r"[-@0-9+(AJ_=:]", raw):
        if sign.start() >= floor and (hit := next((hit for hit in candidates(raw, floor, sign.start()) if hit[2] in kinds), None)):
            found.append(hit)
            floor = hit[1]
    return found


def candidates(raw: str, floor: int, i: int) -> Iterator[Found]:
    char = raw[i]
    if char == "@" and (span := email(raw, floor, i)):
        yield *span, "email"
    if char in "0123456789" and (i == floor or raw[i - 1] not in "0123456789"):
        if stop := iban(raw, floor, i):
            yield i - 2, stop, "iban"
        yield from ((i, stop, kind) for kind, rule in AT_DIGIT if (stop := rule(raw, floor, i)))
    if char == "(" and (stop := american(raw, floor, i)):
        yield i, stop, "phone"
    if char == "+" and (stop := international(raw, floor, i)):
        yield i, stop, "phone"
    if char == "-" and (stop := private_key(raw, floor, i)):
        yield i, stop, "private_key"
    if char in "AJ_-=:" and (span := api_key(raw, floor, i)):
        yield *span, "api_key"
