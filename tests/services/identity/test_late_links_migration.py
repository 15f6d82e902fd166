"""Links of accounts whose files came late are told from the files again by the migration, and the others stay."""

import asyncio
from random import Random
from typing import Any

from alembic import command

from shared import migrations
from tests.services.doors import OpenService, Service
from tests.services.identity.test_registration_batches import history
from tests.services.inbox import handle

_CAME_LATE = """
    SELECT DISTINCT later.account_id FROM registration_files later JOIN registration_files earlier USING (account_id)
    WHERE later.version > earlier.version AND later.stated_at < earlier.stated_at
        AND later.event_type NOT LIKE '%deregistered%' AND earlier.event_type NOT LIKE '%deregistered%'
"""
# As versions before left them: from the day of the file that came first on, and open more than once.
_AS_BEFORE = f"""
    WITH gone AS (DELETE FROM account_links WHERE account_id IN ({_CAME_LATE}))
    INSERT INTO account_links (account_id, linked_from, linked_to, operator_id, platform_id)
    SELECT account_id, stated_at + interval '1 minute', NULL, operator_id, platform_id FROM registration_files
    WHERE account_id IN ({_CAME_LATE}) AND version < 3
"""  # noqa: S608 - ours


async def links(service: Service) -> list[dict[str, Any]]:
    return list(map(dict, await service.rows("SELECT * FROM account_links ORDER BY account_id, linked_from")))


async def test_links_are_those_that_files_give_now(open_service: OpenService) -> None:
    service = await open_service("identity")
    await handle(service, list(history(Random(1), accounts=14, events=400)))
    late = {row["account_id"] for row in await service.rows(_CAME_LATE)}
    expected = await links(service)
    kept = {link["account_id"] for link in expected} - late
    assert len(late) > 3
    assert len(kept) > 1
    assert len(expected) > len(late | kept) + 10
    await service.rows(_AS_BEFORE)
    assert [link for link in await links(service) if link["account_id"] in late] != [
        link for link in expected if link["account_id"] in late
    ]

    url = service.settings.owner_database_url
    assert url is not None
    config = migrations.alembic_config("identity", url)
    await asyncio.to_thread(command.downgrade, config, "0020")
    await asyncio.to_thread(command.upgrade, config, "0021")

    assert await links(service) == expected
