"""Web addresses in one form, so that two spellings of an address are equal: what block lists and dedupe by URL compare.

The form is that of RFC 3986, section 6.2, after the repairs that browsers make (WHATWG's URL standard):

- White space and controls around an address go, as do tabs and line ends inside. Scheme and host are in lower case.
  Of http, https and ftp addresses (the others are opaque: only their scheme is touched) "\\" before the query is "/",
  and any number of slashes may stand before the host.
- User and password, a default or empty port, leading zeros of a port, dots at the end of the host and the fragment go
  ("#!..." too: what it named isn't crawled any more).
- A host has its percent-encoding undone, and letters outside ASCII in Punycode by IDNA 2003, which is what Python has: "ß" is
  "ss" there. Lists of domains go through the same code, so the two only part where a list has the Punycode of such a letter.
  IP addresses stay as they are written.
- Percent-encoding: letters, digits and "-._~" are never encoded, other reserved characters stay as they came, everything else is
  encoded, in capitals. A "%" that encodes nothing is "%25". An empty path is "/"; dot segments are resolved, "//" stays.
- Parameters that only tell where a visitor came from (TRACKING) and empty ones go. The others keep their order: a server may
  read them by place (a=1&a=2), and pages that link to one another in two orders are rare.

"http" and "https", "www.example.com" and "example.com" stay apart, as the address must stay one that can be fetched. What
compares pages is the *key*: the address from its host on, without "www.". The form of a form is itself.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.arrow import Bytes, Ints, Texts, encoded, large_strings, texts
from pipeline.kernels.hashing import hash_rows
from pipeline.kernels.urlparts import HOST, HOST_END, KEY, KINDS, SCHEME_END, gather, odd_hosts, trim, write_addresses

#: Names of parameters that tell how a visitor came: of campaigns (those in "*" are beginnings), of clicks, of newsletters.
TRACKING = (
    "utm_*", "mtm_*", "pk_*", "hsa_*", "_ga", "_gl", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "srsltid", "fbclid",
    "fb_action_ids", "fb_action_types", "fb_source", "fb_ref", "igshid", "igsh", "msclkid", "yclid", "ysclid", "_openstat",
    "twclid", "ttclid", "li_fat_id", "epik", "mc_cid", "mc_eid", "_hsenc", "_hsmi", "__hssc", "__hstc", "__hsfp", "mkt_tok",
    "vero_id", "oly_anon_id", "oly_enc_id", "rb_clickid", "s_cid", "wickedid", "ml_subscriber", "ml_subscriber_hash",
)  # fmt: skip


class Addresses(NamedTuple):
    """Addresses in one form: row i is data[offsets[i]:offsets[i + 1]], and `places` int64[rows, 5] its parts (see `urlparts`).

    A row without a scheme, or opaque, has an empty host at its first byte and is its own key.
    """

    offsets: Ints
    data: Bytes
    places: Ints

    def texts(self) -> pa.LargeStringArray:
        """The addresses."""
        return large_strings(self.offsets, self.data)

    def schemes(self) -> pa.LargeStringArray:
        """Their schemes, empty where there is none."""
        return pieces(self.data, self.offsets[:-1], self.places[:, SCHEME_END])

    def hosts(self) -> pa.LargeStringArray:
        """Their hosts, empty where there is none."""
        return pieces(self.data, self.places[:, HOST], self.places[:, HOST_END])

    def keys(self) -> pa.LargeStringArray:
        """What two addresses of one page have in common."""
        return pieces(self.data, self.places[:, KEY], self.offsets[1:])


def addresses(column: Texts, tracking: tuple[str, ...] = TRACKING) -> Addresses:
    """A column of addresses in one form; see above. What isn't one is kept, with neither host nor path."""
    trimmed = _trimmed(column)
    column = _with_plain_hosts(trimmed)
    names = encoded([name.lower() for name in tracking if name])
    size = 3 * int(column.offsets[-1] - column.offsets[0]) + 4 * column.rows
    offsets, data = np.zeros(column.rows + 1, np.int64), np.empty(size, np.uint8)
    places = np.zeros((column.rows, 5), np.int64)
    write_addresses(column.offsets, column.data, KINDS, names, offsets, data, places)
    return Addresses(offsets, data[: offsets[-1]].copy(), places)


def key_hashes(column: pa.Array) -> pa.FixedSizeBinaryArray:
    """128 bits of the key of each address, null where there is none with a host."""
    found = addresses(texts(column))
    keys = texts(found.keys())
    hashes = np.zeros((keys.rows, 2), np.uint64)
    hash_rows(keys.offsets, keys.data, hashes)
    every = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), keys.rows, [None, pa.py_buffer(hashes)])
    return every.take(pa.array(np.arange(keys.rows), mask=found.places[:, HOST] >= found.places[:, HOST_END]))


def pieces(data: Bytes, starts: Ints, ends: Ints) -> pa.LargeStringArray:
    """The column whose row i is data[starts[i]:ends[i]], which must be whole characters."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends - starts)])
    out = np.empty(int(offsets[-1]), np.uint8)
    gather(data, np.ascontiguousarray(starts), offsets, out)
    return large_strings(offsets, out)


#: What can't stand in a host: a name that has one once it is decoded stays encoded.
_NOT_IN_HOSTS = frozenset(b"#%/:<>?@[\\]^|\x7f") | frozenset(range(33))
_LONGEST_HOST = 253


def _trimmed(column: Texts) -> Texts:
    offsets, data = np.zeros(column.rows + 1, np.int64), np.empty(int(column.offsets[-1] - column.offsets[0]), np.uint8)
    trim(column.offsets, column.data, offsets, data)
    return texts(large_strings(offsets, data))


def _with_plain_hosts(column: Texts) -> Texts:
    """The addresses with hosts in ASCII. Only those that weren't are touched one by one."""
    spans = np.zeros((column.rows, 2), np.int64)
    odd_hosts(column.offsets, column.data, spans)
    odd = spans[:, 0] < spans[:, 1]
    if not odd.any():
        return column
    rewritten = []
    for row in np.flatnonzero(odd):
        start, end, (first, last) = column.offsets[row], column.offsets[row + 1], spans[row]
        host = plain_host(column.data[first:last].tobytes())
        rewritten.append((column.data[start:first].tobytes() + host + column.data[last:end].tobytes()).decode())
    rows = large_strings(column.offsets, column.data)
    return texts(pc.replace_with_mask(rows, pa.array(odd), pa.array(rewritten, pa.large_string())))


def plain_host(host: bytes) -> bytes:
    """A host in ASCII, percent-encoding undone, by IDNA 2003; as it came where that gives no name of a host."""
    try:
        name = unquote_to_bytes(host).decode("utf-8")
        found = name.encode("idna") if len(name) <= _LONGEST_HOST else b""
    except UnicodeError:  # which says that this is no name: it is compared as it is written
        return host
    return found if found and not _NOT_IN_HOSTS.intersection(found) else host
