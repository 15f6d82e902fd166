"""First stage of what keys do: which buyers, devices, payers and the like a batch shows, sent on by their slots."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.chains import Change
from services.risk.ledgers import CLOCKS_DIFFER
from services.risk.rule_values import RuleValues
from services.risk.windows import key_of
from shared.clock import utc_now
from shared.database import kept
from shared.events.listings import Trade, TransactionEvent
from shared.events.risk import KeyKind, KeysSighted
from shared.identifiers import derived_id
from shared.messaging import publish
from shared.partitions import partitions
from shared.topics import PARTITIONS

# A slot costs each batch a message and a row, however little is in it: as many as there can be owners.
SLOTS = PARTITIONS
MOST_SIGHTINGS = 2_000
_MINOR_UNITS = 100

Shown = tuple[KeyKind, str, int]


class Act(NamedTuple):
    """Something that happened once: an order of one operator, a payment, a parcel; with the keys it shows."""

    platform_id: str
    account_id: UUID | None
    order_ref: str
    at_ms: int
    value_minor: int | None
    device: int
    shown: list[Shown]


@dataclass
class _Slot:
    """What falls into one slot: acts, and a row a sighting."""

    acts: list[Act] = field(default_factory=list)
    sightings: list[tuple[int, KeyKind, str, int, int]] = field(default_factory=list)


async def publish_keys(session: AsyncSession, changes: Sequence[Change], ordered: Collection[int]) -> None:
    """Send on the keys that changes show for the first time; `ordered` are the places of orders never seen before."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    # What is said to be of the future would make all else look long past.
    latest = (utc_now() + CLOCKS_DIFFER).timestamp() * 1_000
    acts = [act for act in _acts(changes, ordered, values) if act.at_ms <= latest]
    await publish(session, _by_slot(acts), source="risk")


def _acts(changes: Sequence[Change], ordered: Collection[int], values: RuleValues) -> list[Act]:
    acts = []
    for place, (event, before, after, _) in enumerate(changes):
        if place in ordered and event.trade is not None and event.placed_at is not None:
            worth = _worth(values, event.trade.goods_minor, event)
            acts.append(_act(event, event.placed_at, worth, _of_order(event, event.trade)))
        if event.part != 0 or after is before:
            continue
        if event.payments and event.payer_ref is not None and (before is None or not before.payments):
            payer: Shown = ("payer", event.payer_ref, short(event.buyer_ref))
            at = event.paid_at or event.occurred_at
            acts.append(_act(event, at, _worth(values, event.paid_minor, event), [payer]))
        if event.parcels and (before is None or not before.parcels):
            at = event.shipped_at or event.delivered_at or event.occurred_at
            acts.append(_act(event, at, None, _of_parcels(event)))
    return acts


def _act(event: TransactionEvent, at: datetime, value_minor: int | None, shown: list[Shown]) -> Act:
    account_id = event.trade.account_id if event.trade is not None else None
    at_ms = int(at.timestamp() * 1_000)
    return Act(event.platform_id, account_id, event.order_ref, at_ms, value_minor, short(event.device_ref), shown)


def _of_order(event: TransactionEvent, trade: Trade) -> list[Shown]:
    account, buyer = _text(trade.account_id), short(event.buyer_ref)
    shown: list[Shown] = [("account", account, buyer)]
    if event.buyer_ref is not None:
        shown += [("pair", f"{account}/{event.buyer_ref}", buyer), ("buyer", event.buyer_ref, short(account))]
    if event.device_ref is not None:
        shown.append(("device", event.device_ref, buyer))
    if event.address_ref is not None:
        shown.append(("address", event.address_ref, buyer))
    return shown + [("listing", listing_ref, buyer) for listing_ref in dict.fromkeys(trade.listing_refs)]


def _of_parcels(event: TransactionEvent) -> list[Shown]:
    shown: list[Shown] = []
    if event.courier is not None:
        shown.append(("courier", event.courier, short(event.buyer_ref)))
    return shown + [("waybill", waybill_ref, short(event.order_ref)) for waybill_ref in event.waybill_refs]


_text = lru_cache(maxsize=50_000)(str)


def short(ref: str | None) -> int:
    """Return the hash by which partners are told apart; 0 where unknown."""
    return crc32(ref.encode()) or 1 if ref is not None else 0


def _worth(values: RuleValues, amount_minor: int, event: TransactionEvent) -> int | None:
    """Return an amount at the rates of the order's day, or of the day of what is known instead."""
    amount = values.comparable(amount_minor, event.currency, (event.placed_at or event.occurred_at).date())
    return None if amount is None else round(amount * _MINOR_UNITS)


def _by_slot(acts: Sequence[Act]) -> list[KeysSighted]:
    slots: dict[int, _Slot] = defaultdict(_Slot)
    published = []
    for act in acts:
        for kind, ref, partner in act.shown:
            key = key_of(kind, act.platform_id, ref)
            number = key % SLOTS
            slot = slots[number]
            if not slot.acts or slot.acts[-1] is not act:
                slot.acts.append(act)
            slot.sightings.append((len(slot.acts) - 1, kind, ref, key, partner))
            if len(slot.sightings) >= MOST_SIGHTINGS:
                published.append(_event(number, slots.pop(number)))
    return published + [_event(number, slot) for number, slot in sorted(slots.items())]


def _event(number: int, slot: _Slot) -> KeysSighted:
    platform_ids, account_ids, order_refs, at_ms, values_minor, devices, _ = map(list, zip(*slot.acts, strict=True))
    acts, kinds, refs, keys, partners = map(list, zip(*slot.sightings, strict=True))
    return KeysSighted(
        occurred_at=datetime.fromtimestamp(max(at_ms) / 1_000, UTC),
        slot_id=slot_id(number),
        slot=number,
        platform_ids=platform_ids,
        account_ids=account_ids,
        order_refs=order_refs,
        at_ms=at_ms,
        values_minor=values_minor,
        devices=devices,
        acts=acts,
        kinds=kinds,
        refs=refs,
        keys=keys,
        partners=partners,
    )


@lru_cache(maxsize=SLOTS)
def slot_id(number: int) -> UUID:
    """Return the id of a slot, its key on the topic: one by which it has a partition of its own."""
    candidates = (derived_id("slot", number, attempt) for attempt in count())
    return next(one for one in candidates if partitions([str(one).encode()], PARTITIONS) == [number])
