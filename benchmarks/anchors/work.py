"""The work: decayed habits of operators, orders of a pair within the hour, five rules, an alert for each hit."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple
from zlib import crc32

import numpy as np
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import activity, alerts
from services.risk.activity import STREAM
from services.risk.alerts import Raised, Subject
from services.risk.cells import Floats
from services.risk.decisions import decide_columns
from services.risk.rules import Hit
from services.risk.window_store import Events, Slots, together
from services.risk.windows import HOUR_MS, key_of
from shared.database import kept
from shared.identifiers import derived_id
from shared.received import Received

RULES = {
    1: "kind = 'account' AND usual_acts >= 5 AND value_minor > usual_value_minor + 4 * usual_spread_minor",
    2: "kind = 'pair' AND orders_1h > 3",
    3: "kind = 'account' AND value_minor > 500000",
    4: "kind = 'account' AND seen < 10 AND hour < 6",
    5: "kind = 'account' AND same_device AND since_last_s <= 10",
}


class AnchorTransaction(Struct, frozen=True, gc=False):
    """One transaction of the anchors' stream."""

    type: ClassVar[str] = "anchors.transaction.recorded.v1"
    event_id: str
    platform_id: str
    operator_id: str
    buyer_id: str
    amount_minor: int
    currency: str
    occurred_at: datetime
    order_id: str
    payment_id: str
    waybill_id: str
    device_hash: str
    address_hash: str


class HourlySlots(Slots):
    """Slots whose habits have a half-life of an hour, as the anchors want it."""

    def __init__(self) -> None:
        super().__init__(HOUR_MS)


class _Part(NamedTuple):
    transactions: list[AnchorTransaction]
    events: Events
    features: Floats


async def on_transactions(session: AsyncSession, received: Sequence[Received]) -> None:
    """Take in a batch: each partition's keys are a slot, as partitions are to the second stage."""
    by_partition: dict[int, list[AnchorTransaction]] = {}
    for one in received:
        by_partition.setdefault(one.place.partition, []).append(one.event)
    slots = kept(session, HourlySlots)
    await slots.take(session, by_partition)
    parts = {slot: _taken(slots, slot, transactions) for slot, transactions in by_partition.items()}
    rows = [one for part in parts.values() for one in part.transactions for _ in range(2)]
    features = np.concatenate([part.features for part in parts.values()])
    events = together([part.events for part in parts.values()])
    columns = activity.frame(["account", "pair"] * (len(rows) // 2), events, features)
    found = await decide_columns(session, STREAM, columns)
    raised = [_raised(rows[place], hit) for place, hits in enumerate(found) if hits for hit in hits]
    await alerts.raise_alerts(session, raised)
    await slots.store(session, {slot: part.events for slot, part in parts.items()})


def _taken(slots: Slots, slot: int, transactions: list[AnchorTransaction]) -> _Part:
    count = len(transactions)
    accounts = [key_of("account", one.operator_id) for one in transactions]
    pairs = [key_of("pair", one.operator_id, one.buyer_id) for one in transactions]
    times = np.fromiter((round(one.occurred_at.timestamp() * 1_000) for one in transactions), np.int64, count)
    amounts = np.fromiter((one.amount_minor for one in transactions), np.float64, count)
    partners = np.fromiter((crc32(one.buyer_id.encode()) for one in transactions), np.uint32, count)
    devices = np.fromiter((int(one.device_hash[:8], 16) for one in transactions), np.uint32, count)
    # Each transaction is two events: of its operator, and of its pair.
    keys = np.array([accounts, pairs], np.int64).T.ravel()
    twice = (np.repeat(times, 2), np.repeat(amounts, 2), np.repeat(partners, 2), np.repeat(devices, 2))
    events = Events(keys, *twice)
    return _Part(transactions, events, slots.fold(slot, events))


def _raised(transaction: AnchorTransaction, hit: Hit) -> Raised:
    key = f"{transaction.event_id}:{hit.rule.code.removeprefix('anchor_')}"
    account = derived_id("account", transaction.operator_id)
    subject = Subject(transaction.platform_id, account, None, transaction.order_id, transaction.occurred_at, key, [key])
    return Raised(alerts.alert_id(hit.rule.code, subject), subject, hit)
