"""Dialling out: allow-listed hosts or public addresses only, checked where the connection is made.

An address checked before it is dialled can change in between (DNS rebinding), so the check is in the resolver.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Collection, Iterable
from typing import Any

import httpcore
import httpx

from shared.errors import Invalid

_HOST = re.compile(rb"[A-Za-z0-9._:-]+")
# IPv4-compatible (RFC 4291) and NAT64 (RFC 6052).
_HOLD_IPV4 = (ipaddress.ip_network("::/96"), ipaddress.ip_network("64:ff9b::/96"))
# Networks that Python 3.11 takes for global: local NAT64, site-local, documentation, segment routing, 6to4 relays.
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16", "192.88.99.0/24", "192.0.0.0/24")
)


class AddressRefused(httpcore.ConnectError):
    """A host resolves to an address that is not to be dialled."""


class UrlRefused(Invalid):
    """An endpoint's URL is not one we would dial."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host, refuses what is neither public nor allow-listed, and dials the checked address itself."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host, if all of them may be dialled."""
        addresses = await self._resolve(host, port)
        if f"{host}:{port}" not in self._allowed:
            for address in addresses:
                if not is_public(address):
                    raise AddressRefused(f"{host} resolves to {address}, which is not dialled")
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Refuse: no department lives in a local socket."""
        raise AddressRefused("local sockets are not dialled")

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._inner.sleep(seconds)

    async def _resolve(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: {error}") from error
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
    try:
        # As the client reads it: two readings of one URL could mean two hosts.
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UrlRefused(f"not a URL: {error}", pointer="/url") from error
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    if not _HOST.fullmatch(parts.raw_host) or port > 65_535:
        raise UrlRefused("a URL has a host that can be dialled", pointer="/url")
    if parts.userinfo or parts.fragment or "\\" in url:
        raise UrlRefused("a URL has neither user nor fragment nor backslash", pointer="/url")
    listed = f"{parts.host}:{port}" in allowed
    if parts.scheme != "https" and not (parts.scheme == "http" and listed):
        raise UrlRefused("an endpoint's URL begins with https://", pointer="/url")
    try:
        literal = ipaddress.ip_address(parts.host)
    except ValueError:
        return
    if not is_public(str(literal)) and not listed:
        raise UrlRefused(f"{literal} is not a public address", pointer="/url")


def make_client(allowed: Collection[str], timeout_seconds: float) -> httpx.AsyncClient:
    """Return a client that dials through the guard, follows no redirect and reads no proxy settings."""
    transport = httpx.AsyncHTTPTransport(trust_env=False, retries=0)
    pool = httpcore.AsyncConnectionPool(
        ssl_context=httpx.create_ssl_context(trust_env=False),
        max_connections=64,
        network_backend=GuardedBackend(allowed),
    )
    # httpx has no argument for the resolver; its transport is a thin layer over this pool.
    transport._pool = pool  # noqa: SLF001
    return httpx.AsyncClient(transport=transport, timeout=timeout_seconds, follow_redirects=False, trust_env=False)
