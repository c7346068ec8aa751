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

import hashlib
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

_IMPORT = re.compile(r"^from pipeline\.kernels\.(\w+) import", re.MULTILINE)


def kernel(function: F) -> F:
    """Compile `function` when it is first called, for the types it is called with."""
    path = Path(sys.modules[function.__module__].__file__ or "")
    function.__qualname__ += f"_{source_stamp(path)}"  # what Numba files compiled code under: it asks for no change of helpers
    compiled: F = njit(cache=True, nogil=True, _nrt=False)(function)
    return compiled


@cache
def source_stamp(path: Path) -> str:
    """Eight hex digits that change when a module of kernels does, or one of those it takes helpers from."""
    sources: dict[str, bytes] = {}
    waiting = [path]
    while waiting:
        source = waiting.pop().read_bytes()
        sources[hashlib.sha256(source).hexdigest()] = source
        found = (path.with_name(f"{name}.py") for name in _IMPORT.findall(source.decode()))
        waiting += [other for other in found if hashlib.sha256(other.read_bytes()).hexdigest() not in sources]
    return hashlib.sha256(" ".join(sorted(sources)).encode()).hexdigest()[:8]
