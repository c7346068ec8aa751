"""Eight bytes of text at a time, as one number: which of them are ASCII, white space or line ends, and where the first is.

A mask has the highest bit of each byte it names, and its lowest bit set belongs to the first of them. `load8` reads on past
the end of a text: callers see to it that the buffer has eight bytes there, and take no notice of what lies behind the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.compiled import kernel

_EACH = 0x0101010101010101
#: The highest bit of every byte, and all the others.
HIGH, LOW = np.uint64(0x80 * _EACH), np.uint64(0x7F * _EACH)
_FROM_9, _FROM_14 = np.uint64((0x80 - 9) * _EACH), np.uint64((0x80 - 14) * _EACH)
_FROM_28, _FROM_33 = np.uint64((0x80 - 28) * _EACH), np.uint64((0x80 - 33) * _EACH)
_FROM_10, _FROM_31 = np.uint64((0x80 - 10) * _EACH), np.uint64((0x80 - 31) * _EACH)
_CASE, _FROM_A, _FROM_Z = np.uint64(0x20 * _EACH), np.uint64((0x80 - 97) * _EACH), np.uint64((0x80 - 123) * _EACH)
_FROM_0, _FROM_COLON = np.uint64((0x80 - 48) * _EACH), np.uint64((0x80 - 58) * _EACH)
_ONES, _TWO, _LEADS, _LAST_LEADS = np.uint64(_EACH), np.uint64(2 * _EACH), np.uint64(0xE2 * _EACH), np.uint64(0xE3 * _EACH)
_SEVEN, _TOP = np.uint64(7), np.uint64(56)
#: Moves the lowest bit of byte k to bit 56 + k.
_GATHER = np.uint64(0x0102040810204080)


@intrinsic
def trailing_zeros(_typing: Any, value: Any) -> Any:
    """The zero bits below the lowest bit set. Numba has no public name for this instruction, nor for the next."""
    return value(value), lambda _context, builder, _signature, args: builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))


@intrinsic
def bit_count(_typing: Any, value: Any) -> Any:
    """The bits that are set."""
    return value(value), lambda _context, builder, _signature, args: builder.ctpop(args[0])


@intrinsic
def prefetch(_typing: Any, array: Any, index: Any) -> Any:
    """Ask for array[index] (one dimension, no step) to be brought into the cache; nothing waits for it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.bitcast(builder.gep(view.data, [args[1]]), ir.IntType(8).as_pointer())
        number, kind = ir.IntType(32), ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), *[ir.IntType(32)] * 3])
        name = "llvm.prefetch.p0i8"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        builder.call(function, [place, number(0), number(3), number(1)])  # to read, to be kept, data
        return context.get_dummy_value()

    return types.void(array, index), generate


@kernel
def load8(data: Bytes, start: int) -> np.uint64:
    """The eight bytes at `start` as one little-endian number."""
    i = np.uint64(start)  # an unsigned index can't count from the end: without that check this becomes one load
    value = np.uint64(0)
    for k in range(8):
        value |= np.uint64(data[i + np.uint64(k)]) << np.uint64(8 * k)
    return value


@kernel
def load_some(data: Bytes, start: int, end: int) -> np.uint64:
    """The bytes of data[start:end], eight at most, in the place that `load8` gives them; nothing else is read."""
    value = np.uint64(0)
    for i in range(start, min(start + 8, end)):
        value |= np.uint64(data[i]) << np.uint64(8 * (i - start))
    return value


@kernel
def store8(data: Bytes, start: int, eight: np.uint64) -> None:
    """Write what `load8` read."""
    i = np.uint64(start)
    for k in range(8):
        data[i + np.uint64(k)] = np.uint8(eight >> np.uint64(8 * k) & np.uint64(0xFF))


@kernel
def first_bit(bits: np.uint64) -> int:
    """The number of the lowest bit set; 64 of none."""
    return np.int64(trailing_zeros(bits))  # type: ignore[return-value]  # to Numba they are one


@kernel
def first_of(mask: np.uint64) -> int:
    """The position, 0 to 7, of the first byte of a mask; 8 of an empty one."""
    return first_bit(mask) // 8


@kernel
def before(position: int) -> np.uint64:
    """All bits of the bytes before `position`: none below 1, all of them from 8 on."""
    half = np.uint64(4 * min(max(position, 0), 8))
    return ~(~np.uint64(0) << half << half)


@kernel
def spaces(eight: np.uint64) -> np.uint64:
    """The ASCII bytes that are white space: 9 to 13 and 28 to 32."""
    low = eight & LOW
    return (((low + _FROM_9) & ~(low + _FROM_14)) | ((low + _FROM_28) & ~(low + _FROM_33))) & ~eight & HIGH


@kernel
def space_leads(eight: np.uint64) -> np.uint64:
    """The bytes that start white space beyond ASCII, among others: C2 and E1 to E3."""
    return _equal(eight | _CASE, _LEADS) | _equal(eight | _TWO, _LAST_LEADS)


@kernel
def line_ends(eight: np.uint64) -> np.uint64:
    """The bytes that end a line, 10 to 13 and 28 to 30, and those of value C2 and E2, which may start a wide line end."""
    low = eight & LOW
    ascii_ends = ((low + _FROM_10) & ~(low + _FROM_14)) | ((low + _FROM_28) & ~(low + _FROM_31))
    return (ascii_ends & ~eight & HIGH) | _equal(eight | _CASE, _LEADS)


@kernel
def letters(eight: np.uint64) -> np.uint64:
    """The ASCII letters."""
    low = (eight | _CASE) & LOW
    return (low + _FROM_A) & ~(low + _FROM_Z) & ~eight & HIGH


@kernel
def digits(eight: np.uint64) -> np.uint64:
    """The ASCII digits."""
    low = eight & LOW
    return (low + _FROM_0) & ~(low + _FROM_COLON) & ~eight & HIGH


@kernel
def equal_to(eight: np.uint64, byte: int) -> np.uint64:
    """The bytes of that value."""
    return _equal(eight, np.uint64(byte) * _ONES)


@kernel
def _equal(eight: np.uint64, wanted: np.uint64) -> np.uint64:
    """The bytes that equal those of `wanted`."""
    differing = eight ^ wanted
    return ~(((differing & LOW) + LOW) | differing) & HIGH


@kernel
def find_newline(data: Bytes, start: int, end: int) -> int:
    """The place of the first "\n" in data[start:end], or `end`."""
    i = start
    while i < min(end, len(data) - 7):
        found = equal_to(load8(data, i), 10)
        if found:
            return min(i + first_of(found), end)
        i += 8
    while i < end and data[np.uint64(i)] != 10:
        i += 1
    return min(i, end)


@kernel
def gathered(mask: np.uint64) -> np.uint64:
    """A mask as eight bits, the first byte's the lowest."""
    return (mask >> _SEVEN) * _GATHER >> _TOP
