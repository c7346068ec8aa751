"""Masks over eight bytes name the bytes that a look at each would."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.kernels import eights
from pipeline.kernels.unicode import LETTER, LINE, SPACE, classes

some_bytes = st.one_of(st.binary(min_size=8, max_size=8), st.lists(st.integers(0, 64), min_size=8, max_size=8).map(bytes))


def ascii_class(bit: int) -> set[int]:
    return {byte for byte in range(128) if classes()[byte] & bit}


MASKS: dict[Callable[[np.uint64], int], set[int]] = {
    eights.spaces: ascii_class(SPACE),
    eights.letters: ascii_class(LETTER),
    eights.digits: set(b"0123456789"),
    eights.space_leads: {0xC2, 0xE1, 0xE2, 0xE3},
    eights.line_ends: ascii_class(LINE) | {0xC2, 0xE2},
}


def eight(data: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(data, "little"))


def named(mask: int) -> list[int]:
    """Where the bytes of a mask stand; nothing but their highest bits may be set."""
    assert mask & 0x7F7F7F7F7F7F7F7F == 0
    return [k for k in range(8) if mask >> 8 * k & 0x80]


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: str(mask.__name__))
def test_a_mask_names_its_bytes_beside_any_neighbour(mask: Callable[[np.uint64], int]) -> None:
    for byte in range(256):
        for beside in (0x00, 0x20, 0x7F, 0x80, 0xFF):
            data = bytes([byte, beside] * 4)
            assert named(int(mask(eight(data)))) == [k for k in range(8) if data[k] in MASKS[mask]]


@given(some_bytes, st.integers(0, 255))
def test_equal_bytes_are_found(data: bytes, byte: int) -> None:
    assert named(int(eights.equal_to(eight(data), byte))) == [k for k in range(8) if data[k] == byte]


@given(some_bytes)
def test_the_first_byte_of_a_mask(data: bytes) -> None:
    found = [k for k in range(8) if data[k] == 32]
    mask = np.uint64(eights.equal_to(eight(data), 32))
    assert eights.first_of(mask) == (found[0] if found else 8)
    assert int(eights.gathered(mask)) == sum(1 << k for k in found)


@pytest.mark.parametrize("position", range(-3, 12))
def test_the_bits_before_a_position(position: int) -> None:
    assert int(np.uint64(eights.before(position))) == (1 << 8 * min(max(position, 0), 8)) - 1


@given(some_bytes)
def test_what_is_loaded_is_stored(data: bytes) -> None:
    source, target = np.frombuffer(data, np.uint8), np.zeros(10, np.uint8)
    assert int(np.uint64(eights.load8(source, 0))) == int(eight(data))
    eights.store8(target, 1, eight(data))
    assert target.tolist() == [0, *data, 0]
    for start in range(9):
        some = int(np.uint64(eights.load_some(source, start, 6)))
        assert some == int.from_bytes(data[start:6], "little")


@example(b"\n" + b"x" * 30, 3, 0)
@given(st.binary(max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_the_first_newline(data: bytes, start: int, end: int) -> None:
    start, end = sorted((min(start, len(data)), min(end, len(data))))
    views: npt.NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    found = data.find(b"\n", start, end)
    assert eights.find_newline(views, start, end) == (end if found < 0 else found)
