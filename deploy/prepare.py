"""What must exist before services start: `python -m deploy.prepare databases migrations topics`.

`forget` deletes the topics of an earlier run first.

Reads the same environment as the services: DATABASE_URL is the administrator's, and `<NAME>_DATABASE_URL` and
`<NAME>_OWNER_DATABASE_URL` name the roles to create and their passwords.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient

from deploy.databases import ServiceUrls, provision
from deploy.layout import DATABASES
from deploy.preflight import StackError
from shared import migrations
from shared.topics import DEAD_LETTER_SUFFIX, all_topics, ensure_topics


def main() -> None:
    """Run the steps named on the command line, in the order that works."""
    parser = argparse.ArgumentParser(prog="python -m deploy.prepare", description=__doc__)
    parser.add_argument("steps", nargs="+", choices=["forget", "databases", "migrations", "topics"])
    parser.add_argument("--services", nargs="+", choices=DATABASES, default=DATABASES, help="default: all")
    options = parser.parse_args()
    services: Sequence[str] = options.services
    try:
        if "forget" in options.steps:
            asyncio.run(_delete_topics())
        if "databases" in options.steps:
            asyncio.run(_create_databases(services))
        if "migrations" in options.steps:
            _migrate(services)
        if "topics" in options.steps:
            asyncio.run(_create_topics())
    except StackError as error:
        sys.exit(str(error))


async def _create_databases(services: Sequence[str]) -> None:
    urls = {service: ServiceUrls.from_environment(service, os.environ) for service in services}
    await provision(_variable("DATABASE_URL"), urls, os.environ.get("CROSSWATCH_INSTALLATION", "unnamed"))


def _migrate(services: Sequence[str]) -> None:
    for service in services:
        migrations.upgrade(service, ServiceUrls.from_environment(service, os.environ).owner)


async def _create_topics() -> None:
    bootstrap = _variable("KAFKA_BOOTSTRAP")
    configured = os.environ.get("KAFKA_REPLICATION")
    await ensure_topics(bootstrap, int(configured) if configured else None)


async def _delete_topics() -> None:
    """Delete our topics and their dead letters, and nobody else's, and wait until they are gone."""
    ours = set(all_topics())
    admin = AIOKafkaAdminClient(bootstrap_servers=_variable("KAFKA_BOOTSTRAP"))
    await admin.start()
    try:
        while doomed := [topic for topic in await admin.list_topics() if _origin(topic) in ours]:
            await admin.delete_topics(doomed)
            await asyncio.sleep(0.5)
    finally:
        await admin.close()


def _origin(topic: str) -> str:
    """Return the topic that dead letters come from: `<topic>.<consumer>.dlq`."""
    return topic.rsplit(".", 2)[0] if topic.endswith(DEAD_LETTER_SUFFIX) else topic


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise StackError(f"the environment variable {name} is not set")
    return value


if __name__ == "__main__":
    main()
