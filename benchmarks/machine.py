"""The machine that a table was measured on, as far as others need to know it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

#: What can make a kernel faster: the widths of vectors.
_FLAGS = ("sse4_2", "avx2", "avx512f", "avx512bw", "avx512vl", "neon", "sve")


def machine() -> str:
    """Processor, cores, vector instructions and the Python that ran; no name of a host."""
    path = Path("/proc/cpuinfo")
    text = path.read_text("utf-8") if path.exists() else ""
    model = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.*)", text, re.MULTILINE)
    known = [flag for flag in _FLAGS if flags and flag in flags[1].split()]
    name = model[1].strip() if model else platform.machine()
    return (
        f"{name} ({platform.machine()}), {os.cpu_count()} cores, {' '.join(known) or 'flags unknown'}, Python {platform.python_version()}"
    )
