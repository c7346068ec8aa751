"""Any files by their addresses, or by a list of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from pipeline.contracts import Listing, RemoteFile
from pipeline.fetching.addresses import SCHEMES, Forbidden
from pipeline.registry import publisher
from pipeline.remotes.listings import given_and_listed, within

#: A line of a list as sha256sum and its siblings write them, or an address alone.
_LINE = re.compile(r"(?:([0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})[ \t]+\*?)?(\S+)")
_KINDS = {32: "md5", 40: "sha1", 64: "sha256"}


@publisher("http")
def http(
    listing: Listing,
    *,
    urls: Sequence[str] = (),
    index: str = "",
    base: str = "",
    licence: str = "",
) -> Sequence[RemoteFile]:
    """The files at `urls` (http, https, or s3:// and the like), and those that the list at the address `index` names, one a line.

    A line is an address, or a path below `base` (the list's own folder when empty); a checksum (MD5, SHA-1, SHA-256) may stand
    before it, as `sha256sum` writes it.
    """
    given, lines = given_and_listed(listing, urls, index, "http (urls or index)")
    root = base or index.rpartition("/")[0]
    listed = [_file(line, root, licence) for line in lines]
    ways = (*SCHEMES, index.partition("://")[0])
    for file in listed:
        if file.url.partition("://")[0] not in ways:  # somebody else's list doesn't spend your credentials
            raise Forbidden(f"{index} names {file.url}: a list leads to http, https, or where it lies itself; name it in `urls`")
    return [*(_file(line, root, licence) for line in given), *listed]


def _file(line: str, root: str, licence: str) -> RemoteFile:
    found = _LINE.fullmatch(line)
    checksum, address = (found[1] or "", found[2]) if found else ("", line)
    url = address if "://" in address else within(root, address)
    parts = urlsplit(url)
    name = f"{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    return RemoteFile(name, url, checksum=f"{_KINDS[len(checksum)]}:{checksum}" if checksum else "", licence=licence)
