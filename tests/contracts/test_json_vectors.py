"""The JSON parsing suite and the naughty strings through every ingest door, as bodies and as field values."""

import json
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from services.identity.intake import INGEST as IDENTITY
from services.listings.intake import INGEST as LISTINGS
from services.risk.intake import INGEST as RISK
from shared.auth import Role
from shared.bodies import BATCH, LINES, SINGLE
from shared.ingest import Ingest
from shared.platform_topics import PlatformTopics
from tests.contracts.vectors import JsonInput, json_inputs, naughty_strings
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_registered
from tests.services.inbox import assign, deliver_platform_events, record
from tests.services.listings.factories import listing_published
from tests.services.platform_events import Json, send
from tests.services.risk.declaring import lodged


class Door(NamedTuple):
    """A service, an event that its door takes, and the function behind both of its doors."""

    service: Service
    good: Callable[..., Json]
    ingest: Ingest


GOOD: dict[str, tuple[Callable[..., Json], Ingest]] = {
    "listings": (listing_published, LISTINGS),
    "identity": (operator_registered, IDENTITY),
    "risk": (lodged, RISK),
}


@pytest_asyncio.fixture(params=sorted(GOOD))
async def door(request: pytest.FixtureRequest, open_service: OpenService) -> Door:
    return Door(await open_service(request.param), *GOOD[request.param])


def carrying(event: Json, written: bytes) -> bytes:
    """Return an event with a field that nobody knows, written as given."""
    event["data"]["unknown"] = "@"
    return json.dumps(event).encode().replace(b'"@"', written)


def is_array(one: JsonInput) -> bool:
    return one.content.strip().startswith(b"[")


def read_as_a_batch(one: JsonInput, answer: httpx.Response) -> str | None:
    """Return what is wrong with the answer to an input that was sent as a batch, or None.

    No input is an event: what is well-formed has items of a wrong type, what is not has none or bad ones.
    """
    body = answer.json()
    if answer.status_code not in {202, 400}:
        return "status"
    taken_apart = answer.status_code == 202
    if taken_apart and body["accepted"] != 0:
        return "accepted"
    codes = {r["code"] for r in body["rejected"]} if taken_apart else {body["code"]}
    if one.expect == "accept" and (taken_apart != is_array(one) or "malformed_json" in codes):
        return "refused although it is JSON"
    return "not refused" if one.expect == "reject" and not codes else None


class TestBodies:
    async def test_are_read_as_a_batch_when_they_are_json(self, door: Door) -> None:
        wrong = {}
        for one in json_inputs():
            answer = await send(door.service, one.content, media=BATCH)
            verdict = read_as_a_batch(one, answer)
            if verdict is not None:
                wrong[one.name] = (verdict, answer.text)

        assert wrong == {}

    @pytest.mark.parametrize("media", [SINGLE, LINES])
    async def test_are_refused_item_by_item_with_their_own_codes(self, door: Door, media: str) -> None:
        wrong = {}
        for one in json_inputs():
            answer = await send(door.service, one.content, media=media)
            body = answer.json()
            codes = {r["code"] for r in body["rejected"]} if answer.status_code == 202 else {body["code"]}
            if answer.status_code != 202 or body["accepted"] != 0:
                wrong[one.name] = (answer.status_code, answer.text)
            if media == SINGLE and one.expect == "accept" and codes & {"malformed_json", "nesting_too_deep"}:
                wrong[one.name] = (answer.status_code, answer.text)

        assert wrong == {}


class TestFieldValues:
    async def test_are_taken_when_they_are_json(self, door: Door) -> None:
        wrong = {}
        for one in json_inputs():
            raw = carrying(door.good(), one.content)
            answer = await send(door.service, raw, media=SINGLE)
            body = answer.json()
            taken = answer.status_code == 202 and body["accepted"] == 1
            refused = answer.status_code == 202 and bool(body["rejected"])
            allowed = {"accept": taken, "reject": refused, "either": taken or refused}
            if not allowed[one.expect]:
                wrong[one.name] = (answer.status_code, answer.text)

        assert wrong == {}

    async def test_spoil_nothing_beside_them(self, door: Door) -> None:
        inputs = [one for one in json_inputs() if b"\n" not in one.content]
        # A quote that does not end hides what follows it in an array; lines cannot be hidden from each other.
        lines = b"\n".join(
            line for one in inputs for line in (carrying(door.good(), one.content), json.dumps(door.good()).encode())
        )

        answer = await send(door.service, lines, media=LINES)

        assert answer.status_code == 202
        beside = set(range(1, 2 * len(inputs), 2))
        assert not beside & {r["index"] for r in answer.json()["rejected"]}

    async def test_go_through_the_kafka_door_alike(self, door: Door) -> None:
        service, inputs = door.service, json_inputs()
        name = service.settings.service
        topics = PlatformTopics(name, door.ingest, "", service.sessions, keeps_unknown=True)
        await assign(topics, ["platform.north.events"])
        place = next(iter(topics._positions))
        events = [door.good() for _ in inputs]
        records = [
            record(carrying(event, one.content), (), topic=place.topic, offset=offset)
            for offset, (event, one) in enumerate(zip(events, inputs, strict=True))
        ]

        await topics.apply({place: records})

        accepted = {row["event_id"] for row in await service.rows("SELECT event_id FROM accepted_events")}
        quarantined = {row["offset"] for row in await service.rows('SELECT "offset" FROM quarantine')}
        wrong = {
            one.name
            for offset, (event, one) in enumerate(zip(events, inputs, strict=True))
            if ((event["id"] in accepted) == (offset in quarantined))
            or (one.expect != "either" and (event["id"] in accepted) != (one.expect == "accept"))
        }
        assert wrong == set()


class TestNaughtyStrings:
    async def test_come_back_unchanged(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        strings = naughty_strings()
        events = [listing_published(listing_ref=f"lamp-{n}", title=text) for n, text in enumerate(strings)]

        answer = await send(service, events)
        await deliver_platform_events(service)

        refused = {r["index"]: r["code"] for r in answer.json()["rejected"]}
        assert set(refused.values()) <= {"text_not_storable"}
        for n, text in enumerate(strings):
            if n not in refused:
                shown = await service.get(f"/v1/listings/north/lamp-{n}")
                assert shown.json()["content"]["title"] == text

    async def test_may_be_references(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        refs = [text for text in naughty_strings() if 0 < len(text) <= 200]
        events = [listing_published(listing_ref=ref) for ref in refs]

        answer = await send(service, events)
        await deliver_platform_events(service)

        refused = {r["index"]: r["code"] for r in answer.json()["rejected"]}
        assert set(refused.values()) <= {"text_not_storable"}
        for n, ref in enumerate(refs):
            shown = await service.get(f"/v1/listings/north/{quote(ref, safe='')}")
            assert shown.status_code < 500
            if n not in refused and "/" not in ref and ref not in {".", ".."}:
                assert shown.json()["content"]["listing_ref"] == ref

    async def test_go_through_the_door_of_identity(self, open_service: OpenService) -> None:
        service = await open_service("identity")
        strings = naughty_strings()
        events = [operator_registered(operator_ref=f"shop-{n}", representative=t) for n, t in enumerate(strings)]

        answer = await send(service, events)
        await deliver_platform_events(service)

        codes = {r["code"] for r in answer.json()["rejected"]}
        assert codes <= {"text_not_storable", "wrong_length"}
        stored = await service.rows("SELECT account_id, (content->'sealed')::text AS sealed FROM registration_files")
        opened = [await service.app.state.vault.texts(row["account_id"], json.loads(row["sealed"])) for row in stored]
        names = {texts["representative"] for texts in opened}
        assert names == {text for text in strings if 0 < len(text) <= 500 and "\x00" not in text}

    async def test_may_ask_for_anything(self, open_service: OpenService) -> None:
        paths = {
            "listings": ("/v1/listings/{0}/{0}", "/v1/transactions/{0}/{0}"),
            "identity": ("/v1/lookup?number={0}", "/v1/operators?cursor={0}"),
            "risk": ("/v1/alerts?rule={0}", "/v1/alerts?cursor={0}", "/v1/assessments/{0}/{0}"),
            "disputes": ("/v1/complaints?cursor={0}",),
            "gateway": ("/v1/deliveries?cursor={0}", "/v1/digests/{0}"),
        }
        strings = ["\x00", "a\x00b", *(text for text in naughty_strings()[::6] if len(text) <= 60)]
        wrong = {}
        for name, templates in paths.items():
            service = await open_service(name)
            who = service.bearer(Role.ADMINISTRATOR)
            for template in templates:
                for text in strings:
                    path = template.format(quote(text, safe=""))
                    answer = await service.client.get(path, headers=who)
                    if answer.status_code >= 500:
                        wrong[path] = answer.status_code

        assert wrong == {}
