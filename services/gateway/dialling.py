"""Dialling out: allow-listed hosts or public addresses only, checked where the connection is made.

An address checked before it is dialled can change in between (DNS rebinding), so what is checked last is the
address that a socket is opened for.
"""

import asyncio
import errno
import ipaddress
import re
import socket
from collections.abc import Collection

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from shared.errors import Invalid

_HOST = re.compile(r"(?!.*\.\.)[A-Za-z0-9._:-]+")
# IPv4-compatible (RFC 4291) and NAT64 (RFC 6052).
_HOLD_IPV4 = (ipaddress.ip_network("::/96"), ipaddress.ip_network("64:ff9b::/96"))
# Networks that Python 3.11 takes for global: local NAT64, site-local, documentation, segment routing, 6to4 relays.
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16", "192.88.99.0/24", "192.0.0.0/24")
)
_MOST_CONNECTIONS = 64
# Of an answer only its beginning is told: nobody makes us buffer more than a few times this much.
_READ_AHEAD_BYTES = 1_024
# Less than the five seconds after which common servers close: a notice must not meet a connection that just went.
_KEEP_ALIVE_SECONDS = 4.0


class AddressRefused(OSError):
    """A host is, or resolves to, an address that is not to be dialled."""


class UrlRefused(Invalid):
    """An endpoint's URL is not one we would dial."""


class Guard(AbstractResolver):
    """Refuses what is neither public nor allow-listed: names when they are resolved, addresses when they are dialled.

    aiohttp asks no resolver about a host that looks like an address, so `open_socket` is what nothing gets past.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)
        self._vouched_for: set[str] = set(allowed)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host, if all of them may be dialled."""
        addresses = await _addresses(host, port, family)
        if f"{host}:{port}" in self._allowed:
            self._vouched_for.update(f"{address}:{port}" for address in addresses)
        for address in addresses:
            self._check(address, port)
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host=a, port=port, family=family, proto=0, flags=flags) for a in addresses]

    async def close(self) -> None:
        """Hold nothing that would have to be closed."""

    def open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket for the very address that is dialled next. Raises AddressRefused."""
        family, kind, protocol, _, (address, port, *_) = info
        self._check(str(address), int(port))
        return socket.socket(family, kind, protocol)

    def _check(self, address: str, port: int) -> None:
        try:
            public = is_public(address)
        except ValueError:
            # Not how we write an address; the C library would read it as one (127.1, 0x7f.1).
            public = False
        if not public and f"{address}:{port}" not in self._vouched_for:
            raise AddressRefused(errno.EACCES, f"{address} is not dialled")


async def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
    except UnicodeError as error:
        raise OSError(errno.EINVAL, f"{host}: {error}") from error
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """Tell whether an address is one of the public internet, whatever form hides it (RFC 6890)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and any(ip in network for network in _HOLD_IPV4):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_GLOBAL)


def check_url(url: str, allowed: Collection[str]) -> None:
    """Refuse a URL we would never dial: https only, but for allow-listed hosts. Raises UrlRefused."""
    if not url.isprintable() or "\\" in url or " " in url:
        raise UrlRefused("a URL has neither spaces nor backslashes nor control characters", pointer="/url")
    try:
        # As the client reads it: two readings of one URL could mean two hosts.
        parts = URL(url)
        host, port = parts.raw_host or "", parts.port or 0
    except ValueError as error:
        raise UrlRefused(f"not a URL: {error}", pointer="/url") from error
    if not _HOST.fullmatch(host) or not 0 < port <= 65_535:
        raise UrlRefused("a URL has a host that can be dialled", pointer="/url")
    if parts.raw_user or parts.raw_password or parts.raw_fragment:
        raise UrlRefused("a URL has neither user nor fragment", pointer="/url")
    _check_reach(parts.scheme, host, listed=f"{host}:{port}" in allowed)


def _check_reach(scheme: str, host: str, *, listed: bool) -> None:
    if scheme != "https" and not (scheme == "http" and listed):
        raise UrlRefused("an endpoint's URL begins with https://", pointer="/url")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(str(literal)) and not listed:
        raise UrlRefused(f"{literal} is not a public address", pointer="/url")


def make_client(allowed: Collection[str], timeout_seconds: float) -> aiohttp.ClientSession:
    """Return a client that dials through the guard and reads no proxy settings."""
    guard = Guard(allowed)
    connector = aiohttp.TCPConnector(
        resolver=guard,
        socket_factory=guard.open_socket,
        use_dns_cache=False,
        limit=_MOST_CONNECTIONS,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
    )
    return session_over(connector, timeout_seconds)


def session_over(connector: aiohttp.BaseConnector, timeout_seconds: float) -> aiohttp.ClientSession:
    """Return a client over a connector: no cookies, no proxies, and an answer's bytes as they came."""
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(sock_connect=timeout_seconds, sock_read=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"accept-encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
        read_bufsize=_READ_AHEAD_BYTES,
    )
