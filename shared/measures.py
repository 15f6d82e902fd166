"""What a service's database knows about its streams, in Prometheus' text form."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import select, text

from shared import quarantine
from shared.database import Sessions, transaction
from shared.messaging import RelayCursor

_UNSENT = text("""
    SELECT coalesce(sum(o.count), 0), coalesce(extract(epoch FROM clock_timestamp() - min(o.created_at)), 0)
    FROM outbox o LEFT JOIN relay_cursors c ON true
    WHERE c.id IS NULL OR (o.xid, o.id) > (c.xid, c.id)
""")

_BY_CONSUMER = text("""
    SELECT consumer, topic, sum(applied) AS applied, sum(batches) AS batches, sum(seconds) AS seconds
    FROM stream_offsets GROUP BY consumer, topic ORDER BY consumer, topic
""")


async def exposition(sessions: Sessions, service: str) -> bytes:
    """Return outbox, consumer and quarantine figures of one service."""
    registry = CollectorRegistry()

    def gauge(name: str, what: str, value: float, **labels: str) -> None:
        known = gauges.get(name) or Gauge(f"crosswatch_{name}", what, ["service", *labels], registry=registry)
        gauges[name] = known
        known.labels(service, *labels.values()).set(value)

    gauges: dict[str, Gauge] = {}
    async with transaction(sessions) as session:
        unsent, age = (await session.execute(_UNSENT)).one()
        gauge("outbox_unsent_events", "Events the relay has not sent", unsent)
        gauge("outbox_age_seconds", "Age of the oldest unsent event", age)
        gauge("quarantine_size", "Messages waiting in quarantine", await quarantine.count(session))
        for cursor in (await session.execute(select(RelayCursor))).scalars():
            gauge("relay_sent_events", "Events sent on this cluster", cursor.sent)
            gauge("consumer_lag_events", "Sent events that the slowest consumer has not applied", cursor.lag)
        for row in (await session.execute(_BY_CONSUMER)).all():
            labels = {"consumer": row.consumer, "topic": row.topic}
            gauge("consumer_applied_events", "Events applied", row.applied, **labels)
            gauge("consumer_batches", "Batches committed", row.batches, **labels)
            gauge("consumer_batch_seconds", "Time in batches", row.seconds, **labels)
    return generate_latest(registry)
