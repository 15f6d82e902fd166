"""What was recorded when values were whole hashes, each with its account, is the same after the migration."""

import asyncio
from typing import Any

import asyncpg
from alembic import command

from shared import migrations
from shared.process import plain_url
from tests.services.doors import OpenService, Service
from tests.services.identity.shops import BANK, FEBRUARY, MARCH, banned, changed, contacts, kinds, links_of, shop, told

# From what is kept now to what version 0018 kept: the rest of a hash, and its last four bits, can be anything.
_TURNED = """(SELECT coalesce(string_agg(turned, '' ORDER BY place), '') FROM (
    SELECT n / 8 AS place, string_agg(substring({0} FROM n + 1 FOR 1), '' ORDER BY n DESC) AS turned
    FROM generate_series(0, length({0}) - 1) AS n GROUP BY n / 8) AS one)"""
_HASH = "int8send({0} | 15) || '\\x0123456789abcdef'::bytea"
BEFORE = (
    """CREATE TABLE blind_values (account_id uuid, kind smallint, blind bytea, held_from timestamptz,
        held_to timestamptz, operator_id uuid, platform_id text, PRIMARY KEY (account_id, kind, blind, held_from))""",
    """CREATE FUNCTION number_at(held bytea, place int) RETURNS bigint LANGUAGE sql AS
        $$ SELECT ('x' || encode(substring(held FROM 8 * place + 1 FOR 8), 'hex'))::bit(64)::bigint $$""",
    f"""INSERT INTO blind_values
        SELECT account_id, v & 15, {_HASH.format("v")}, opened_at, NULL, operator_id, platform_id
        FROM link_sketches, generate_series(0, length(held) / 8 - 1) AS n, number_at(held, n) AS v""",  # noqa: S608 - ours
    "INSERT INTO blind_values SELECT account_id, 1, 'let go of', opened_at, stated_at, operator_id FROM link_sketches",
    "DROP TABLE value_holders",
    f"""ALTER TABLE link_sketches ADD COLUMN address_kind smallint, DROP COLUMN held,
        ALTER COLUMN name TYPE bytea USING {_HASH.format("name")}""",
    f"""UPDATE link_sketches SET address_kind = address & 15, name_pieces = {_TURNED.format("name_pieces")},
        address_pieces = {_TURNED.format("address_pieces")}""",  # noqa: S608 - ours
    f"""ALTER TABLE link_sketches ALTER COLUMN address TYPE bytea USING {_HASH.format("address")},
        ALTER COLUMN address_numbers TYPE bytea USING
            CASE WHEN address_numbers = 0 THEN '' ELSE int8send(address_numbers) || '\\x0123456789abcdef'::bytea END""",
    "UPDATE alembic_version SET version_num = '0018'",
)


def owner(service: Service) -> str:
    url = service.settings.owner_database_url
    assert url is not None
    return url


async def kept(service: Service) -> list[dict[str, Any]]:
    accounts = await service.rows("SELECT * FROM link_sketches ORDER BY account_id")
    holders = await service.rows("SELECT * FROM value_holders ORDER BY value, operator_id")
    return [*map(dict, accounts), *map(dict, holders)]


async def as_before(service: Service) -> None:
    connection = await asyncpg.connect(plain_url(owner(service)))
    try:
        await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
        for statement in BEFORE:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_values_of_before_are_what_they_would_be_now(open_service: OpenService) -> None:
    service = await open_service("identity")
    address = "深圳市福田区福华路9号"
    await told(
        service,
        shop("one", bank_accounts=[BANK], **contacts(phone="13800138000", address=address)),
        shop("two", representative="王伟", **contacts(address="石人村")),
        shop("three", devices=["d-1"]),
        changed("three", time=FEBRUARY, devices=["d-2"]),
        banned("one"),
    )
    expected = await kept(service)
    await as_before(service)

    await asyncio.to_thread(command.upgrade, migrations.alembic_config("identity", owner(service)), "0019")
    found = await kept(service)
    await told(service, shop("new", time=MARCH, bank_accounts=[BANK]))

    assert found == expected
    assert len(found) > 10
    assert [link["came_back"] for link in await links_of(service, "new")] == [True]


async def test_addresses_of_before_meet_those_with_their_numbers(open_service: OpenService) -> None:
    service = await open_service("identity")
    street = "云南省昆明市黑石铺晨光路{}号"
    homes = {f"shop-{n}": contacts(address=street.format(n)) for n in range(8)}
    name = "云南青鹭生物科技药业有限公司"
    await told(
        service, *(shop(ref, **home) for ref, home in homes.items()), shop("village", **contacts(address="石人村"))
    )
    await told(service, shop("first", legal_name=name, **contacts(address=street.format(60))))
    expected = await kept(service)

    config = migrations.alembic_config("identity", owner(service))
    await asyncio.to_thread(command.downgrade, config, "0021")
    shared = await service.rows("SELECT count(*) AS n FROM value_holders WHERE value & 15 = 9 GROUP BY value")
    assert max(row["n"] for row in shared) > 4
    await asyncio.to_thread(command.upgrade, config, "0022")

    assert await kept(service) == expected
    shared = await service.rows("SELECT count(*) AS n FROM value_holders WHERE value & 15 = 9 GROUP BY value")
    assert max(row["n"] for row in shared) == 1
    near = "云南青鷺生勿科技药业股份有限公司"
    await told(service, shop("second", legal_name=near, **contacts(address="昆明市黑石铺辰光路60号")))
    assert [kinds(link) for link in await links_of(service, "second")] == [["name_near", "address_near"]]
