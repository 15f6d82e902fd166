"""The embedded servers answer, and the roles of a database can do what they should and no more."""

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.databases import ServiceUrls, database_name, drop_databases, plain, provision, service_urls
from deploy.preflight import StackError
from tests.conftest import DatabaseServer

_SERVICE = "sample"


async def provisioned(postgres: DatabaseServer) -> ServiceUrls:
    urls = service_urls(postgres.admin_url, _SERVICE, postgres.passwords)
    await provision(postgres.admin_url, {_SERVICE: urls}, "this one")
    return urls


class TestProvision:
    async def test_lets_the_application_use_what_the_owner_creates_and_no_more(self, postgres: DatabaseServer) -> None:
        urls = await provisioned(postgres)
        owner, app = await asyncpg.connect(plain(urls.owner)), await asyncpg.connect(plain(urls.app))

        await owner.execute("CREATE TABLE IF NOT EXISTS things (id bigint GENERATED ALWAYS AS IDENTITY)")

        await app.execute("INSERT INTO things DEFAULT VALUES")
        for forbidden in ("CREATE TABLE more ()", "DROP TABLE things", "TRUNCATE things"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(forbidden)
        await owner.close()
        await app.close()

    async def test_keeps_the_database_when_run_again(self, postgres: DatabaseServer) -> None:
        await provisioned(postgres)

        urls = await provisioned(postgres)

        connection = await asyncpg.connect(plain(urls.app))
        assert await connection.fetchval("SELECT current_database()") == database_name(_SERVICE)
        await connection.close()

    async def test_refuses_to_drop_what_another_installation_created(self, postgres: DatabaseServer) -> None:
        urls = await provisioned(postgres)

        with pytest.raises(StackError, match="crosswatch_sample"):
            await drop_databases(postgres.admin_url, {_SERVICE: urls}, "another one")

        await drop_databases(postgres.admin_url, {_SERVICE: urls}, "this one")


class TestBroker:
    async def test_answers_kafka_clients(self, broker: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()

        cluster = await admin.describe_cluster()

        assert cluster["cluster_id"].startswith("embedded-")
        await admin.close()
