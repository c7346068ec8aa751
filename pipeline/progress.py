"""What a person sees while a run works: bars with rates and time left on a terminal, one line per wave elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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


class Silent:
    """Watches and says nothing: for callers that want the result alone."""

    def begin(self, wave: str, total: int, done: int) -> None: ...

    def task(self, report: Report, seconds: float) -> None: ...

    def end(self, ran: list[str], reused: list[str]) -> None: ...

    def say(self, text: str) -> None: ...


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

    def _rate(self) -> str:
        seconds = time.monotonic() - self._start
        return f"{self._read / seconds:,.0f} docs/s" if self._read and seconds > 0 else ""

    def _stop(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None
