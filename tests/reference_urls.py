"""Plain Python twin of the form of web addresses, with regular expressions, after RFC 3986 and the rules in `kernels/urls.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from reference import ascii_lower

PORTS = {"http": "80", "https": "443", "ftp": "21"}
UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
RESERVED = frozenset(":/?#[]@!$&'()*+,;=")


class Address(NamedTuple):
    text: str
    scheme: str = ""
    host: str = ""
    path: str = ""
    key: str = ""


def address(text: str, tracking: Sequence[str]) -> Address:
    text = re.sub(r"[\t\n\r]", "", text.strip("".join(map(chr, range(33)))))
    scheme, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return Address(text, key=text)
    scheme = scheme.lower()
    found = _special(scheme, rest, tracking) if scheme in PORTS else None
    return found or Address(f"{scheme}:{rest}", scheme, key=f"{scheme}:{rest}")


def _special(scheme: str, rest: str, tracking: Sequence[str]) -> Address | None:
    before, _, query = rest.partition("#")[0].partition("?")
    before = before.replace("\\", "/").lstrip("/")
    authority, slash, path = before.partition("/")
    authority = authority.rpartition("@")[2]
    bracket = re.match(r"\[[^\]]*\]", authority)
    at = authority.find(":", bracket.end() if bracket else 0)
    host, port = (authority[:at], authority[at + 1 :]) if at >= 0 else (authority, "")
    host = ascii_lower(encoded(plain_host(host))).rstrip(".")
    if not host:
        return None
    port = ascii_lower(encoded(port))
    if re.fullmatch("[0-9]+", port):
        port = port.lstrip("0") or "0"
    port = f":{port}" if port and port != PORTS[scheme] else ""
    path = resolved(encoded(slash + path))
    kept = [piece for piece in map(encoded, query.split("&")) if piece and not tracked(piece.partition("=")[0], tracking)]
    tail = f"{host}{port}{path}" + ("?" + "&".join(kept) if kept else "")
    key = tail[4:] if host.startswith("www.") and "." in host[4:] else tail
    return Address(f"{scheme}://{tail}", scheme, host, path, key)


def plain_host(host: str) -> str:
    if host.isascii() and "%" not in host:
        return host
    try:
        name = unquote_to_bytes(host).decode("utf-8")
        found = name.encode("idna").decode("ascii") if len(name) <= 253 else ""
    except UnicodeError:
        return host
    return host if not found or re.search(r"[\x00-\x20#%/:<>?@\[\\\]^|\x7f]", found) else found


def encoded(text: str) -> str:
    """Percent-encoding as it is to be: of each byte that needs it, in capitals."""
    return re.sub(r"%([0-9A-Fa-f]{2})|(.)", _one, text, flags=re.DOTALL)


def _one(match: re.Match[str]) -> str:
    if match[1]:
        char = chr(int(match[1], 16))
        return char if char in UNRESERVED else f"%{match[1].upper()}"
    if match[2] in UNRESERVED | RESERVED:
        return match[2]
    return "".join(f"%{byte:02X}" for byte in match[2].encode())


def resolved(path: str) -> str:
    """RFC 3986, section 5.2.4, on a whole path."""
    segments: list[str] = []
    pieces = path.split("/")[1:]
    for piece in pieces:
        if piece == "..":
            segments = segments[:-1]
        elif piece != ".":
            segments.append(piece)
    ends_open = not pieces or pieces[-1] in (".", "..")
    return "/" + "/".join(segments) + ("/" if ends_open and segments else "")


def tracked(name: str, tracking: Sequence[str]) -> bool:
    name = ascii_lower(name)
    return any(name.startswith(known[:-1]) if known.endswith("*") else name == known for known in tracking)


# ---- lists ----------------------------------------------------------------------------------------------------------

SINKS = ("0.0.0.0", "127.0.0.1", "::", "::1")


def entries(text: str) -> list[str]:
    """The first word of each line, or all after the address of a line of a hosts file."""
    out = []
    for line in text.removeprefix("\ufeff").split("\n"):
        words = [word for word in re.split(r"[\x00-\x20]+", line) if word]
        comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
        words = words[:comment]
        out += words[1:] if words and words[0] in SINKS else words[:1]
    return out


def in_domains(host: str, domains: set[str]) -> bool:
    names = host.split(".")
    return any(".".join(names[at:]) in domains for at in range(len(names)) if len(".".join(names[at:])) <= 255)


def extension(path: str) -> str:
    name = path.rpartition("/")[2]
    return "" if ":" in name else ascii_lower(name.rpartition(".")[2]) if "." in name else ""


def body(found: Address) -> str:
    """What words are looked for in: all from the host on, in lower case."""
    return ascii_lower(found.text[found.text.index("//") + 2 :] if found.host else found.text)


def words(found: Address) -> list[str]:
    """Longest runs of letters, digits, and encoded bytes outside ASCII."""
    return re.findall("(?:[a-z0-9\x80-\U0010ffff]|%[89a-f][0-9a-f])+", body(found))


def squeezed(found: Address) -> str:
    return re.sub("[-.]", "", body(found))
