"""First stage of what keys do: which buyers, devices, payers and the like a batch shows, sent on by their slots."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.chains import Change
from services.risk.rule_values import RuleValues
from services.risk.windows import key_of
from shared.database import kept
from shared.events.listings import TransactionEvent
from shared.events.risk import KeyKind, KeysSighted
from shared.identifiers import derived_id
from shared.messaging import publish

SLOTS = 16
MOST_SIGHTINGS = 2_000
_MINOR_UNITS = 100

Shown = tuple[KeyKind, str, int]


class Act(NamedTuple):
    """Something that happened once: an order of one operator, a payment, a parcel; with the keys it shows."""

    event: TransactionEvent
    at: datetime
    value_minor: int | None
    shown: list[Shown]


@dataclass
class _Slot:
    """What falls into one slot, as columns."""

    acts: list[Act] = field(default_factory=list)
    of: list[int] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)


async def publish_keys(session: AsyncSession, changes: Sequence[Change], ordered: Collection[int]) -> None:
    """Send on the keys that changes show for the first time; `ordered` are the places of orders never seen before."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    acts = [act for place, change in enumerate(changes) for act in _acts(change, values, is_new_order=place in ordered)]
    await publish(session, _by_slot(acts), source="risk")


def _acts(change: Change, values: RuleValues, *, is_new_order: bool) -> Iterator[Act]:
    event, before, after = change
    if is_new_order and event.trade is not None and event.placed_at is not None:
        worth = _worth(values, event.trade.goods_minor, event, event.placed_at)
        yield Act(event, event.placed_at, worth, list(_of_order(event)))
    if after is before or event.part != 0:
        return
    if event.payments and event.payer_ref is not None and not (before and before.payments):
        at = event.paid_at or event.occurred_at
        worth = _worth(values, event.paid_minor, event, at)
        yield Act(event, at, worth, [("payer", event.payer_ref, short(event.buyer_ref))])
    if event.parcels and not (before and before.parcels):
        at = event.shipped_at or event.delivered_at or event.occurred_at
        yield Act(event, at, None, list(_of_parcels(event)))


def _of_order(event: TransactionEvent) -> Iterator[Shown]:
    assert event.trade is not None, "the caller has looked"
    account, buyer = str(event.trade.account_id), short(event.buyer_ref)
    yield "account", account, buyer
    if event.buyer_ref is not None:
        yield "pair", f"{account}/{event.buyer_ref}", buyer
        yield "buyer", event.buyer_ref, short(account)
    if event.device_ref is not None:
        yield "device", event.device_ref, buyer
    if event.address_ref is not None:
        yield "address", event.address_ref, buyer
    for listing_ref in dict.fromkeys(event.trade.listing_refs):
        yield "listing", listing_ref, buyer


def _of_parcels(event: TransactionEvent) -> Iterator[Shown]:
    if event.courier is not None:
        yield "courier", event.courier, short(event.buyer_ref)
    for waybill_ref in event.waybill_refs:
        yield "waybill", waybill_ref, short(event.order_ref)


def short(ref: str | None) -> int:
    """Return the hash by which partners are told apart; 0 where unknown."""
    return crc32(ref.encode()) or 1 if ref is not None else 0


def _worth(values: RuleValues, amount_minor: int, event: TransactionEvent, at: datetime) -> int | None:
    amount = values.comparable(amount_minor, event.currency, at.date())
    return None if amount is None else round(amount * _MINOR_UNITS)


def _by_slot(acts: Sequence[Act]) -> list[KeysSighted]:
    slots: dict[int, _Slot] = defaultdict(_Slot)
    published = []
    for act in acts:
        platform_id = act.event.platform_id
        for shown in act.shown:
            key = key_of(shown[0], platform_id, shown[1])
            number = key % SLOTS
            slot = slots[number]
            if not slot.acts or slot.acts[-1] is not act:
                slot.acts.append(act)
            slot.of.append(len(slot.acts) - 1)
            slot.shown.append(shown)
            slot.keys.append(key)
            if len(slot.keys) >= MOST_SIGHTINGS:
                published.append(_event(number, slots.pop(number)))
    return published + [_event(number, slot) for number, slot in sorted(slots.items())]


def _event(number: int, slot: _Slot) -> KeysSighted:
    events = [act.event for act in slot.acts]
    kinds, refs, partners = zip(*slot.shown, strict=True)
    return KeysSighted(
        occurred_at=max(act.at for act in slot.acts),
        slot_id=slot_id(number),
        slot=number,
        platform_ids=[event.platform_id for event in events],
        account_ids=[event.trade.account_id if event.trade is not None else None for event in events],
        order_refs=[event.order_ref for event in events],
        at_ms=[int(act.at.timestamp() * 1_000) for act in slot.acts],
        values_minor=[act.value_minor for act in slot.acts],
        devices=[short(event.device_ref) for event in events],
        acts=slot.of,
        kinds=list(kinds),
        refs=list(refs),
        keys=slot.keys,
        partners=list(partners),
    )


@lru_cache(maxsize=SLOTS)
def slot_id(number: int) -> UUID:
    """Return the id of a slot: its key on the topic."""
    return derived_id("slot", number)
