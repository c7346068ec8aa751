"""What may be asked for over the network: http and https, at addresses of the public Internet.

A listing or a redirect is written by somebody else. It must not lead to a file of this machine, to a service that
listens on it, or to one of its network ("server-side request forgery"). A name is judged by the address that the
connection really has, after it is made and before a byte is sent: a name that changes its address meanwhile gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from pipeline.errors import SourceError

SCHEMES = ("http", "https")

#: Stores of objects that are read by their own protocols ("memory" lives in this process). Never this machine's files: a list
#: may be anybody's.
STORES = ("s3", "gs", "memory")

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(SourceError):
    """An address that must not be asked."""


def check_url(url: str, *, private: bool = False) -> None:
    """Raise Forbidden unless `url` is http(s), names a host and no password, and its host is no private address.

    Names are not looked up here: the connection is checked when it is made.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Forbidden(f"{url!r} is no URL ({error})") from error
    if parts.scheme not in SCHEMES or not host:
        raise Forbidden(f"{url!r} is no http or https address: nothing else is followed from a listing or a redirect")
    if parts.username or parts.password:
        raise Forbidden(f"{_bare(url)}: an address with a user's name or password is not followed")
    if not private and not _public_literal(host):
        raise Forbidden(f"{url} leads to a private address: `download: {{private: true}}` in the recipe allows it")


def _bare(url: str) -> str:
    return url.replace(urlsplit(url).netloc, urlsplit(url).netloc.rpartition("@")[2], 1)


def _public_literal(host: str) -> bool:
    """False for an address that is written out and not public, and for names of this machine; other names are not judged."""
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".").rstrip(".")  # as resolvers and proxies read it
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return False
    try:
        return is_public(socket.inet_ntoa(socket.inet_aton(host)))  # also 127.1, 0x7f.1 and 2130706433, as systems read them
    except OSError:
        pass
    try:
        return is_public(host)
    except ValueError:
        return True


def is_public(address: str) -> bool:
    """Whether an IP address, as text, is one of the public Internet; ValueError for what is no address.

    By the registries of special addresses of IANA, as Python's `ipaddress` has them; multicast is none either. An IPv6
    address that stands for an IPv4 one (mapped, 6to4, NAT64) is as public as that one.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found not in _GLOBAL_UNICAST:  # what IANA has given out; `is_global` also takes fec0:: and ::127.0.0.1
            return False
    return found.is_global and not found.is_multicast


def _checked(sock: socket.socket, host: str) -> socket.socket:
    address = str(sock.getpeername()[0])
    if not is_public(address):
        sock.close()
        raise Forbidden(f"{host} is at the private address {address}: `download: {{private: true}}` in the recipe allows it")
    return sock


class _PublicHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _PublicHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class PublicPools(PoolManager):
    """Connection pools that refuse, once connected and before anything is sent, an address that isn't public."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}
