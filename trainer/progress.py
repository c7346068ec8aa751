"""What a run leaves to read: metrics.jsonl, and a bar on a terminal or plain lines elsewhere."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

#: Weight of the newest step in the displayed loss and speed.
SMOOTHING = 0.05


class Metrics:
    """A file of JSON lines, one per event, flushed as they come; a resumed run drops what lies after its checkpoint.

    Numbers go to TensorBoard as well where it is installed. Of several processes only the main one writes.
    """

    def __init__(self, path: Path, step: int, writes: bool = True) -> None:
        self._file: TextIO | None = None
        self._board: Any = None
        if not writes:
            return
        kept = [line for line in _whole_lines(path) if json.loads(line)["step"] <= step]
        aside = path.with_suffix(".writing")
        aside.write_text("".join(kept), "utf-8")
        aside.replace(path)
        self._file = path.open("a", encoding="utf-8")
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter  # imports tensorboard

            self._board = SummaryWriter(str(path.parent / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, **values: object) -> None:
        """Add a line with the number of steps done and these values."""
        if self._file is None:
            return
        for name, value in values.items() if self._board else ():
            if isinstance(value, int | float):
                self._board.add_scalar(name, value, step)
        self._file.write(json.dumps({"step": step, **values}, ensure_ascii=False) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for opened in (self._file, self._board):
            if opened:
                opened.close()


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file that were written to their end: a killed run may leave half a line."""
    if not path.exists():
        return []
    return [line for line in path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]


class Progress:
    """Shows steps, loss, tokens per second, the share of the peak where that is known, and the time left."""

    def __init__(self, total: int, done: int, log_every: int, stream: TextIO | None = None, shows: bool = True) -> None:
        self.total, self.log_every = total, log_every
        self.stream = stream or sys.stderr
        self.shows, self.live = shows, self.stream.isatty()
        self._loss = self._speed = 0.0
        self._first = done + 1

    def step(self, step: int, loss: float, tokens: int, seconds: float, mfu: float | None = None) -> None:
        """Step number `step` of `tokens` tokens took `seconds`; `mfu` is by documents (flops.py)."""
        if not self.shows:
            return
        weight = max(SMOOTHING, 1 / (step - self._first + 1))
        self._loss += weight * (loss - self._loss)
        self._speed += weight * (tokens / seconds - self._speed)
        left = (self.total - step) * tokens / self._speed
        text = f"step {step}/{self.total}  loss {self._loss:.3f}  {self._speed:,.0f} tokens/s"
        text += (f"  {mfu:.1%} MFU" if mfu else "") + f"  {duration(left)} left"
        if self.live:
            full = 24 * step // self.total
            self.stream.write(f"\r\x1b[K[{'#' * full}{'.' * (24 - full)}] {text}")
        elif step % self.log_every == 0 or step in (self._first, self.total):
            self.stream.write(text + "\n")
        self.stream.flush()

    def say(self, text: str) -> None:
        """A line of its own."""
        if not self.shows:
            return
        self.stream.write(("\r\x1b[K" if self.live else "") + text + "\n")
        self.stream.flush()


class Stopwatch:
    """Seconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def duration(seconds: float) -> str:
    """1:02:03, or 2:03 under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
