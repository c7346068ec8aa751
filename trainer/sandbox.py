"""Programs that a model wrote, run where they can do little: a process of its own, behind limits and walls (jail.py), with a deadline.

This keeps careless programs from harm: it is no defence against one that was written to break out of a kernel.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

JAIL = Path(__file__).with_name("jail.py")


@dataclass(frozen=True)
class Limits:
    """CPU seconds, seconds by the clock, bytes of memory, and bytes of a file that a program may use."""

    seconds: int = 5
    clock: int = 30
    memory: int = 1 << 30
    file: int = 1 << 20


def run(program: str, limits: Limits | None = None) -> str:
    """Run a Python program to its end: "passed" when its last line was reached, else "failed" or "out of time".

    A program that leaves early, even with status 0, has failed. What it prints is lost.
    """
    return _run(program, limits or Limits())[0]


@lru_cache(maxsize=1)
def protections() -> dict[str, bool]:
    """What keeps a program in on this system: a network and files of its own, or files outside at least unharmed, no new processes."""
    return _run("", Limits())[1]


def _run(program: str, limits: Limits) -> tuple[str, dict[str, bool]]:
    token = secrets.token_hex(16)
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory() as folder, os.fdopen(reader, "rb") as told:
        path = Path(folder) / "program.py"
        path.write_text(f"{program}\n__import__('os').write({writer}, b'{token}')\n", "utf-8", errors="surrogatepass")
        numbers = (limits.seconds, limits.memory, limits.file, writer)
        command = [sys.executable, "-I", str(JAIL), str(path), *map(str, numbers)]
        child = subprocess.Popen(
            command, cwd=folder, pass_fds=(writer,), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writer)
        late = _wait(child, limits.clock)
        first, _, rest = told.read(1 << 16).partition(b"\n")
    held = json.loads(first) if first else {}
    if child.returncode == 0 and rest.decode(errors="replace").endswith(token):
        return "passed", held
    return ("out of time" if late or child.returncode in (-signal.SIGXCPU, -signal.SIGKILL) else "failed"), held


def _wait(child: subprocess.Popen[bytes], seconds: int) -> bool:
    """Wait for a process; True when it had to be killed for being late."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return True
    return False
