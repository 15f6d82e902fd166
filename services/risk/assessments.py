"""Every transaction gets an assessment: features of its day, the rules it hits, a score."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts, chains, parcel_weights, sales, sightings, statements
from services.risk.alerts import Raised, Subject
from services.risk.certified import Registry
from services.risk.chains import Change, account_of
from services.risk.day_store import Days
from services.risk.day_store import Key as DayKey
from services.risk.days import Day
from services.risk.decisions import decide
from services.risk.rules import Hit
from services.risk.statements import Stated
from shared.clock import utc_now
from shared.database import Bounded, columns, driver, number_array, text_array
from shared.events.listings import TransactionEvent
from shared.identifiers import as_key

_KNOWN = """
    SELECT transaction_id, part, account_id, hits, stated FROM assessments WHERE transaction_id = ANY ($1::uuid[])
"""
_STORE = """
    INSERT INTO assessments (transaction_id, part, platform_id, order_ref, account_id, revision, score, hits,
        unshipped_since, stated, placed_on)
    SELECT t, p, f, o, a, r, s, string_to_array(h, ','), u, b, d FROM unnest($1::uuid[], $2::text::smallint[],
        $3::text::text[], $4::text::text[], $5::uuid[], $6::text::int[], $7::text::float8[], $8::text::text[],
        $9::timestamptz[], $10::bytea[], $11::date[]) AS x (t, p, f, o, a, r, s, h, u, b, d)
    ON CONFLICT (transaction_id, part) DO UPDATE SET account_id = excluded.account_id,
        revision = excluded.revision, score = excluded.score, hits = excluded.hits,
        unshipped_since = excluded.unshipped_since, stated = excluded.stated, placed_on = excluded.placed_on,
        assessed_at = now()
"""

Key = tuple[UUID, int]

_NO_DAY = Day()


class Known(NamedTuple):
    """What an earlier assessment left: whose it was, which rules it hit, and what was stated."""

    account_id: UUID | None
    hits: Sequence[str]
    stated: Stated | None


class Judged(NamedTuple):
    """A revision, the rules it hit, and what is stated after it."""

    event: TransactionEvent
    hits: Sequence[Hit]
    stated: Stated


Newest = Mapping[Key, Judged]


class Earlier(Bounded[Key, Known]):
    """What this process last assessed."""


async def assess(
    session: AsyncSession, events: Sequence[TransactionEvent], kept: Days, earlier: Earlier, registry: Registry
) -> None:
    """Score a batch of transactions in order; store assessments, raise and withdraw alerts."""
    keys = [(as_key(event.transaction_id), event.part) for event in events]
    # A first revision cannot have been assessed before.
    known = await _known(session, [key for event, key in zip(events, keys, strict=True) if event.revision > 1], earlier)
    day_keys = [day_key(event) for event in events]
    days = await kept.take(session, {key for key in day_keys if key is not None})
    counted = {key for key, one in known.items() if one.account_id is not None}
    touched: dict[DayKey, Day] = {}
    before = frozenset(counted)
    now = utc_now()
    changes = _changes(events, keys, known, now)
    rows = [
        _features(*one, counted, days, touched) | registry.judge(one[0].event.paid_through)._asdict()
        for one in zip(changes, keys, day_keys, strict=True)
    ]
    found = await decide(session, "transactions", rows, [transaction_id for transaction_id, _ in keys])
    await kept.store(session, touched)
    fresh = {key: event for event, key in zip(events, keys, strict=True) if key in counted and key not in before}
    await sales.record(session, list(fresh.values()))
    await sightings.publish_keys(session, changes, _firsts(keys, fresh))
    await parcel_weights.record(session, changes)
    newest: dict[Key, Judged] = {}
    raised: list[Raised] = []
    for change, key, hits in zip(changes, keys, found, strict=True):
        newest[key] = Judged(change.event, hits, change.after)
        raised += [_raised(change.event, hit) for hit in hits if hit.rule.scope != "transaction"]
    for event, hits, stated in newest.values():
        for hit in hits:
            if hit.rule.scope == "transaction":
                named = registry.evidence(event.paid_through, hit.values)
                raised.append(_raised(event, hit, named + _restated(hit, stated, now)))
    await _store(session, newest)
    await chains.record(session, [change for change in changes if change.after is not change.before])
    await alerts.raise_alerts(session, raised)
    await _withdraw(session, newest, known)
    earlier.keep({key: Known(account_of(one.event), _codes(one.hits), one.stated) for key, one in newest.items()})


def _firsts(keys: Sequence[Key], fresh: Collection[Key]) -> set[int]:
    """Return the places where orders that were not counted before stand first."""
    places: dict[Key, int] = {}
    for place, key in enumerate(keys):
        if key in fresh:
            places.setdefault(key, place)
    return set(places.values())


def day_key(event: TransactionEvent) -> DayKey | None:
    """Return the operator and the day an order counts for; None while the order is unknown."""
    if event.trade is None or event.placed_at is None:
        return None
    return as_key(event.trade.account_id), event.placed_at.date()


async def _known(session: AsyncSession, again: Sequence[Key], earlier: Earlier) -> dict[Key, Known]:
    """Return the earlier assessments of what is assessed again."""
    known = earlier.of(again)
    unknown = list({key[0] for key in again if key not in known})
    rows = await (await driver(session)).fetch(_KNOWN, unknown) if unknown else []
    return known | {(r["transaction_id"], r["part"]): _known_of(r) for r in rows}


def _known_of(row: asyncpg.Record) -> Known:
    return Known(row["account_id"], row["hits"], statements.unpack(row["stated"]) if row["stated"] else None)


def _changes(
    events: Sequence[TransactionEvent], keys: Sequence[Key], known: Mapping[Key, Known], now: datetime
) -> list[Change]:
    """Return what each revision changed in what is stated."""
    stated = {key: one.stated for key, one in known.items()}
    accounts = {key: one.account_id for key, one in known.items()}
    changes = []
    for event, key in zip(events, keys, strict=True):
        before = stated.get(key)
        stated[key] = after = statements.restated(before, event, now)
        changes.append(Change(event, before, after, accounts.get(key)))
        accounts[key] = account_of(event)
    return changes


def _features(
    change: Change,
    key: Key,
    day_of: DayKey | None,
    counted: set[Key],
    days: Mapping[DayKey, Day],
    touched: dict[DayKey, Day],
) -> dict[str, Any]:
    event = change.event
    day = days[day_of] if day_of is not None else _NO_DAY
    trade, placed_at = event.trade, event.placed_at
    goods_minor = trade.goods_minor if trade is not None else 0
    if day_of is not None and placed_at is not None and key not in counted:
        day.add_order(placed_at, goods_minor, event.buyer_ref, (event.device_ref, event.address_ref))
        touched[day_of] = day
        counted.add(key)
    return {
        "match": event.match,
        "currency": event.currency,
        "mode": event.mode,
        "due_minor": event.due_minor,
        "paid_minor": event.paid_minor,
        "amount_gap_minor": abs(event.paid_minor - event.due_minor),
        "goods_minor": goods_minor,
        "payments": event.payments,
        "parcels": event.parcels,
        "weight_g": event.weight_g,
        "payer_differs": event.payer_ref not in (None, event.buyer_ref),
        "payment_delay_h": _hours(placed_at, event.paid_at),
        "delivery_h": _hours(event.shipped_at, event.delivered_at),
        "cancelled": event.cancelled,
        "orders_day": day.orders,
        "orders_hour": day.orders_in_hour(placed_at) if placed_at is not None else 0,
        "buyer_orders_day": day.orders_of(event.buyer_ref),
        "device_buyers_day": day.buyers_on_device(event.device_ref),
        "address_buyers_day": day.buyers_at_address(event.address_ref),
        **statements.features(change.after),
    }


def _hours(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() / 3600 if start is not None and end is not None else None


def _codes(hits: Sequence[Hit]) -> list[str]:
    return [hit.rule.code for hit in hits]


def _restated(hit: Hit, stated: Stated, now: datetime) -> list[str]:
    return statements.evidence(stated, now) if hit.values.keys() & statements.FEATURES else []


def _raised(event: TransactionEvent, hit: Hit, evidence: Sequence[str] = ()) -> Raised:
    subject = _subject(event, hit.rule.scope)._replace(evidence=evidence)
    return Raised(alerts.alert_id(hit.rule.code, subject), subject, hit)


def _subject(event: TransactionEvent, scope: str) -> Subject:
    at = event.placed_at or event.occurred_at
    keys = {
        "buyer_day": event.buyer_ref,
        "device_day": event.device_ref,
        "address_day": event.address_ref,
    }
    account = account_of(event)
    if scope == "transaction":
        return Subject(event.platform_id, account, event.transaction_id, event.order_ref, at, str(event.transaction_id))
    key = f"{at.date()}/{keys.get(scope) or ''}"
    return Subject(event.platform_id, account, None, None, at, key, about=event.transaction_id)


async def _store(session: AsyncSession, newest: Newest) -> None:
    rows = [
        (
            transaction_id,
            part,
            event.platform_id,
            event.order_ref,
            account_of(event),
            event.revision,
            min(100.0, sum([hit.rule.points for hit in hits])),
            ",".join(_codes(hits)),
            event.paid_at if not event.parcels and not event.cancelled else None,
            statements.pack(stated),
            event.placed_at.date() if event.placed_at is not None else None,
        )
        for (transaction_id, part), (event, hits, stated) in newest.items()
    ]
    forms = (list, number_array, text_array, text_array, list, number_array, number_array, text_array, *3 * (list,))
    await (await driver(session)).execute(_STORE, *columns(rows, *forms))


async def _withdraw(session: AsyncSession, newest: Newest, known: Mapping[Key, Known]) -> None:
    """Withdraw what earlier revisions hit and the newest does not, for rules about one transaction."""
    cleared: list[UUID] = []
    at: datetime | None = None
    for key, (event, hits, _) in newest.items():
        before = known.get(key)
        if before is None or not before.hits:
            continue
        subject, hit_before = _subject(event, "transaction"), set(before.hits)
        cleared.extend(alerts.alert_id(code, subject) for code in hit_before.difference(_codes(hits)))
        # An alert raised before the order was known names the platform instead of the operator: it is over now,
        # whether the rule still holds, and then has an alert with the operator, or does not.
        if subject.account_id is not None:
            cleared.extend(alerts.alert_id(code, subject._replace(account_id=None)) for code in hit_before)
        at = event.occurred_at
    if at is not None:
        await alerts.withdraw(session, cleared, at=at)
