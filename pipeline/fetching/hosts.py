"""How a host is treated: so many connections at once, so much time between requests, and only what its robots.txt allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from protego import Protego

from pipeline.fetching.addresses import Forbidden

#: A host that asks for more than this between requests gets this: else one file of robots.txt stops a run for good.
MAX_CRAWL_DELAY = 60.0

#: What a crawler may read of a robots.txt at least (RFC 9309, 2.5).
ROBOTS_BYTES = 512 << 10


class Unreachable(Exception):
    """A robots.txt that can't be had for now: until it can, everything is disallowed (RFC 9309, 2.3.1.4)."""


@dataclass
class _Host:
    slots: threading.BoundedSemaphore
    turn: threading.Lock = field(default_factory=threading.Lock)
    next_at: float = 0.0
    rules: Protego | None = None


class Hosts:
    """The hosts that were met, and what each may be asked.

    `per_host` connections at once, `interval` seconds between the beginnings of two requests (or what robots.txt asks for, if
    longer). `robots(url)` gives the text of a robots.txt ("" where there is none) or raises Unreachable; None: not obeyed.
    """

    def __init__(
        self,
        agent: str,
        per_host: int,
        interval: float,
        robots: Callable[[str], str] | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._agent, self._per_host, self._interval, self._robots = agent, per_host, interval, robots
        self._clock, self._sleep = clock, sleep
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, url: str) -> Iterator[None]:
        """Wait for a connection to the host of `url` and for its next moment; raises Forbidden for what it disallows."""
        host = self._host(url)
        with host.slots:
            self._allow(host, url)
            with host.turn:
                self._sleep(max(host.next_at - self._clock(), 0.0))
                host.next_at = self._clock() + self._delay(host)
            yield

    def _host(self, url: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(_origin(url), _Host(threading.BoundedSemaphore(self._per_host)))

    def _allow(self, host: _Host, url: str) -> None:
        if self._robots is None:
            return
        with host.turn:
            if host.rules is None:
                host.rules = Protego.parse(self._robots(f"{_origin(url)}/robots.txt"))
        if not host.rules.can_fetch(url, self._agent):
            raise Forbidden(f"{url}: the host's robots.txt disallows it; `download: {{robots: ignore}}` if you may all the same")

    def _delay(self, host: _Host) -> float:
        asked = host.rules.crawl_delay(self._agent) if host.rules is not None else None
        return max(self._interval, min(float(asked or 0.0), MAX_CRAWL_DELAY))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
