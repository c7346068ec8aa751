"""The set of strings against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.strings import NO_ROOM, add, gathered, listed, no_strings, roomier


@given(st.lists(st.binary(max_size=40)))
def test_strings_have_the_numbers_in_which_they_came(every: list[bytes]) -> None:
    found, expected = gathered(every), dict.fromkeys(every)
    assert listed(found) == list(expected)
    for number, one in enumerate(expected):
        assert add(found, np.frombuffer(b"x" + one + b"x", np.uint8), 1, 1 + len(one)) == number
    assert listed(found) == list(expected)


def test_many_strings_of_which_some_differ_in_their_last_byte_alone() -> None:
    every = [b"%d" % n for n in range(3000)] + [b"a" * (n % 50) + b"%d" % n for n in range(3000)]
    found = no_strings(4)
    for one in every:
        data = np.frombuffer(one, np.uint8)
        while add(found, data, 0, len(data)) == NO_ROOM:
            found = roomier(found, len(data))
    assert listed(found) == list(dict.fromkeys(every))


def test_where_there_is_no_room_nothing_is_added() -> None:
    found, data = no_strings(2), np.frombuffer(b"abc" * 20, np.uint8)
    assert [add(found, data, 0, length) for length in (1, 33, 2, 3)] == [0, NO_ROOM, 1, NO_ROOM]
    assert add(found, data, 0, 2) == 1
    assert listed(found) == [b"a", b"ab"]
