"""The receiver: accepts what is signed and of now, keeps it once, and shows what is missing."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from simulator.notices import Notice, NoticeStore, Summary
from simulator.receiver import create_app

KEYS_URL = "http://gateway/.well-known/webhook-keys.json"


@dataclass
class Gateway:
    """A sender that signs with `cryptography` and publishes its keys."""

    keys: list[Ed25519PrivateKey] = field(default_factory=lambda: [Ed25519PrivateKey.generate()])
    is_up: bool = True
    fetches: int = 0

    def document(self, _: httpx.Request) -> httpx.Response:
        self.fetches += 1
        if not self.is_up:
            return httpx.Response(503)
        published = [
            {"kid": str(number), "alg": "ed25519", "public_key": f"whpk_{encoded(key)}"}
            for number, key in enumerate(self.keys)
        ]
        return httpx.Response(200, json={"keys": published})

    def headers(
        self, webhook_id: str, body: bytes, *, at: int, keys: list[Ed25519PrivateKey] | None = None
    ) -> dict[str, str]:
        message = f"{webhook_id}.{at}.".encode() + body
        signatures = [base64.b64encode(key.sign(message)).decode() for key in keys or self.keys]
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(f"v1a,{signature}" for signature in signatures),
        }


def encoded(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def notice(seq: int = 1, *, operator_id: str = "operator-1", kind: str = "credit.level.changed") -> bytes:
    return msgspec.json.encode({"type": kind, "data": {"operator_id": operator_id, "seq": seq}})


def stored(webhook_id: str, *, seq: int) -> Notice:
    return Notice(
        department="customs",
        webhook_id=webhook_id,
        type="credit.level.changed",
        operator_id="operator-1",
        seq=seq,
        body=notice(seq),
        received_at="2026-03-01T00:00:00.000+00:00",
    )


@dataclass
class Door:
    """The receiver's HTTP side with the gateway it trusts."""

    client: httpx.AsyncClient
    gateway: Gateway

    async def send(
        self, webhook_id: str, body: bytes, *, department: str = "customs", at: int | None = None
    ) -> httpx.Response:
        headers = self.gateway.headers(webhook_id, body, at=now() if at is None else at)
        return await self.client.post(f"/notices/{department}", content=body, headers=headers)

    async def summary(self) -> Summary:
        return msgspec.json.decode((await self.client.get("/notices")).content, type=Summary)


def now() -> int:
    return int(time.time())


@asynccontextmanager
async def receiver(data: Path, gateway: Gateway) -> AsyncIterator[Door]:
    keys_client = httpx.AsyncClient(transport=httpx.MockTransport(gateway.document))
    app = create_app(data, keys_url=KEYS_URL, client=keys_client)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://it") as client,
    ):
        yield Door(client, gateway)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with receiver(tmp_path, Gateway()) as door:
        yield door


class TestSignatures:
    async def test_accepts_a_signed_notice(self, door: Door) -> None:
        assert (await door.send("msg_1", notice())).status_code == 204
        assert (await door.summary()).distinct == 1

    async def test_accepts_any_of_several_signatures(self, door: Door) -> None:
        body, stranger = notice(), Ed25519PrivateKey.generate()
        headers = door.gateway.headers("msg_1", body, at=now(), keys=[stranger, *door.gateway.keys])
        headers["webhook-signature"] = f"v1,AAAA v1a,!! {headers['webhook-signature']}"

        response = await door.client.post("/notices/customs", content=body, headers=headers)

        assert response.status_code == 204

    async def test_refuses_a_strangers_signature(self, door: Door) -> None:
        body = notice()
        headers = door.gateway.headers("msg_1", body, at=now(), keys=[Ed25519PrivateKey.generate()])

        response = await door.client.post("/notices/customs", content=body, headers=headers)

        assert response.status_code == 401
        assert (await door.summary()).bad_signatures == 1

    @pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "body"])
    async def test_refuses_what_was_altered(self, part: str, door: Door) -> None:
        body = notice()
        headers = door.gateway.headers("msg_1", body, at=now())
        if part == "body":
            body += b" "
        else:
            headers[part] = {"webhook-id": "msg_2", "webhook-timestamp": str(now() - 1)}[part]

        response = await door.client.post("/notices/customs", content=body, headers=headers)

        assert response.status_code == 401

    @pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    async def test_refuses_what_lacks_a_header(self, missing: str, door: Door) -> None:
        headers = door.gateway.headers("msg_1", notice(), at=now())
        del headers[missing]

        response = await door.client.post("/notices/customs", content=notice(), headers=headers)

        assert response.status_code == 401

    @pytest.mark.parametrize("seconds", [-330, 330])
    async def test_refuses_an_old_or_future_notice_with_a_good_signature(self, seconds: int, door: Door) -> None:
        assert (await door.send("msg_1", notice(), at=now() + seconds)).status_code == 401
        assert (await door.summary()).distinct == 0

    @pytest.mark.parametrize("timestamp", ["", "-1", "1e9", "٣", "9" * 30])
    async def test_refuses_a_senseless_timestamp(self, timestamp: str, door: Door) -> None:
        headers = door.gateway.headers("msg_1", notice(), at=now())
        sent = {name.encode(): value.encode() for name, value in (headers | {"webhook-timestamp": timestamp}).items()}

        response = await door.client.post("/notices/customs", content=notice(), headers=sent)

        assert response.status_code == 401


class TestKeys:
    async def test_are_fetched_once(self, door: Door) -> None:
        for seq in range(1, 6):
            await door.send(f"msg_{seq}", notice(seq))

        assert door.gateway.fetches == 1

    async def test_are_not_fetched_at_every_forgery(self, door: Door) -> None:
        stranger = [Ed25519PrivateKey.generate()]
        for _ in range(10):
            headers = door.gateway.headers("msg_1", notice(), at=now(), keys=stranger)
            await door.client.post("/notices/customs", content=notice(), headers=headers)

        assert door.gateway.fetches == 1

    async def test_missing_keys_are_no_verdict(self, tmp_path: Path) -> None:
        gateway = Gateway(is_up=False)
        async with receiver(tmp_path, gateway) as door:
            early = await door.send("msg_1", notice())
            gateway.is_up = True
            late = await door.send("msg_1", notice())

        assert (early.status_code, late.status_code) == (503, 204)
        assert early.headers["retry-after"] == "1"


class TestNotices:
    async def test_are_kept_once_however_often_they_come(self, door: Door) -> None:
        answers = [await door.send("msg_1", notice()) for _ in range(3)]
        summary = await door.summary()

        assert {answer.status_code for answer in answers} == {204}
        assert (summary.received, summary.distinct, summary.altered) == (3, 1, 0)

    async def test_keep_their_first_content(self, door: Door) -> None:
        await door.send("msg_1", notice(1))
        await door.send("msg_1", notice(2))
        page = msgspec.json.decode((await door.client.get("/notices/customs")).content)

        assert [entry["body"]["data"]["seq"] for entry in page["notices"]] == [1]
        assert (await door.summary()).altered == 1

    async def test_are_counted_by_department_and_type(self, door: Door) -> None:
        await door.send("msg_1", notice(1))
        await door.send("msg_2", notice(2, kind="risk.alert.raised"))
        await door.send("msg_1", notice(1), department="tax")
        departments = (await door.summary()).departments

        assert departments["customs"].types == {"credit.level.changed": 1, "risk.alert.raised": 1}
        assert departments["tax"].distinct == 1

    async def test_show_gaps_by_operator(self, door: Door) -> None:
        for seq in (1, 2, 5):
            await door.send(f"a_{seq}", notice(seq))
        await door.send("b_2", notice(2, operator_id="operator-2"))
        await door.send("c_1", notice(1, operator_id="operator-3"))
        summary = await door.summary()

        assert [(gap.operator_id, gap.last, gap.missing) for gap in summary.gaps] == [
            ("operator-1", 5, 2),
            ("operator-2", 2, 1),
        ]
        assert summary.missing == 3

    async def test_survive_a_restart(self, tmp_path: Path) -> None:
        gateway = Gateway()
        async with receiver(tmp_path, gateway) as door:
            await door.send("msg_1", notice())
        async with receiver(tmp_path, gateway) as door:
            await door.send("msg_1", notice())
            summary = await door.summary()

        assert (summary.received, summary.distinct) == (2, 1)

    async def test_are_all_stored_when_they_come_at_once(self, door: Door) -> None:
        answers = await asyncio.gather(*(door.send(f"msg_{seq}", notice(seq)) for seq in range(1, 201)))
        summary = await door.summary()

        assert {answer.status_code for answer in answers} == {204}
        assert (summary.distinct, summary.missing) == (200, 0)

    async def test_that_come_while_others_are_written_share_one_commit(self, tmp_path: Path) -> None:
        store, statements = NoticeStore(tmp_path), list[str]()
        store._database.set_trace_callback(statements.append)

        async def one_after_the_other(sender: int) -> None:
            for seq in range(1, 11):
                await store.store(stored(f"{sender}_{seq}", seq=seq))

        await asyncio.gather(*map(one_after_the_other, range(10)))

        assert store.summary().distinct == 100
        assert 10 <= statements.count("COMMIT") <= 40
        store.close()

    async def test_that_are_signed_but_no_notices_are_refused_for_good(self, door: Door) -> None:
        assert (await door.send("msg_1", b"[]")).status_code == 400
        assert (await door.send("msg_2", notice(2**63))).status_code == 400
        assert (await door.summary()).refusals == {"signed, but not a notice": 2}

    async def test_are_listed_in_pages(self, door: Door) -> None:
        for seq in range(1, 6):
            await door.send(f"msg_{seq}", notice(seq))
        listed, after = [], 0
        while True:
            page = (await door.client.get(f"/notices/customs?after={after}&limit=2")).json()
            listed += [entry["seq"] for entry in page["notices"]]
            if page["next"] is None:
                break
            after = page["next"]

        assert listed == [1, 2, 3, 4, 5]

    async def test_are_not_listed_from_a_senseless_position(self, door: Door) -> None:
        assert (await door.client.get("/notices/customs?after=x")).status_code == 400
