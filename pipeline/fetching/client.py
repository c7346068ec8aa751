"""One HTTP request after the other: redirects followed by hand, failures told apart, waits as the server asks.

Built on urllib3, whose own redirects and retries are off: each step of a redirect is checked, and a file that was cut
is gone on with where it stopped, which only the caller can do.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.response import BaseHTTPResponse

from pipeline.errors import SourceError
from pipeline.fetching.addresses import Forbidden, PublicPools, check_url
from pipeline.fetching.hosts import ROBOTS_BYTES, Hosts, Unreachable

T = TypeVar("T")

AGENT = "Tokenmill"
#: What a User-Agent says beside the name; a recipe's `download: {contact: ...}` stands in its place.
HOME = "a pipeline for training corpora"

MAX_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
#: Answers that may be another one later (RFC 9110, RFC 6585).
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for. Seconds, and bytes per second.

    `attempts` in a row may fail before a file is given up; `pause` is the first wait, doubled each time up to `longest`, and
    spread by half of itself. A server's own Retry-After is kept to unless it is longer than `longest`. A connection silent for
    `stall` seconds, or slower than `min_rate` over as long, is cut.
    """

    attempts: int = 6
    pause: float = 1.0
    longest: float = 600.0
    stall: float = 30.0
    min_rate: float = 1000.0


class Again(Exception):
    """An attempt that failed and may go better later; `wait`: seconds that the server asks for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Absent(SourceError):
    """The server says that there is no such file."""


class GivenUp(SourceError):
    """What may pass didn't, in all the attempts there are."""


class Client:
    """Asks for addresses under one set of rules: see `download` in pipeline/fetching/settings.py."""

    def __init__(
        self,
        *,
        per_host: int = 4,
        interval: float = 0.0,
        obey_robots: bool = True,
        private: bool = False,
        contact: str = "",
        patience: Patience = Patience(),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.private, self.patience, self.sleep = private, patience, sleep
        self.agent = f"{AGENT} (+{contact or HOME})"
        self.hosts = Hosts(AGENT, per_host, interval, self._robots if obey_robots else None, sleep=sleep)
        timeout = urllib3.Timeout(connect=patience.stall, read=patience.stall)
        settings = {"timeout": timeout, "retries": False, "maxsize": per_host, "block": False}
        self._direct = urllib3.PoolManager(**settings) if private else PublicPools(**settings)  # type: ignore[arg-type]
        self._proxies = {
            scheme: urllib3.ProxyManager(proxy, **settings)  # type: ignore[arg-type]
            for scheme, proxy in getproxies().items()
            if scheme in ("http", "https")
        }

    @contextmanager
    def open(self, url: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Iterator[BaseHTTPResponse]:
        """The answer to a request, its body still to be read.

        Raises Forbidden for an address that must not be asked, Again for what may pass, SourceError for what won't.
        """
        for _ in range(MAX_REDIRECTS + 1):
            check_url(url, private=self.private)
            with self._turn(url), closing(self._send(url, method, headers or {})) as response:
                target = response.headers.get("Location")
                if response.status not in _REDIRECTS or not target:
                    yield _accepted(url, response)
                    return
                url = _redirected(url, target)
        raise SourceError(f"{url}: more than {MAX_REDIRECTS} redirects")

    @contextmanager
    def _turn(self, url: str) -> Iterator[None]:
        try:
            turn = self.hosts.turn(url)
            turn.__enter__()
        except Unreachable as error:
            raise Again(f"robots.txt of {urlsplit(url).netloc} can't be had: {error}") from error
        try:
            yield
        finally:
            turn.__exit__(None, None, None)

    def _send(self, url: str, method: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        parts = urlsplit(url)
        proxy = None if proxy_bypass(parts.hostname or "") else self._proxies.get(parts.scheme)
        sent = {"User-Agent": self.agent, "Accept-Encoding": "identity", **headers}
        try:
            return (proxy or self._direct).request(method, url, headers=sent, redirect=False, preload_content=False, decode_content=False)
        except Forbidden:
            raise
        except urllib3.exceptions.HTTPError as error:
            raise Again(f"{url} doesn't answer: {error}") from error
        except (OSError, ValueError) as error:
            raise Again(f"{url} can't be asked: {error}") from error

    def _robots(self, url: str) -> str:
        """The text of a robots.txt: what isn't there allows everything, what can't be had forbids it (RFC 9309, 2.3.1)."""
        for _ in range(MAX_REDIRECTS // 2 + 1):
            check_url(url, private=self.private)
            try:
                with closing(self._send(url, "GET", {})) as response:
                    if response.status in _REDIRECTS and response.headers.get("Location"):
                        url = _joined(url, response.headers["Location"])
                        continue
                    if response.status >= 500 or response.status == 429:
                        raise Unreachable(f"status {response.status}")
                    return response.read(ROBOTS_BYTES).decode("utf-8", "replace") if response.status < 300 else ""
            except (Again, urllib3.exceptions.HTTPError, OSError) as error:
                raise Unreachable(str(error)) from error
        return ""

    def trying(self, url: str, attempt: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
        """`attempt()` until it doesn't raise Again; SourceError after `attempts` in a row that made too little `progress`.

        Enough is what the slowest allowed connection brings before it is cut: a server that drips doesn't keep a run for ever.
        """
        enough = self.patience.min_rate * self.patience.stall
        failed, reached = 0, progress()
        while True:
            try:
                return attempt()
            except Again as error:
                failed, reached = (1, progress()) if progress() - reached > enough else (failed + 1, reached)
                wait = error.wait if error.wait is not None else self._pause(url, failed)
                if failed >= self.patience.attempts or wait > self.patience.longest:
                    asked = f"; it asks to wait for {error.wait:,.0f} s" if error.wait is not None else ""
                    raise GivenUp(f"{error} ({failed} attempts{asked}); what came is kept, run again to go on") from error
                self.sleep(wait)

    def _pause(self, url: str, failed: int) -> float:
        spread = random.Random(f"{url} {failed}").uniform(0.5, 1.0)  # many files that fail at once don't come back at once
        return float(min(self.patience.pause * 2 ** (failed - 1), self.patience.longest) * spread)


def _redirected(url: str, target: str) -> str:
    there = _joined(url, target)
    if urlsplit(url).scheme == "https" and urlsplit(there).scheme == "http":
        raise Forbidden(f"{url} redirects from https to {there}: what comes could be anybody's")
    return there


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise Forbidden(f"{url} redirects to {target!r}, which is no address ({error})") from error


def whole_number(value: str) -> int | None:
    """A number as HTTP writes it, in digits of ASCII; None for anything else."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None


def _accepted(url: str, response: BaseHTTPResponse) -> BaseHTTPResponse:
    if response.status in _PASSING:
        raise Again(
            f"{url}: status {response.status} {response.reason or ''}".rstrip(), _retry_after(response.headers.get("Retry-After", ""))
        )
    if response.status in (404, 410):
        raise Absent(f"{url}: status {response.status}: no such file there; is the address still right?")
    if response.status >= 300 and response.status != 416:
        raise SourceError(f"{url}: status {response.status} {response.reason or ''}".rstrip() + ": is the address still right?")
    return response


def _retry_after(value: str) -> float | None:
    """Seconds, given as such or as a date (RFC 9110, 10.2.3)."""
    seconds = whole_number(value.strip())
    if seconds is not None:
        return float(seconds)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max((when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)
