"""A local server that behaves as publishers' servers do, on good days and bad ones."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One answer: what the body is, and how the server misbehaves while it gives it.

    `cut`: bytes after which the connection breaks. `drip`: seconds between two bytes. `length`: a Content-Length that lies.
    `ranges`: whether ranges are honoured. `etag`: "" for none, None for the body's own.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: float = 0.0
    length: int | None = None
    ranges: bool = True
    etag: str | None = None


Answer = Served | Callable[[int], Served]


class Server:
    """Answers by path; `asked` holds (method, path, Range) of every request, `agents` what asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.agents: set[str] = set()
        self.base = ""
        self._lock = threading.Lock()

    def put(self, path: str, body: bytes, **how: object) -> str:
        """Serve `body` at `path`; returns the address."""
        self.answers[path] = Served(body, **how)  # type: ignore[arg-type]
        return self.base + path

    def turn(self, path: str, *answers: Served) -> str:
        """The first answer to the first request for `path` (HEAD apart), the last one from then on."""
        self.answers[path] = lambda number: answers[min(number, len(answers) - 1)]
        return self.base + path

    def gets(self, path: str) -> list[str]:
        """The Range headers of the GET requests for `path`."""
        return [wanted for method, asked, wanted in self.asked if method == "GET" and asked == path]

    def answer(self, method: str, path: str, wanted: str, agent: str) -> Served:
        with self._lock:
            before = len(self.gets(path))
            self.asked.append((method, path, wanted))
            self.agents.add(agent)
        found = self.answers.get(path, Served(b"no such file", 404))
        return found if isinstance(found, Served) else found(before)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listening  # type: ignore[assignment]

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("HEAD")

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self, method: str) -> None:
        found = self.server.kit.answer(method, self.path, self.headers.get("Range", ""), self.headers.get("User-Agent", ""))
        etag = f'"{hashlib.sha256(found.body).hexdigest()[:16]}"' if found.etag is None else found.etag
        status, body, more = found.status, found.body, {}
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if start and found.ranges and status == 200 and self.headers.get("If-Range", etag) in (etag, found.headers.get("Last-Modified")):
            first = int(start[1])
            status, more = (206, {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}) if first < len(body) else (416, {})
            body = body[first:]
        self.send_response(status)
        for name, value in {"ETag": etag, **more, **found.headers}.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(found.length if found.length is not None else len(body)))
        self.end_headers()
        if method == "GET":
            self._body(body, found)

    def _body(self, body: bytes, found: Served) -> None:
        try:
            if found.drip:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(found.drip)
            self.wfile.write(body if found.cut is None else body[: found.cut])
        except OSError:  # the client had enough
            self.close_connection = True
        if found.cut is not None or found.length is not None:
            self.close_connection = True


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    kit: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the play."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine, while the block runs."""
    kit = Server()
    with _Listening(("127.0.0.1", 0), _Handler) as listening:
        listening.kit = kit
        kit.base = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield kit
        finally:
            listening.shutdown()
            thread.join()
