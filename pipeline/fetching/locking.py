"""One process at a time: a lock file that the kernel frees when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import SourceError

#: How long a process waits for another one that fetches into the same cache.
LOCK_SECONDS = 30 * 60


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for a moment, without a file of its own in it."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Hold a lock file; the descriptor that holds it is given, for child processes to inherit. The kernel frees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise SourceError(f"{path} is held by another process that fetches: wait for it, or end it") from error
                time.sleep(0.2)
        yield file.fileno()
