"""Topics: which exist, who reads which, making sure of them, and which cluster they lie on."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from shared.events.catalogue import PUBLISHED

PARTITIONS = 4
MOST_REPLICAS = 3
DEAD_LETTER_SUFFIX = ".dlq"

# Who reads what. A topic belongs to the service its name begins with: one outbox, one relay, one order.
SUBSCRIPTIONS: dict[str, tuple[str, ...]] = {
    "identity": ("identity.accepted", "risk.alerts", "credit.levels", "listings.listings"),
    "listings": ("listings.accepted", "identity.offers"),
    "risk": (
        *("risk.accepted", "risk.sightings", "listings.transactions", "listings.reviews", "listings.listings"),
        *(
            "identity.operators",
            "identity.contacts",
            "identity.breaches",
            "disputes.complaints",
            "identity.numbers",
            "listings.numbers",
            "risk.numbers",
        ),
    ),
    "credit": ("listings.transactions", "identity.operators", "risk.alerts", "disputes.complaints"),
    "disputes": ("identity.disclosures",),
    "gateway": (
        "risk.alerts",
        "risk.declarations",
        "credit.levels",
        "identity.operators",
        "identity.disclosures",
        "listings.listings",
    ),
}


def all_topics() -> list[str]:
    """Return every topic a stack starts with; dead letters' topics come with the first dead letter."""
    read = {topic for topics in SUBSCRIPTIONS.values() for topic in topics}
    return sorted(read | {kind.topic for kind in PUBLISHED})


async def ensure_topics(bootstrap: str, replication: int | None, topics: Iterable[str] | None = None) -> None:
    """Create the topics that do not exist yet, by default on three brokers or as many as there are."""
    wanted = all_topics() if topics is None else list(topics)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        missing = sorted(set(wanted) - set(await admin.list_topics()))
        if missing and replication is None:
            replication = min(MOST_REPLICAS, len((await admin.describe_cluster())["brokers"]))
        for topic in missing:
            await _create(admin, topic, replication or 1)
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: str, replication: int) -> None:
    partitions = 1 if topic.endswith(DEAD_LETTER_SUFFIX) else PARTITIONS
    settings = {"max.message.bytes": "8000000"}
    if replication >= 3:
        settings["min.insync.replicas"] = "2"
    try:
        await admin.create_topics([NewTopic(topic, partitions, replication, topic_configs=settings)], timeout_ms=20_000)
    except TopicAlreadyExistsError:
        return


async def read_cluster_id(bootstrap: str) -> str:
    """Return the id of a cluster: another one means another log, to be read from its start."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()
