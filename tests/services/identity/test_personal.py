"""Personal data: sealed wherever it is kept, opened for a purpose that is written down first, gone with its key."""

import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from services.identity.key_store import KeyStore
from services.identity.sealing import MasterKeys
from services.identity.vault import Vault
from shared.auth import Role
from shared.database import make_engine
from shared.identifiers import account_id
from shared.process import plain_url
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_changed, operator_registered
from tests.services.inbox import deliver_platform_events, outbox_records
from tests.services.platform_events import send

SHOP = account_id("north", "shop")
SECRETS: dict[str, Any] = {
    "representative": "欧阳思远",
    "contacts": {"address": "17 Harbour Road, Ningbo", "phone": "+86 574 8765 4321", "email": "siyuan@shop.example"},
    "bank_accounts": ["ba-6222-0001"],
    "devices": ["dv-secret-1", "dv-secret-2"],
}
PERSON: dict[str, Any] = {
    "entity_type": "natural_person",
    "legal_name": "司马雨晴",
    "registration": {"scheme": "ric", "number": "11010519491231002X"},
}


def words(secrets: object) -> list[str]:
    """Return every text in what was sent."""
    if isinstance(secrets, dict):
        return [word for value in secrets.values() for word in words(value)]
    return [word for value in secrets for word in words(value)] if isinstance(secrets, list) else [str(secrets)]


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def registered(service: Service, **data: Any) -> str:
    """Register the shop, and return its operator."""
    assert (await send(service, [operator_registered(**data)])).json()["rejected"] == []
    await deliver_platform_events(service)
    found = await service.rows("SELECT operator_id FROM accounts WHERE id = $1", SHOP)
    return str(found[0]["operator_id"])


async def everything(service: Service) -> str:
    """Return all rows of the service's own database as text, bytes and what is packed in them too."""
    connection = await asyncpg.connect(plain_url(service.settings.database_url))
    try:
        await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        found = []
        for table in tables:
            for row in await connection.fetch(f'SELECT * FROM "{table["table_name"]}"'):  # noqa: S608 - our own names
                found += [_text(value) for value in row.values()]
    finally:
        await connection.close()
    sent = [record.value for records in (await outbox_records(service)).values() for record in records]
    return "\n".join(found + [value.decode("utf-8", "replace") for value in sent])


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(value), ensure_ascii=False) if isinstance(value, str) else str(value)
    except ValueError:
        return str(value)


async def read(service: Service, operator_id: str, *fields: str, role: Role = Role.INSPECTOR, **more: str) -> object:
    body = {"operator_id": operator_id, "purpose": "inspection", "reason": "case 7", "fields": list(fields), **more}
    answer = await service.post("/v1/personal-reads", body, role)
    return answer.json() if answer.status_code == 201 else (answer.status_code, answer.json()["code"])


class TestAtRest:
    async def test_nothing_personal_is_found_in_the_database_or_in_what_is_sent_on(
        self, identity: Service, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await registered(identity, **SECRETS, **PERSON, extra={"id_card_photo": "base64-of-a-face"})

        kept = await everything(identity)
        said = "".join(capsys.readouterr())
        assert "shop" in kept, "it is there to be found"
        for word in [*words(SECRETS), "司马雨晴", "11010519491231002X", "base64-of-a-face"]:
            assert word not in kept, word
            assert word not in said, word

    async def test_what_a_firm_is_called_is_public(self, identity: Service) -> None:
        operator = await registered(identity, **SECRETS)

        (account,) = (await identity.get(f"/v1/operators/{operator}")).json()["accounts"]

        assert account["content"]["legal_name"] == "Lamp Trading Ltd"
        assert not {"representative", "contacts", "bank_accounts", "sealed"} & account["content"].keys()
        assert account["sealed"] == sorted(
            ["representative", "contacts.address", "contacts.phone", "contacts.email", "bank_accounts", "devices"]
        )

    async def test_a_platform_cannot_say_that_it_sealed_something(self, identity: Service) -> None:
        answer = (await send(identity, [operator_registered(sealed={"legal_name": "1.x"})])).json()

        (refused,) = answer["rejected"]
        assert (refused["code"], refused["pointer"]) == ("field_not_yours", "/data/sealed")

    async def test_the_same_file_again_is_a_duplicate_and_another_a_conflict(self, identity: Service) -> None:
        event = operator_registered(**SECRETS)
        other = {**event, "data": {**event["data"], "representative": "somebody else"}}

        answers = [(await send(identity, [one])).json() for one in (event, event, other)]

        assert [(one["accepted"], one["duplicate"]) for one in answers] == [(1, 0), (0, 1), (0, 0)]
        assert [one["code"] for one in answers[2]["rejected"]] == ["id_conflict"]

    async def test_persons_of_one_number_are_one_operator_without_the_number_being_kept(
        self, identity: Service
    ) -> None:
        await send(identity, [operator_registered(**PERSON)])
        await send(identity, [operator_registered(platform_id="south", **PERSON)], platform_id="south")
        await deliver_platform_events(identity)

        accounts = await identity.rows("SELECT DISTINCT operator_id FROM accounts")
        numbers = await identity.rows("SELECT number FROM operators")
        assert len(accounts) == 1
        assert [row["number"] for row in numbers] == [None]


class TestRead:
    async def test_opens_only_the_fields_asked_for(self, identity: Service) -> None:
        operator = await registered(identity, **SECRETS)

        found = await read(identity, operator, "contacts.phone", "devices")

        assert isinstance(found, dict)
        (account,) = found["accounts"]
        assert account["fields"] == {
            "contacts.phone": "+86 574 8765 4321",
            "devices": '["dv-secret-1","dv-secret-2"]',
        }
        assert account["destroyed"] == []

    async def test_is_written_down_with_its_purpose(self, identity: Service) -> None:
        operator = await registered(identity, **SECRETS)
        await read(identity, operator, "representative")

        page = (await identity.get(f"/v1/personal-reads?account={SHOP}")).json()

        newest, checking = page["items"]
        assert (newest["purpose"], newest["role"], newest["fields"]) == ("inspection", "inspector", ["representative"])
        assert newest["reason"] == "case 7"
        assert (checking["purpose"], checking["reader"]) == ("verification", "identity worker")
        assert "contacts.phone" in checking["fields"]

    async def test_is_written_down_even_where_nothing_can_be_opened(self, identity: Service) -> None:
        operator = await registered(identity, **SECRETS)
        vault: Vault = identity.app.state.vault
        await vault.keys.destroy(SHOP, [1], at=datetime.now(UTC))

        found = await read(identity, operator, "representative")

        assert isinstance(found, dict)
        assert found["accounts"][0]["fields"] == {}
        assert found["accounts"][0]["destroyed"] == ["representative"]
        rows = await identity.rows("SELECT purpose FROM personal_reads ORDER BY read_at DESC LIMIT 1")
        assert [row["purpose"] for row in rows] == ["inspection"]

    @pytest.mark.parametrize(
        ("role", "purpose", "expected"),
        [
            (Role.INSPECTOR, "inspection", None),
            (Role.TAX, "tax_administration", None),
            (Role.TAX, "inspection", (403, "forbidden")),
            (Role.INSPECTOR, "curiosity", (403, "forbidden")),
            (Role.REGULATOR, "verification", (403, "forbidden")),
            (Role.PLATFORM, "inspection", (403, "forbidden")),
            (Role.CONSUMER, "inspection", (403, "forbidden")),
        ],
    )
    async def test_is_for_who_has_the_purpose(
        self, identity: Service, role: Role, purpose: str, expected: tuple[int, str] | None
    ) -> None:
        operator = await registered(identity, **SECRETS)
        who = {"platform_id": "north"} if role is Role.PLATFORM else {}
        body = {"operator_id": operator, "purpose": purpose, "reason": "case 7", "fields": ["representative"]}

        answer = await identity.post("/v1/personal-reads", body, role, **who)

        assert (None if answer.status_code == 201 else (answer.status_code, answer.json()["code"])) == expected

    async def test_of_nobody_is_not_found(self, identity: Service) -> None:
        assert await read(identity, str(SHOP), "representative") == (404, "not_found")


class TestKeys:
    async def test_that_are_gone_are_gone_for_back_ups_too(self, identity: Service) -> None:
        await registered(identity, **SECRETS)
        vault: Vault = identity.app.state.vault
        (row,) = await identity.rows("SELECT content::text AS content FROM registration_files")
        tokens = json.loads(row["content"])["sealed"]
        before = await vault.texts(SHOP, tokens)

        await vault.keys.destroy(SHOP, [1], at=datetime.now(UTC))

        assert before["representative"] == "欧阳思远"
        assert await vault.keys.held({SHOP}) == {}
        # What an old copy of the service's database holds is these tokens.
        assert await vault.texts(SHOP, tokens) == {}

    async def test_are_new_ones_for_who_comes_back(self, identity: Service) -> None:
        operator = await registered(identity, **SECRETS)
        await identity.app.state.vault.keys.destroy(SHOP, [1], at=datetime.now(UTC))

        await send(identity, [operator_changed(time="2026-05-01T00:00:00Z", representative="欧阳明")])
        await deliver_platform_events(identity)

        found = await read(identity, operator, "representative")
        assert isinstance(found, dict)
        assert found["accounts"][0]["fields"] == {"representative": "欧阳明"}

    async def test_are_wrapped_anew_when_the_master_key_changes(self, identity: Service) -> None:
        await registered(identity, **SECRETS)
        old: Vault = identity.app.state.vault
        path = identity.settings.var_dir / "secrets" / "identity-master.keys"
        first = bytes.fromhex(path.read_text().strip())
        engine = make_engine(str(getattr(identity.settings, "keys_database_url", "")))
        rotated = KeyStore(engine, MasterKeys([bytes([7] * 32), first]))

        wrapped, again = await rotated.rewrap(), await rotated.rewrap()

        only_new = KeyStore(engine, MasterKeys([bytes([7] * 32)]))
        own = (await only_new.held({SHOP}))[SHOP][1]
        await engine.dispose()
        assert (wrapped, again) == (1, 0)
        assert own.key
        assert old.keys is not rotated

    async def test_are_not_in_a_dump_of_the_service(self, identity: Service) -> None:
        await registered(identity, **SECRETS)

        tables = {row["table_name"] for row in await identity.rows("SELECT table_name FROM information_schema.tables")}

        assert "subject_keys" not in tables
