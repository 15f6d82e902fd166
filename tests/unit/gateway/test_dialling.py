"""The guard against being sent where nobody outside should send us; no address here is ever dialled."""

import asyncio
import ipaddress
import socket
from typing import Any

import aiohttp
import pytest
from yarl import URL

from services.gateway.dialling import AddressRefused, Guard, UrlRefused, check_url, is_public, make_client
from tests.contracts.vectors import vector_file

# The one host in the list of vectors, and in our own, that is where anyone may send anyone.
PUBLIC = {"1.1.1.1"}


class Numeric(asyncio.SelectorEventLoop):
    """A loop whose resolver reads numbers as the C library does and takes every name for this machine.

    It connects to nobody, and remembers to whom it should have.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[tuple[str, int]] = []

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.dialled.append(address[:2])
        raise ConnectionRefusedError("not in a test")


async def post(url: str | URL, allowed: tuple[str, ...]) -> None:
    async with make_client(allowed, 1.0) as client:
        await client.post(url)


def dial(url: str | URL, *, allowed: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    """Send something to a URL as the worker does, and return which addresses it dialled."""
    loop = Numeric()
    with asyncio.Runner(loop_factory=lambda: loop) as runner, pytest.raises(aiohttp.ClientError):
        runner.run(post(url, allowed))
    return loop.dialled


def at(host: str, port: int = 443) -> str:
    """Return the URL of a host, or of an IPv6 address."""
    return f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/"


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


INNER = [
    *("localhost", "metadata.internal", "127.1", "127.0.1", "0", "0x7f000001", "2130706433"),
    *("0177.0.0.1", "017700000001", "0x7f.1", "::1", "::ffff:7f00:1", "169.254.169.254", "３"),
]


class TestGuard:
    @pytest.mark.parametrize("host", INNER)
    def test_refuses_every_way_to_write_an_inner_address(self, host: str) -> None:
        assert dial(at(host)) == []

    @pytest.mark.parametrize("host", INNER)
    def test_refuses_it_by_itself_as_a_name_and_as_what_is_dialled(self, host: str) -> None:
        guard = Guard(())

        with asyncio.Runner(loop_factory=Numeric) as runner, pytest.raises(AddressRefused):
            runner.run(guard.resolve(host, 443))
        with pytest.raises(AddressRefused):
            guard.open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 443)))

    def test_refuses_a_host_whose_second_address_is_inner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def two(self: object, host: str, port: int, **_: object) -> object:
            return [(0, 0, 0, "", (address, port)) for address in ("8.8.8.8", "10.0.0.1")]

        monkeypatch.setattr(Numeric, "getaddrinfo", two)

        assert dial("https://rebinding.example/") == []

    def test_refuses_a_host_that_was_public_when_it_was_registered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = iter(["8.8.8.8", "10.0.0.1"])

        async def rebinding(self: object, host: str, port: int, **_: object) -> object:
            return [(0, 0, 0, "", (next(answers), port))]

        monkeypatch.setattr(Numeric, "getaddrinfo", rebinding)
        check_url("https://rebinding.example/", ())

        assert dial("https://rebinding.example/") == [("8.8.8.8", 443)]
        assert dial("https://rebinding.example/") == []

    def test_dials_the_address_that_it_checked_without_asking_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        async def once(self: object, host: str, port: int, **_: object) -> object:
            asked.append(host)
            return [(0, 0, 0, "", ("8.8.8.8" if len(asked) == 1 else "10.0.0.1", port))]

        monkeypatch.setattr(Numeric, "getaddrinfo", once)

        assert dial("https://customs.example/") == [("8.8.8.8", 443)]
        assert asked == ["customs.example"]

    def test_lets_an_allowed_host_and_port_through_and_no_other_port(self) -> None:
        assert dial(at("127.0.0.1", 1), allowed=("127.0.0.1:1",)) == [("127.0.0.1", 1)]
        assert dial(at("127.0.0.1", 2), allowed=("127.0.0.1:1",)) == []

    def test_lets_an_allowed_name_through_to_an_inner_address(self) -> None:
        assert dial(at("customs.internal"), allowed=("customs.internal:443",)) == [("127.0.0.1", 443)]
        assert dial(at("tax.internal"), allowed=("customs.internal:443",)) == []

    @pytest.mark.parametrize("url", ["unix:///var/run/docker.sock", "http+unix://docker/", "tcp://127.0.0.1:80/"])
    def test_dials_no_local_socket(self, url: str) -> None:
        assert dial(url) == []

    async def test_takes_a_host_that_no_resolver_can_read_for_one_that_is_away(self) -> None:
        with pytest.raises(OSError, match="label empty or too long"):
            await Guard(()).resolve("customs..example", 443)


class TestCheckUrl:
    @pytest.mark.parametrize(
        "url",
        [
            *("http://customs.example/", "ftp://customs.example/", "file:///etc/passwd", "gopher://x/"),
            *("https:///path", "https://", "customs.example", "//customs.example", "", "https://127.0.0.1/"),
            *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://a@b.example/", "https://b.example/#x"),
            *("https://b.example\\@127.0.0.1/", "https://b.example:99999/", "https://b.example/\x00"),
            *("https://b.example/\r\nx: y", "https://exa mple/", "https://b.example:0/", "https://b..example/"),
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
        except UrlRefused:
            continue
        reached += [address for address, _ in dial(url) if address not in PUBLIC]

    assert len(urls) > 100
    assert reached == []
    assert all(ipaddress.ip_address(address).is_global for address in PUBLIC)


async def test_the_client_keeps_no_cookie_and_reads_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    async with make_client((), 1.0) as client:
        assert isinstance(client.cookie_jar, aiohttp.DummyCookieJar)
        assert not client.trust_env
        assert not client.auto_decompress


def test_a_proxy_of_the_environment_is_not_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    assert dial("https://8.8.8.8/") == [("8.8.8.8", 443)]
