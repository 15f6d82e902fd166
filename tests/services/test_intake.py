"""The ingest door, the same for every service that platforms send to: what it takes and how it refuses."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OKPKey

from deploy.tokens import Issuer
from shared.auth import AUDIENCE, Role
from shared.bodies import BATCH, LINES, SINGLE
from shared.ingest_door import MAX_BACKLOG_EVENTS, MAX_BODY_BYTES, MAX_BYTES_IN_HAND
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_registered
from tests.services.listings.factories import listing_published
from tests.services.platform_events import Json, send
from tests.services.risk.declaring import lodged


class Door(NamedTuple):
    """A service with an event that its door takes, and a text field of it."""

    service: Service
    good: Callable[..., Json]
    text_field: str

    async def ids(self) -> set[str]:
        """Return the ids of what is stored for good."""
        return {row["event_id"] for row in await self.service.rows("SELECT event_id FROM accepted_events")}


GOOD: dict[str, tuple[Callable[..., Json], str]] = {
    "listings": (listing_published, "title"),
    "identity": (operator_registered, "legal_name"),
    "risk": (lodged, "importer_ref"),
}
# Where others than platforms may send, too.
SENDERS = {"risk": {Role.PLATFORM, Role.CUSTOMS}}


@pytest_asyncio.fixture(params=sorted(GOOD))
async def door(request: pytest.FixtureRequest, open_service: OpenService) -> Door:
    return Door(await open_service(request.param), *GOOD[request.param])


def faults(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return code and pointer of every rejected item; they stand first in their batch."""
    rejected = answer.json()["rejected"]
    assert [one["index"] for one in rejected] == list(range(len(rejected)))
    return [(one["code"], one["pointer"]) for one in rejected]


def raw(event: Json, **replaced: str) -> str:
    """Return an event's JSON in which fields of its data are written as given."""
    event["data"] |= {name: f"@{name}@" for name in replaced}
    text = json.dumps(event)
    for name, written in replaced.items():
        text = text.replace(f'"@{name}@"', written)
    return text


class TestAnswer:
    async def test_counts_what_is_stored_and_stores_it_before_it_answers(self, door: Door) -> None:
        first, second = door.good(), door.good()

        answer = await send(door.service, [first, second])

        assert answer.status_code == 202
        assert answer.json() == {"accepted": 2, "duplicate": 0, "rejected": []}
        assert await door.ids() == {first["id"], second["id"]}

    async def test_names_every_bad_item_and_stores_the_good_ones_beside_it(self, door: Door) -> None:
        before, after = door.good(), door.good()
        strangers = door.good(platform_id="south")

        answer = await send(door.service, [before, strangers, after])

        assert answer.status_code == 202
        (rejected,) = answer.json()["rejected"]
        assert rejected["index"] == 1
        assert rejected["id"] == strangers["id"]
        assert (rejected["code"], rejected["pointer"]) == ("foreign_source", "/source")
        assert answer.json()["accepted"] == 2
        assert await door.ids() == {before["id"], after["id"]}

    async def test_refuses_values_that_cannot_be(self, door: Door) -> None:
        at = f"/data/{door.text_field}"
        expected = {
            "NaN": ("number_not_finite", at),
            "-Infinity": ("number_not_finite", at),
            '"half \\ud83d of a pair"': ("text_not_storable", at),
            '"a \\u0000 inside"': ("text_not_storable", at),
            "1e400": ("number_out_of_range", at),
            "7": ("wrong_type", at),
            "null": ("wrong_type", at),
            f'"{"x" * 20_001}"': ("wrong_length", at),
            "[" * 5_000 + "]" * 5_000: ("wrong_type", at),
            "tru": ("malformed_json", ""),
        }
        bad, good = [raw(door.good(), **{door.text_field: written}) for written in expected], door.good()

        answer = await send(door.service, f"[{','.join(bad)}, {json.dumps(good)}]".encode())

        assert answer.status_code == 202
        assert faults(answer) == list(expected.values())
        assert await door.ids() == {good["id"]}

    async def test_refuses_attributes_that_cannot_be(self, door: Door) -> None:
        expected: list[tuple[Json, tuple[str, str]]] = [
            ({"time": "0001-01-01T00:00:00+14:00"}, ("time_out_of_range", "/time")),
            ({"time": "9999-12-31T23:59:59-14:00"}, ("time_out_of_range", "/time")),
            ({"time": "2026-03-01T10:00:00"}, ("invalid_time", "/time")),
            ({"time": "yesterday"}, ("invalid_time", "/time")),
            ({"type": "platform.spaceship.launched.v1"}, ("unknown_type", "/type")),
            ({"type": 5}, ("wrong_type", "/type")),
            ({"id": ""}, ("wrong_length", "/id")),
            ({"id": "x" * 201}, ("wrong_length", "/id")),
            ({"id": "nul \x00"}, ("text_not_storable", "/id")),
            ({"source": "/platforms/north/../south"}, ("foreign_source", "/source")),
            ({"specversion": "0.3"}, ("invalid_value", "/specversion")),
            ({"data": []}, ("wrong_type", "/data")),
        ]
        good = door.good()

        answer = await send(door.service, [*({**door.good(), **wrong} for wrong, _ in expected), good])

        assert answer.status_code == 202
        assert faults(answer) == [fault for _, fault in expected]
        assert await door.ids() == {good["id"]}

    async def test_refuses_events_without_a_required_attribute(self, door: Door) -> None:
        required = ("specversion", "id", "source", "type", "data")
        events = [{k: v for k, v in door.good().items() if k != missing} for missing in required]

        answer = await send(door.service, events)

        assert faults(answer) == [("missing_field", f"/{missing}") for missing in required]

    async def test_refuses_an_event_that_no_stream_could_carry(self, door: Door) -> None:
        large = json.dumps({**door.good(), "padding": "x" * 900_000})
        deep = raw(door.good(), unknown="[" * 5_000 + "]" * 5_000)

        answer = await send(door.service, f"[{large}, {deep}]".encode())

        assert faults(answer) == [("event_too_large", ""), ("nesting_too_deep", "")]

    async def test_takes_fields_it_does_not_know_whatever_they_hold(self, door: Door) -> None:
        event = raw(door.good(), unknown="1e400", deeper='{"nul": "\\u0000"}', digits="1" * 5_000)

        answer = await send(door.service, f"[{event}]".encode())

        assert answer.json() == {"accepted": 1, "duplicate": 0, "rejected": []}


class TestIds:
    async def test_take_the_same_event_once(self, door: Door) -> None:
        event = door.good()
        await send(door.service, [event])

        again = await send(door.service, [event])

        assert again.json() == {"accepted": 0, "duplicate": 1, "rejected": []}
        assert len(await door.service.rows("SELECT 1 FROM outbox")) == 1

    async def test_take_the_same_value_in_other_bytes_once(self, door: Door) -> None:
        event = door.good()
        await send(door.service, [event])
        reordered = json.dumps(dict(reversed(event.items())), indent=2).encode()

        again = await send(door.service, b"[" + reordered + b"]")

        assert again.json() == {"accepted": 0, "duplicate": 1, "rejected": []}

    async def test_report_an_id_that_comes_back_with_another_payload(self, door: Door) -> None:
        event, beside = door.good(), door.good()
        await send(door.service, [event])
        claimed = {**event, "data": {**event["data"], door.text_field: "something else"}}

        answer = await send(door.service, [beside, claimed])

        (rejected,) = answer.json()["rejected"]
        assert (rejected["index"], rejected["id"]) == (1, event["id"])
        assert (rejected["code"], rejected["pointer"]) == ("id_conflict", "/id")
        assert answer.json()["accepted"] == 1

    async def test_report_another_payload_even_where_it_holds_what_cannot_be_compared(self, door: Door) -> None:
        event = door.good()
        unread = raw({**event, "data": dict(event["data"])}, unread="1e400")
        await send(door.service, f"[{unread}]".encode())

        answer = await send(door.service, [event])

        assert answer.status_code == 202
        # identity keeps nothing of a field that nobody reads: it may be personal. Without it both say the same.
        sealed = door.service.settings.service == "identity"
        codes = [one["code"] for one in answer.json()["rejected"]]
        assert (codes, answer.json()["duplicate"]) == (([], 1) if sealed else (["id_conflict"], 0))

    async def test_used_twice_in_one_batch_are_a_duplicate_or_a_conflict(self, door: Door) -> None:
        event = door.good()
        other = {**event, "data": {**event["data"], door.text_field: "something else"}}

        answer = await send(door.service, [event, event, other])

        assert (answer.json()["accepted"], answer.json()["duplicate"]) == (1, 1)
        assert [(r["index"], r["code"]) for r in answer.json()["rejected"]] == [(2, "id_conflict")]

    async def test_belong_to_their_platform(self, door: Door) -> None:
        ours = {**door.good(), "id": "same"}
        theirs = {**door.good(platform_id="south"), "id": "same"}

        first = await send(door.service, [ours])
        second = await send(door.service, [theirs], platform_id="south")

        assert first.json()["accepted"] == second.json()["accepted"] == 1


class TestBody:
    async def test_comes_in_each_documented_form(self, door: Door) -> None:
        for media in (BATCH, LINES, SINGLE):
            body = json.dumps(door.good()).encode()

            answer = await send(door.service, b"[" + body + b"]" if media == BATCH else body, media=media)

            assert answer.json() == {"accepted": 1, "duplicate": 0, "rejected": []}

    async def test_is_refused_in_any_other_form(self, door: Door) -> None:
        answer = await send(door.service, [door.good()], media="application/json")

        assert answer.status_code == 415
        assert answer.json()["code"] == "unsupported_media_type"

    async def test_is_refused_where_its_items_cannot_be_told_apart(self, door: Door) -> None:
        bodies = [b"", b"{", b"[{]", b"[1,, 2]", b"[1, 2", b"[1] 2", b"null", b"\xff\xfe[\x00]\x00", b"[" * 100_000]

        answers = [await send(door.service, body) for body in bodies]

        assert [answer.status_code for answer in answers] == [400] * len(bodies)
        assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
        assert {answer.json()["code"] for answer in answers} == {"malformed_body"}

    async def test_may_be_an_empty_batch(self, door: Door) -> None:
        for media, body in ((BATCH, b"[]"), (LINES, b""), (LINES, b"\n \n")):
            answer = await send(door.service, body, media=media)

            assert answer.status_code == 202
            assert answer.json() == {"accepted": 0, "duplicate": 0, "rejected": []}

    async def test_of_lines_loses_only_a_broken_line(self, door: Door) -> None:
        first, last = door.good(), door.good()
        lines = b"\n".join([json.dumps(first).encode(), b'{"broken": ', json.dumps(last).encode()])

        answer = await send(door.service, lines, media=LINES)

        assert answer.json()["accepted"] == 2
        assert [(r["index"], r["code"]) for r in answer.json()["rejected"]] == [(1, "malformed_json")]
        assert await door.ids() == {first["id"], last["id"]}

    async def test_has_at_most_a_thousand_events(self, door: Door) -> None:
        event = json.dumps(door.good())

        most = await send(door.service, f"[{','.join([event] * 1_000)}]".encode())
        more = await send(door.service, f"[{','.join([event] * 1_001)}]".encode())

        assert (most.status_code, most.json()["duplicate"]) == (202, 999)
        assert (more.status_code, more.json()["code"]) == (413, "body_too_large")

    async def test_has_at_most_five_megabytes(self, door: Door) -> None:
        answer = await send(door.service, b"[" + b" " * MAX_BODY_BYTES + b"]")

        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert not await door.ids()

    async def test_is_not_unpacked(self, door: Door) -> None:
        packed = gzip.compress(json.dumps([door.good()]).encode())
        who = door.service.bearer(Role.PLATFORM, platform_id="north")

        answer = await send(door.service, packed, headers={**who, "content-encoding": "gzip"})

        assert answer.status_code == 400


_CLAIMS: dict[str, object] = {
    "iss": "https://crosswatch.local",
    "aud": AUDIENCE,
    "sub": "north",
    "exp": 4_000_000_000,
    "roles": ["platform"],
    "platform_id": "north",
}


def signed(key: OKPKey, claims: dict[str, object], *, kind: str = "at+jwt") -> dict[str, str]:
    """Return the header of a caller whose token says this."""
    told = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": "Ed25519", "kid": key.kid, "typ": kind}
    return {"authorization": f"Bearer {jwt.encode(head, told, key, algorithms=['Ed25519'])}"}


class TestCaller:
    async def test_needs_a_token_that_is_one(self, door: Door) -> None:
        for token in ("", "nonsense", "W10.W10.W10", "e30.e30.", "a.b.c", "....", "bnVsbA.bnVsbA.bnVsbA"):
            answer = await send(door.service, [door.good()], headers={"authorization": f"Bearer {token}"})

            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"

    async def test_needs_a_token(self, door: Door) -> None:
        answer = await send(door.service, [door.good()], headers={})

        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

    async def test_is_refused_with_an_expired_token(self, door: Door, issuer: Issuer) -> None:
        token = issuer.issue(Role.PLATFORM, platform_id="north", lifetime=timedelta(minutes=-5))

        answer = await send(door.service, [door.good()], headers={"authorization": f"Bearer {token}"})

        assert answer.status_code == 401
        assert "expired" in answer.json()["detail"]

    async def test_is_refused_with_a_token_somebody_else_signed(self, door: Door, issuer: Issuer) -> None:
        stranger = OKPKey.generate_key("Ed25519", {"kid": issuer.key_ids()[-1]})

        answer = await send(door.service, [door.good()], headers=signed(stranger, _CLAIMS))

        assert answer.status_code == 401

    async def test_is_refused_with_a_token_meant_for_something_else(self, door: Door, issuer: Issuer) -> None:
        key = issuer._keys()[-1]
        wrong: list[dict[str, object]] = [
            {"aud": "another"},
            {"iss": "https://elsewhere.example"},
            {"roles": ["king"]},
            {"roles": ["platform", "administrator"]},
            {"roles": "platform"},
            {"roles": [["platform"]]},
            {"platform_id": 7},
            {"exp": "soon"},
        ]
        wrong += [{name: None} for name in _CLAIMS]

        answers = [await send(door.service, [door.good()], headers=signed(key, _CLAIMS | w)) for w in wrong]
        good = await send(door.service, [door.good()], headers=signed(key, _CLAIMS))
        other_kind = await send(door.service, [door.good()], headers=signed(key, _CLAIMS, kind="jwt"))

        assert [answer.status_code for answer in answers] == [401] * len(wrong)
        assert (good.status_code, other_kind.status_code) == (202, 401)

    async def test_is_refused_in_another_role(self, door: Door) -> None:
        for role in set(Role) - SENDERS.get(door.service.settings.service, {Role.PLATFORM}):
            answer = await send(door.service, [door.good()], headers=door.service.bearer(role))

            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


class TestPressure:
    async def test_of_a_stream_that_lags_is_told_to_come_back_later(self, door: Door) -> None:
        await door.service.rows(
            "INSERT INTO relay_cursors (outbox, cluster_id, xid, id, lag) VALUES ('test', 'c', '0', 0, $1)",
            MAX_BACKLOG_EVENTS + 1,
        )

        answer = await send(door.service, [door.good()])
        while answer.status_code == 202:
            answer = await send(door.service, [door.good()])

        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
        assert int(answer.headers["retry-after"]) >= 1

    async def test_of_too_much_in_memory_is_told_to_come_back_later(self, door: Door) -> None:
        who = door.service.bearer(Role.PLATFORM, platform_id="north")
        announced = {**who, "content-length": str(MAX_BYTES_IN_HAND + 1)}

        answer = await send(door.service, [door.good()], headers=announced)

        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
