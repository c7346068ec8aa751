"""What may be asked for over the network."""

from __future__ import annotations

import socket

import pytest
from http_kit import Server

from pipeline.fetching.addresses import Forbidden, check_url, is_public
from pipeline.fetching.client import Client, Patience

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1",
    "fd00::1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "fe80::1%eth0", "255.255.255.255", "::",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "no http or https"),
        ("ftp://example.org/x", "no http or https"),
        ("gopher://example.org/x", "no http or https"),
        ("http:///x", "no http or https"),
        ("//example.org/x", "no http or https"),
        ("http://user:secret@example.org/", "user's name or password"),
        ("http://localhost/x", "private address"),
        ("http://127.1/x", "private address"),
        ("http://0x7f000001/x", "private address"),
        ("http://2130706433/x", "private address"),
        ("http://[::1]/x", "private address"),
        ("http://169.254.169.254/latest/meta-data", "private address"),
        ("http://printer.local/", "private address"),
        ("http://[nonsense/", "no URL"),
        ("http://example.org:notaport/", "no URL"),
    ],
)
def test_what_is_never_followed(url: str, why: str) -> None:
    with pytest.raises(Forbidden, match=why):
        check_url(url)


@pytest.mark.parametrize("host", ["localhost.", "127.0.0.1.", "①②⑦.0.0.1", "127\u30020\u30020\u30021", "metadata.google.internal."])
def test_other_spellings_of_private_names(host: str) -> None:
    with pytest.raises(Forbidden, match="private address"):
        check_url(f"http://{host}/")


@pytest.mark.parametrize("address", ["::127.0.0.1", "fec0::1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1"])
def test_ipv6_that_is_not_given_out(address: str) -> None:
    assert not is_public(address)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(Forbidden) as caught:
        check_url("http://user:secret@example.org/")
    assert "secret" not in str(caught.value)


def test_public_names_and_a_network_of_ones_own() -> None:
    check_url("https://data.commoncrawl.org/x")
    check_url("http://192.168.1.1/mirror", private=True)


def test_a_name_is_judged_by_the_address_it_leads_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name that leads to this machine: the connection is made, and nothing is sent."""
    port = int(server.base.rpartition(":")[2])
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **named: real("127.0.0.1", *rest, **named))
    server.put("/secret", b"inner")
    client = Client(obey_robots=False, patience=Patience(attempts=1))
    with (
        pytest.raises(Forbidden, match=r"example\.org is at the private address 127\.0\.0\.1"),
        client.open(f"http://example.org:{port}/secret"),
    ):
        pass
    assert server.asked == []
