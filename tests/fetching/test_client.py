"""One request: redirects, refusals, waits, robots.txt, the manners of hosts."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from http_kit import Served, Server

from pipeline.errors import SourceError
from pipeline.fetching.addresses import Forbidden
from pipeline.fetching.client import Again, Client, Patience, whole_number


def body(client: Client, url: str) -> bytes:
    with client.open(url) as response:
        return response.read()


def test_a_redirect_is_followed(server: Server, client: Client) -> None:
    server.put("/new", b"here")
    url = server.put("/old", b"", status=302, headers={"Location": "/new"})
    assert body(client, url) == b"here"
    assert server.agents == {"Tokenmill (+a pipeline for training corpora)"}


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/", "http://user:pw@example.org/"])
def test_a_redirect_to_what_is_no_address(server: Server, client: Client, target: str) -> None:
    url = server.put("/old", b"", status=301, headers={"Location": target})
    with pytest.raises(Forbidden):
        body(client, url)


def test_a_redirect_to_a_private_address_of_a_public_client() -> None:
    from pipeline.fetching.client import _redirected

    with pytest.raises(Forbidden, match="from https to"):
        _redirected("https://example.org/a", "http://example.org/b")
    assert _redirected("https://example.org/a/b", "../c") == "https://example.org/c"


def test_redirects_without_end(server: Server, client: Client) -> None:
    url = server.put("/round", b"", status=307, headers={"Location": "/round"})
    with pytest.raises(SourceError, match="more than 10 redirects"):
        body(client, url)
    assert len(server.asked) == 11


def test_what_is_not_there_is_not_asked_for_again(server: Server, client: Client, waits: list[float]) -> None:
    with pytest.raises(SourceError, match="status 404"):
        client.trying("u", lambda: body(client, server.base + "/none"))
    assert waits == [] or set(waits) == {0.0}
    assert len(server.asked) == 1


def test_retry_after_in_seconds_and_as_a_date(server: Server, client: Client) -> None:
    server.put("/busy", b"", status=429, headers={"Retry-After": "7"})
    with pytest.raises(Again) as caught:
        body(client, server.base + "/busy")
    assert caught.value.wait == 7.0
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100))
    server.put("/busy", b"", status=503, headers={"Retry-After": date})
    with pytest.raises(Again) as caught:
        body(client, server.base + "/busy")
    assert caught.value.wait is not None
    assert 90 < caught.value.wait <= 100


def test_waits_double_and_the_server_is_kept_to(server: Server, client: Client, waits: list[float]) -> None:
    busy = Served(b"", 503)
    url = server.turn("/busy", busy, Served(b"", 429, {"Retry-After": "9"}), Served(b"done"))
    assert client.trying(url, lambda: body(client, url)) == b"done"
    waits = [wait for wait in waits if wait]
    assert 0.5 <= waits[0] <= 1.0
    assert waits[1] == 9.0


def test_a_wait_of_a_day_is_no_wait(server: Server, client: Client) -> None:
    url = server.put("/busy", b"", status=429, headers={"Retry-After": "86400"})
    with pytest.raises(SourceError, match="it asks to wait for 86,400 s"):
        client.trying(url, lambda: body(client, url))


def test_attempts_end(server: Server, client: Client) -> None:
    url = server.put("/broken", b"", status=500)
    with pytest.raises(SourceError, match=r"status 500 .*\(3 attempts\)"):
        client.trying(url, lambda: body(client, url))
    assert len(server.asked) == 3


def test_nobody_listens(client: Client) -> None:
    with pytest.raises(SourceError, match=r"doesn't answer.*3 attempts"):
        client.trying("u", lambda: body(client, "http://127.0.0.1:9/x"))


def test_robots(server: Server) -> None:
    server.put("/robots.txt", b"User-agent: *\nDisallow: /private\nAllow: /private/open$\nCrawl-delay: 3\n")
    server.put("/private/open", b"a")
    server.put("/public", b"b")
    waits: list[float] = []
    client = Client(private=True, patience=Patience(attempts=1), sleep=waits.append)
    with pytest.raises(Forbidden, match=r"robots\.txt disallows it"):
        body(client, server.base + "/private/x")
    assert body(client, server.base + "/private/open") == b"a"
    assert body(client, server.base + "/public") == b"b"
    assert len(server.gets("/robots.txt")) == 1
    assert 2.5 < max(waits) <= 3.0


def test_a_robots_txt_that_cannot_be_had_forbids_everything(server: Server) -> None:
    server.put("/robots.txt", b"", status=503)
    client = Client(private=True, patience=Patience(attempts=1), sleep=lambda _: None)
    with pytest.raises(Again, match=r"robots\.txt of"):
        body(client, server.base + "/x")


def test_connections_to_a_host_are_counted(server: Server) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def slow(_: int) -> Served:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return Served(b"x")

    server.answers["/slow"] = slow
    client = Client(private=True, obey_robots=False, per_host=2)
    threads = [threading.Thread(target=body, args=(client, server.base + "/slow")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 6
    assert most <= 2


@pytest.mark.parametrize("value", ["\u00b2", "9" * 5000, "Tue, 01 Jan 99999999999999999999 00:00:00 GMT", "-5", "soon"])
def test_headers_that_are_no_numbers(server: Server, client: Client, value: str) -> None:
    server.put("/busy", b"", status=503, headers={"Retry-After": value})
    with pytest.raises(Again) as caught:
        body(client, server.base + "/busy")
    assert caught.value.wait is None
    assert whole_number(value) is None


def test_a_redirect_to_what_is_no_url(server: Server, client: Client) -> None:
    url = server.put("/old", b"", status=302, headers={"Location": "http://[bad"})
    with pytest.raises(Forbidden, match="no address"):
        body(client, url)
