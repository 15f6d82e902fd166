"""The guard against being sent where nobody outside should send us; no address here is ever dialled."""

import asyncio
import ipaddress
import socket
from typing import Any

import httpcore
import httpx
import pytest

from services.gateway.dialling import (
    AddressRefused,
    GuardedBackend,
    UrlRefused,
    check_url,
    is_public,
    make_client,
)
from tests.contracts.vectors import vector_file

# The one host in the list of vectors, and in our own, that is where anyone may send anyone.
PUBLIC = {"1.1.1.1"}


class Numeric(asyncio.SelectorEventLoop):
    """A loop whose resolver reads numbers as the C library does and takes every name for this machine."""

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def dial(host: str, port: int = 443, *, allowed: tuple[str, ...] = ()) -> None:
    with asyncio.Runner(loop_factory=Numeric) as runner:
        runner.run(GuardedBackend(allowed).connect_tcp(host, port))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.1", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.8"),
        *("192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1"),
        *("64:ff9b:1::7f00:1", "100::1", "2001:db8::1", "2002:7f00:1::", "2001:0:7f00:1::", "3fff::1"),
        *("5f00::1", "fc00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


class TestGuard:
    @pytest.mark.parametrize(
        "host",
        [
            *("localhost", "metadata.internal", "127.1", "127.0.1", "0", "0x7f000001", "2130706433"),
            *("0177.0.0.1", "017700000001", "0x7f.1", "::1", "::ffff:7f00:1", "169.254.169.254", "３"),
        ],
    )
    def test_refuses_every_way_to_write_an_inner_address(self, host: str) -> None:
        with pytest.raises(AddressRefused):
            dial(host)

    def test_refuses_a_host_whose_second_address_is_inner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def two(self: object, host: str, port: int, **_: object) -> object:
            return [(0, 0, 0, "", (address, port)) for address in ("8.8.8.8", "10.0.0.1")]

        monkeypatch.setattr(Numeric, "getaddrinfo", two)

        with pytest.raises(AddressRefused):
            dial("rebinding.example")

    def test_lets_an_allowed_host_and_port_through_and_no_other_port(self) -> None:
        # Port 1 answers to nobody: that it was dialled at all is what counts.
        with pytest.raises(httpcore.ConnectError) as dialled:
            dial("127.0.0.1", 1, allowed=("127.0.0.1:1",))
        assert not isinstance(dialled.value, AddressRefused)

        with pytest.raises(AddressRefused):
            dial("127.0.0.1", 2, allowed=("127.0.0.1:1",))

    async def test_dials_no_local_socket(self) -> None:
        with pytest.raises(AddressRefused):
            await GuardedBackend(()).connect_unix_socket("/var/run/docker.sock")


class TestCheckUrl:
    @pytest.mark.parametrize(
        "url",
        [
            *("http://customs.example/", "ftp://customs.example/", "file:///etc/passwd", "gopher://x/"),
            *("https:///path", "https://", "customs.example", "//customs.example", "", "https://127.0.0.1/"),
            *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://a@b.example/", "https://b.example/#x"),
            *("https://b.example\\@127.0.0.1/", "https://b.example:99999/", "https://b.example/\x00"),
            *("https://b.example/\r\nx: y", "https://exa mple/"),
        ],
    )
    def test_refuses_what_would_not_be_dialled(self, url: str) -> None:
        with pytest.raises(UrlRefused):
            check_url(url, ())

    @pytest.mark.parametrize(
        "url", ["https://customs.example/hooks?a=b", "https://customs.example:8443/", "https://8.8.8.8/"]
    )
    def test_takes_a_department(self, url: str) -> None:
        check_url(url, ())

    def test_takes_an_allowed_host_without_tls_but_with_no_other_scheme(self) -> None:
        check_url("http://127.0.0.1:8109/hooks", ("127.0.0.1:8109",))

        with pytest.raises(UrlRefused):
            check_url("gopher://127.0.0.1:8109/hooks", ("127.0.0.1:8109",))


def test_no_url_of_the_public_list_reaches_an_inner_address() -> None:
    urls = vector_file("ssrf_urls.txt").read_text(encoding="utf-8").splitlines()

    # Most of the list is refused for not being https: with it, the address must be what refuses.
    reached = []
    for url in {*urls, *(u.replace("http://", "https://", 1) for u in urls)}:
        try:
            check_url(url, ())
            dialled = httpx.URL(url)
            if dialled.host not in PUBLIC:
                dial(dialled.host, dialled.port or 443)
                reached.append(url)
        except (UrlRefused, AddressRefused):
            continue

    assert len(urls) > 100
    assert reached == []
    assert all(ipaddress.ip_address(address).is_global for address in PUBLIC)


def test_the_client_follows_no_redirect_and_reads_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    client = make_client((), 1.0)

    assert not client.follow_redirects
    assert not client.trust_env
    assert client._mounts == {}
