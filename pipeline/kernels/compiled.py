"""How kernels are compiled: `@kernel` on a function of numbers and NumPy arrays.

A kernel never allocates: its caller, plain Python, makes the arrays that it fills. That is what lets kernels be built of
small functions. With Numba's reference counting on, every call with an array costs two atomic increments and two
decrements, and helpers aren't inlined: a word counter made of three helpers ran at 8 ns a byte, at 1.2 without. (`_nrt`
is how Numba spells it; the tests would fail if it went.)

Compiled code is cached beside the source; a process compiles nothing that another has compiled before it.
Integers are int64. NumPy's unsigned and Python's signed integers must not meet in one expression: Numba makes a float of
them. Read a byte as `byte_at(data, i)` before computing with it, and write the constants of a hash as `np.uint64`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` when it is first called, for the types it is called with."""
    compiled: F = njit(cache=True, nogil=True, _nrt=False)(function)
    return compiled
