"""Addresses taken apart and written anew, byte by byte. What is written, and why: see `pipeline.kernels.urls`."""

from __future__ import annotations

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.phrases import lower, starts_with
from pipeline.kernels.unicode import byte_at, copy_bytes, count_byte

#: Columns of `Addresses.places`: where in `data` the scheme ends (at ":"), the host begins and ends, the path ends, the key begins.
SCHEME_END, HOST, HOST_END, PATH_END, KEY = range(5)

#: Classes of bytes: those that are never encoded, and those whose encoding means something else.
_UNRESERVED, _RESERVED = 1, 2
KINDS = np.zeros(256, np.uint8)
KINDS[list(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")] = _UNRESERVED
KINDS[list(b":/?#[]@!$&'()*+,;=")] = _RESERVED
KINDS.flags.writeable = False
_HEX = np.frombuffer(b"0123456789ABCDEF", np.uint8)
_HTTP, _HTTPS, _FTP, _WWW = (np.frombuffer(text, np.uint8) for text in (b"http", b"https", b"ftp", b"www."))


@kernel
def trim(offsets: Ints, data: Bytes, out_offsets: Ints, out: Bytes) -> None:
    for row in range(len(offsets) - 1):
        first, last, size = offsets[row], offsets[row + 1], out_offsets[row]
        while first < last and data[first] <= 32:
            first += 1
        while first < last and data[last - 1] <= 32:
            last -= 1
        for i in range(first, last):
            out[size] = data[i]
            size += not (data[i] == 9 or data[i] == 10 or data[i] == 13)
        out_offsets[row + 1] = size


@kernel
def odd_hosts(offsets: Ints, data: Bytes, spans: Ints) -> None:
    """Fill in where the hosts are that have a "%" or a byte outside ASCII."""
    for row in range(len(spans)):
        colon = _scheme_end(data, offsets[row], offsets[row + 1])
        if colon >= 0 and _default_port(data, offsets[row], colon):
            host, host_end, _ = _authority(data, colon + 1, offsets[row + 1])
            for i in range(host, host_end):
                if data[i] >= 0x80 or data[i] == 37:
                    spans[row, 0], spans[row, 1] = host, host_end
                    break


@kernel
def _scheme_end(data: Bytes, start: int, end: int) -> int:
    """Where the ":" after a scheme stands, or -1."""
    for i in range(start, end):
        byte = lower(byte_at(data, i))
        if byte == 58:
            return i if i > start else -1
        if not (97 <= byte <= 122 or (i > start and (48 <= byte <= 57 or byte == 43 or byte == 45 or byte == 46))):
            return -1
    return -1


@kernel
def _default_port(data: Bytes, start: int, end: int) -> int:
    """The default port of an http, https or ftp scheme, 0 for another."""
    if equals(data, start, end, _HTTP):
        return 80
    if equals(data, start, end, _HTTPS):
        return 443
    return 21 if equals(data, start, end, _FTP) else 0


@kernel
def equals(data: Bytes, start: int, end: int, wanted: Bytes) -> bool:
    """Whether data[start:end], its ASCII letters in lower case, is `wanted`."""
    return end - start == len(wanted) and starts_with(data, start, end, wanted, 0, len(wanted))


@kernel
def _is_slash(data: Bytes, i: int) -> bool:
    return bool(data[i] == 47 or data[i] == 92)


@kernel
def _authority(data: Bytes, start: int, end: int) -> tuple[int, int, int]:
    """Where the host begins and ends and where the path begins, in what follows a scheme's ":"."""
    while start < end and _is_slash(data, start):
        start += 1
    host, stop = start, start
    while stop < end and not (_is_slash(data, stop) or data[stop] == 63 or data[stop] == 35):
        stop += 1
        if data[stop - 1] == 64:
            host = stop
    after = host
    if host < stop and data[host] == 91:
        while after < stop and data[after] != 93:
            after += 1
        after = host if after == stop else after
    while after < stop and data[after] != 58:
        after += 1
    return host, after, stop


@kernel
def write_addresses(offsets: Ints, data: Bytes, kinds: Bytes, tracking: Texts, out_offsets: Ints, out: Bytes, places: Ints) -> None:
    for row in range(len(places)):
        start, end, begin = offsets[row], offsets[row + 1], out_offsets[row]
        for k in range(5):
            places[row, k] = begin
        copy_bytes(data, start, end, out, begin)
        size = begin + end - start
        colon = _scheme_end(data, start, end)
        if colon >= 0:
            after = begin + colon - start
            places[row, SCHEME_END] = after
            _lower(out, begin, after)
            port = _default_port(data, start, colon)
            if port:
                size = _write_address(data, colon + 1, end, port, kinds, tracking, out, after + 1, size, places[row])
        out_offsets[row + 1] = size


@kernel
def _write_address(
    data: Bytes, start: int, end: int, port: int, kinds: Bytes, tracking: Texts, out: Bytes, at: int, opaque: int, places: Ints
) -> int:
    """Write what follows the scheme to `out` from `at` on, note its places; return the new size, `opaque` without a host."""
    host, host_end, path = _authority(data, start, end)
    begin = at + 2
    size = _write_encoded(data, host, host_end, kinds, out, begin)
    while size > begin and out[size - 1] == 46:
        size -= 1
    if size == begin:
        copy_bytes(data, start, end, out, at)
        return opaque
    out[at], out[at + 1] = 47, 47
    _lower(out, begin, size)
    places[HOST], places[HOST_END] = begin, size
    places[KEY] = begin + 4 if _is_www(out, begin, size) else begin
    if host_end < path:
        size = _write_port(data, host_end + 1, path, port, kinds, out, size)
    i = path
    while i < end and data[i] != 63 and data[i] != 35:
        i += 1
    size = _write_path(data, path, i, kinds, out, size)
    places[PATH_END] = size
    return _write_query(data, i + 1, end, kinds, tracking, out, size) if i < end and data[i] == 63 else size


@kernel
def _is_www(out: Bytes, start: int, end: int) -> bool:
    """Whether a host is "www." and a name with a dot."""
    return starts_with(out, start, end, _WWW, 0, 4) and count_byte(out, start + 4, end, 46) > 0


@kernel
def _write_port(data: Bytes, start: int, end: int, default: int, kinds: Bytes, out: Bytes, at: int) -> int:
    """Append ":" and the port to out[:at] unless it is empty or the default; return the new size."""
    out[at] = 58
    size = _write_encoded(data, start, end, kinds, out, at + 1)
    _lower(out, at + 1, size)
    number, zeros, digits = 0, 0, True
    for i in range(at + 1, size):
        digits = digits and 48 <= out[i] <= 57
        zeros += digits and number == 0 and out[i] == 48
        number = min(10 * number + byte_at(out, i) - 48, 1 << 30) if digits else 1
    if size == at + 1 or (digits and number == default):
        return at
    zeros = min(zeros, size - at - 2) if digits else 0
    for i in range(at + 1, size - zeros):
        out[i] = out[i + zeros]
    return size - zeros


@kernel
def _write_path(data: Bytes, start: int, end: int, kinds: Bytes, out: Bytes, at: int) -> int:
    """Append the path to out[:at], dot segments resolved; return the new size."""
    size, segment, i = at, at + 1, start
    while i < end:
        if _is_slash(data, i):
            if i > start:
                size = _close_segment(out, at, segment, size)
            out[size] = 47
            size, i = size + 1, i + 1
            segment = size
        else:
            i, size = _write_byte(data, i, end, kinds, out, size)
    closed = _close_segment(out, at, segment, size) if size > at else at
    if closed < size or size == at:
        out[closed] = 47
        return closed + 1
    return size


@kernel
def _close_segment(out: Bytes, path: int, segment: int, size: int) -> int:
    """Where the next "/" goes, after a segment out[segment:size]: over the "/" before it if it is ".", over one more if it is ".."."""
    length = size - segment
    if length == 1 and out[segment] == 46:
        return segment - 1
    if length == 2 and out[segment] == 46 and out[segment + 1] == 46:
        slash = max(segment - 2, path)
        while slash > path and out[slash] != 47:
            slash -= 1
        return slash
    return size


@kernel
def _write_query(data: Bytes, start: int, end: int, kinds: Bytes, tracking: Texts, out: Bytes, at: int) -> int:
    """Append "?" and the parameters that say something to out[:at]; return the new size."""
    size, i = at, start
    while i < end and data[i] != 35:
        out[size] = 63 if size == at else 38
        parameter, name_end = size + 1, -1
        size = parameter
        while i < end and data[i] != 35 and data[i] != 38:
            if data[i] == 61 and name_end < 0:
                name_end = size
            i, size = _write_byte(data, i, end, kinds, out, size)
        if size == parameter or _is_tracking(out, parameter, size if name_end < 0 else name_end, tracking):
            size = parameter - 1
        i += i < end and data[i] == 38
    return size


@kernel
def _is_tracking(out: Bytes, start: int, end: int, tracking: Texts) -> bool:
    for name in range(len(tracking.offsets) - 1):
        first, last = tracking.offsets[name], tracking.offsets[name + 1]
        beginning = tracking.data[last - 1] == 42
        last -= beginning
        if (beginning or last - first == end - start) and starts_with(out, start, end, tracking.data, first, last):
            return True
    return False


@kernel
def _write_encoded(data: Bytes, start: int, end: int, kinds: Bytes, out: Bytes, size: int) -> int:
    i = start
    while i < end:
        i, size = _write_byte(data, i, end, kinds, out, size)
    return size


@kernel
def _write_byte(data: Bytes, i: int, end: int, kinds: Bytes, out: Bytes, size: int) -> tuple[int, int]:
    """Append the byte at `i`, or the one encoded there, as it is to be written; return the next `i` and size."""
    byte, width = byte_at(data, i), 1
    encoded = byte == 37 and i + 2 < end and hexadecimal(data, i + 1) >= 0 and hexadecimal(data, i + 2) >= 0
    if encoded:
        byte, width = 16 * hexadecimal(data, i + 1) + hexadecimal(data, i + 2), 3
    kind = kinds[byte]
    if kind == _UNRESERVED or (kind == _RESERVED and not encoded):
        out[size] = byte
        return i + width, size + 1
    out[size], out[size + 1], out[size + 2] = 37, _HEX[byte >> 4], _HEX[byte & 15]
    return i + width, size + 3


@kernel
def hexadecimal(data: Bytes, i: int) -> int:
    """The value of a hexadecimal digit, or -1."""
    byte = lower(byte_at(data, i))
    if 48 <= byte <= 57:
        return byte - 48
    return byte - 87 if 97 <= byte <= 102 else -1


@kernel
def _lower(out: Bytes, start: int, end: int) -> None:
    for i in range(start, end):
        out[i] = lower(byte_at(out, i))


@kernel
def gather(data: Bytes, starts: Ints, offsets: Ints, out: Bytes) -> None:
    for row in range(len(starts)):
        copy_bytes(data, starts[row], starts[row] + offsets[row + 1] - offsets[row], out, offsets[row])
