"""What a person sees while a run works: bars with rates and time left on a terminal, one line per wave elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pipeline.fetching.tally import Quiet, Tally
from pipeline.report import Report


class Watch(Protocol):
    """Told what happens; never asked."""

    def begin(self, wave: str, total: int, done: int) -> None:
        """A wave of `total` tasks begins, `done` of them finished by an earlier run."""

    def task(self, report: Report, seconds: float) -> None:
        """One task of the wave is finished."""

    def end(self, ran: list[str], reused: list[str]) -> None:
        """The wave is committed: the stages that ran, and those that were done already."""

    def say(self, text: str) -> None:
        """Anything worth a line."""

    def downloads(self) -> Tally:
        """Who is told how the files come."""


class Silent:
    """Watches and says nothing: for callers that want the result alone."""

    def begin(self, wave: str, total: int, done: int) -> None: ...

    def task(self, report: Report, seconds: float) -> None: ...

    def end(self, ran: list[str], reused: list[str]) -> None: ...

    def say(self, text: str) -> None: ...

    def downloads(self) -> Tally:
        return Quiet()


class Lines:
    """One line per wave, and on a terminal a live bar while it runs."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=False, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._wave = ""
        self._start = 0.0
        self._read = 0
        self._busy = 0.0
        self._tasks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def begin(self, wave: str, total: int, done: int) -> None:
        self._wave, self._start, self._read, self._busy, self._tasks = wave, time.monotonic(), 0, 0.0, 0
        if not self.console.is_terminal or total == done:
            return
        columns = (
            TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]:>16}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        self._progress = Progress(*columns, console=self.console, transient=True)
        self._bar = self._progress.add_task(wave, total=total, completed=done, rate="")
        self._progress.start()

    def task(self, report: Report, seconds: float) -> None:
        self._read += sum(report.read.values())
        self._busy += seconds
        self._tasks += 1
        if self._progress:
            self._progress.update(self._bar, advance=1, rate=self._rate())

    def end(self, ran: list[str], reused: list[str]) -> None:
        self._stop()
        took = f"{time.monotonic() - self._start:6.1f} s" if ran else "   done  "
        tail = f"ran {', '.join(ran)}; {len(reused)} as they were" if ran and reused else ""
        facts = ", ".join(fact for fact in (f"{self._tasks} tasks" if ran else "nothing to do", self._rate(), tail) if fact)
        self.console.print(f"{self._wave:<14} {took}  {facts}")

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)

    def downloads(self) -> Tally:
        return Downloads(self.console)

    def _rate(self) -> str:
        seconds = time.monotonic() - self._start
        return f"{self._read / seconds:,.0f} docs/s" if self._read and seconds > 0 else ""

    def _stop(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None


class Downloads:
    """Bytes, rate and time left of all files together: a bar on a terminal, elsewhere a line now and then."""

    #: Seconds between two lines.
    EVERY = 30.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._progress: Progress | None = None

    def begin(self, files: int, total: int | None) -> None:
        self._start = self._said = time.monotonic()
        self._files, self._total, self._bytes, self._done = files, total, 0, 0
        size = f", {total / 1e6:,.1f} MB" if total is not None else ""
        self._console.print(f"download: {files:,} files{size}")
        if self._console.is_terminal:
            columns = (
                TextColumn("download {task.fields[files]}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TextColumn("left"),
                TimeRemainingColumn(),
            )  # fmt: skip
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._bar = self._progress.add_task("", total=total, files=f"0/{files:,}")
            self._progress.start()

    def bytes(self, number: int) -> None:
        with self._lock:
            self._bytes += number
            self._show()

    def file(self, name: str) -> None:  # noqa: ARG002 - part of what a tally is told
        with self._lock:
            self._done += 1
            self._show()

    def end(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None
        seconds = time.monotonic() - self._start
        self._console.print(f"download: {self._done:,} of {self._files:,} files, {self._bytes / 1e6:,.1f} MB in {seconds:,.1f} s")

    def _show(self) -> None:
        if self._progress:
            self._progress.update(self._bar, completed=self._bytes, files=f"{self._done:,}/{self._files:,}")
        elif time.monotonic() - self._said > self.EVERY:
            self._said = time.monotonic()
            self._console.print(f"download: {self._done:,} of {self._files:,} files, {self._bytes / 1e6:,.1f} MB{self._left()}")

    def _left(self) -> str:
        seconds = time.monotonic() - self._start
        rate = self._bytes / seconds if seconds > 0 else 0.0
        if not self._total or rate <= 0:
            return f", {rate / 1e6:,.1f} MB/s"
        return f", {rate / 1e6:,.1f} MB/s, {max(self._total - self._bytes, 0) / rate / 60:,.0f} min left"
