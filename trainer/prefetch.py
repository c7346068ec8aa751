"""The next steps' batches, made in a thread while this step computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(make: Callable[[int], T], steps: range, depth: int = 2) -> Generator[T]:
    """`make(step)` of each step in order, up to `depth` of them before they are asked for; an error comes up at its step."""
    with ThreadPoolExecutor(1, thread_name_prefix="loader") as thread:
        waiting = deque(thread.submit(make, step) for step in steps[:depth])
        for step in steps:
            if step + depth in steps:
                waiting.append(thread.submit(make, step + depth))
            yield waiting.popleft().result()
