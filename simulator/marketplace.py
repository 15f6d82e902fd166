"""A seeded cross-border marketplace: each platform's events in order of time, its complaints, the truth."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from shared.events.platform import PlatformEvent
from simulator.cloudevents import CloudEvent, EventIds, Outgoing, encode
from simulator.complaints import Complaint, cause, resolution
from simulator.declarations import Declared, declared
from simulator.documents import Documents, References
from simulator.institutions import Entry, Institutions
from simulator.listings import Integers
from simulator.operators import returns_elsewhere
from simulator.orders import ROW, Document, Flaw, OrderRow, Orders
from simulator.platforms import PLATFORMS, Platform
from simulator.pseudonyms import Pseudonyms
from simulator.schemes import Campaign
from simulator.stages import Stage, set_stage
from simulator.timeline import Moments, Timeline, moment
from simulator.truth import Planted, Scheme

_Fact = tuple[int, datetime, str, PlatformEvent]
_ROWS_AT_A_TIME = 1_000
_FLAWED: dict[int, tuple[Scheme, str]] = {
    Flaw.AMOUNT: ("amount_mismatch", "payments differ from lines and freight by more than 1.00"),
    Flaw.NO_WAYBILL: ("missing_waybill", "paid, and no parcel was ever shipped"),
    Flaw.TIME_ORDER: ("time_order", "delivered before it was shipped"),
    Flaw.CHANNEL: ("uncertified_channel", "paid through an institution or a channel that was not certified then"),
}


class Marketplace:
    """About `events` events in the 30 days before `base`. The same arguments give the same bytes."""

    def __init__(self, *, events: int, seed: int, base: datetime, platforms: Sequence[Platform] = PLATFORMS) -> None:
        self.platform_ids = tuple(platform.id for platform in platforms)
        self.expected_events = events
        self._seed = seed
        shares = sum(platform.share for platform in platforms)
        self._stages = {
            platform.id: _stage(platform, seed=seed, events=int(events * platform.share / shares), base=base)
            for platform in platforms
        }
        # Another size or base draws other orders; the tag keeps them from looking like changed old ones.
        self._tag = blake2b(f"{seed}/{events}/{base.timestamp()}".encode(), digest_size=2).hexdigest().upper()

    def events(self, platform_id: str) -> Iterator[Outgoing]:
        """Yield the platform's events in order of time, holding only orders that still await documents."""
        ids = EventIds(seed=self._seed, platform_id=platform_id)
        source = f"/platforms/{platform_id}"
        for at_ms, at, subject, fact in self._facts(platform_id):
            yield encode(
                CloudEvent(
                    id=ids.next(at_ms),
                    source=source,
                    type=fact.type,
                    time=at,
                    subject=subject,
                    data=fact,
                )
            )

    def complaints(self, platform_id: str) -> Iterator[Complaint]:
        """Yield the complaints of the platform's buyers in order of time."""
        stage = self._stages[platform_id]
        people = Pseudonyms(seed=self._seed, platform_id=platform_id)
        references = self._references(stage)
        filed = []
        for orders in _windows(stage):
            upset = np.flatnonzero(orders.complained_ms < stage.market.timeline.end_ms)
            times = orders.complained_ms[upset].tolist()
            for at_ms, row in zip(times, orders.rows[upset].tolist(), strict=True):
                filed.append(_complaint(stage, moment(at_ms), OrderRow(*row), people, references))
        yield from sorted(filed, key=attrgetter("at", "order_ref"))

    def declarations(self) -> Iterator[Declared]:
        """Yield the customs declarations of all platforms; draws all orders again, but encodes none."""
        for stage in self._stages.values():
            people = Pseudonyms(seed=self._seed, platform_id=stage.platform.id)
            references = self._references(stage)
            for orders in _windows(stage):
                yield from declared(stage, orders, people, references)

    def institutions(self) -> list[Entry]:
        """Return what a regulator registers of the payment institutions before the month."""
        return [entry for stage in self._stages.values() for entry in self._institutions(stage).entries()]

    def truth(self) -> list[Planted]:
        """Return every planted scheme; draws all orders again, but encodes none."""
        everyone = {stage.platform.id: stage.accounts.everyone for stage in self._stages.values()}
        planted = returns_elsewhere(everyone)
        for stage in self._stages.values():
            references = self._references(stage)
            planted += stage.accounts.planted
            planted += stage.captures.planted
            for ring in stage.campaigns.rings:
                planted.append(_planted_campaign(stage, ring, references, "brushing_ring"))
            for deal in stage.campaigns.bought:
                planted.append(_planted_campaign(stage, deal, references, "bought_reviews"))
            for orders in _windows(stage):
                for row in orders.rows[orders.rows["flaw"] != Flaw.NONE].tolist():
                    planted.append(_planted_flaw(stage, OrderRow(*row), references))
        return planted + _planted_declarations(self.declarations())

    def _references(self, stage: Stage) -> References:
        return References(prefix=stage.platform.prefix, tag=self._tag)

    def _institutions(self, stage: Stage) -> Institutions:
        return Institutions(stage.platform, timeline=stage.market.timeline, tag=self._tag)

    def _facts(self, platform_id: str) -> Iterator[_Fact]:
        """Merge the files of merchants and offers with the documents of orders."""
        stage = self._stages[platform_id]
        people = Pseudonyms(seed=self._seed, platform_id=platform_id)
        documents = Documents(
            platform=stage.platform,
            shelf=stage.shelf,
            people=people,
            references=self._references(stage),
            institutions=self._institutions(stage),
        )
        files = stage.files()
        file = next(files, None)
        for at_ms, document, row in _due_documents(stage):
            while file and file[0] <= at_ms:
                yield file
                file = next(files, None)
            at = moment(at_ms)
            yield at_ms, at, *documents.build(document, row, at)
        if file:
            yield file
        yield from files


def _stage(platform: Platform, *, seed: int, events: int, base: datetime) -> Stage:
    return set_stage(platform, seed=seed, events=events, timeline=Timeline.before(base, orders=events // 4))


def _windows(stage: Stage) -> Iterator[Orders]:
    for number in range(stage.market.timeline.windows):
        yield stage.window(number)


_Waiting = tuple[Moments, Integers, Integers, NDArray[np.void]]


def _due_documents(stage: Stage) -> Iterator[tuple[int, int, OrderRow]]:
    """Yield time, kind and row of every document in order of time.

    A document waits in the window it falls due in. Rows are shared by an order's documents and
    let go with the last of them, which is what bounds memory in a long stream.
    """
    pending: defaultdict[int, list[_Waiting]] = defaultdict(list)
    for number, orders in enumerate(_windows(stage)):
        for window, waiting in _by_window(orders, stage.market.timeline, number):
            pending[window].append(waiting)
        due = pending.pop(number, [])
        if due:
            yield from _in_order(due)


def _by_window(orders: Orders, timeline: Timeline, now: int) -> Iterator[tuple[int, _Waiting]]:
    times = np.concatenate([orders.times[document] for document in Document])
    happens = np.flatnonzero(times < timeline.end_ms)
    kinds, places = np.divmod(happens, len(orders.rows))
    windows = np.searchsorted(timeline.edges(), times[happens], side="right") - 1
    windows = windows.clip(now, timeline.windows - 1)
    order = np.argsort(windows, kind="stable")
    bounds = np.searchsorted(windows[order], np.arange(now, timeline.windows + 1)).tolist()
    for window, (first, last) in enumerate(pairwise(bounds), now):
        if first < last:
            chosen = order[first:last]
            yield window, (times[happens[chosen]], kinds[chosen], places[chosen], orders.rows)


def _in_order(due: list[_Waiting]) -> Iterator[tuple[int, int, OrderRow]]:
    times = np.concatenate([times for times, _, _, _ in due])
    kinds = np.concatenate([kinds for _, kinds, _, _ in due])
    rows = np.empty(len(times), ROW)
    filled = 0
    for _, _, places, source in due:
        rows[filled : filled + len(places)] = source[places]
        filled += len(places)
    order = np.lexsort((rows["serial"], kinds, times))
    # A few rows at a time: the tuples of a whole window would keep the garbage collector busy.
    for start in range(0, len(order), _ROWS_AT_A_TIME):
        now = order[start : start + _ROWS_AT_A_TIME]
        columns = [rows[name][now].tolist() for name in OrderRow.__struct_fields__]
        yield from zip(times[now].tolist(), kinds[now].tolist(), map(OrderRow, *columns), strict=True)


def _complaint(stage: Stage, at: datetime, row: OrderRow, people: Pseudonyms, references: References) -> Complaint:
    category, description, desire = cause(row)
    return Complaint(
        at=at,
        consumer_ref=people.person(row.buyer),
        platform_id=stage.platform.id,
        operator_ref=stage.shelf.operator_refs[row.listing_1],
        order_ref=references.order(row.serial),
        category=category,
        description=description,
        desired_outcome=desire,
        claimed_minor=row.paid,
        currency=stage.platform.currency,
        outcome=resolution(row),
    )


def _planted_campaign(stage: Stage, campaign: Campaign, references: References, scheme: Scheme) -> Planted:
    orders = campaign.orders
    buyers, devices = (len(np.unique(orders.rows[field])) for field in ("buyer", "device"))
    reviewed = orders.times[Document.REVIEWED] < stage.market.timeline.end_ms
    return Planted(
        scheme=scheme,
        platform_id=stage.platform.id,
        operator_refs=[stage.accounts.everyone[campaign.shop].file.operator_ref],
        order_refs=[references.order(serial) for serial in orders.rows["serial"].tolist()],
        review_refs=[references.review(serial) for serial in orders.rows["serial"][reviewed].tolist()],
        strength="weak" if campaign.covert else "strong",
        note=f"{buyers} buyers on {devices} devices",
    )


def _planted_flaw(stage: Stage, row: OrderRow, references: References) -> Planted:
    scheme, note = _FLAWED[row.flaw]
    offers = (row.listing_1, row.listing_2, row.listing_3)[: row.lines]
    return Planted(
        scheme=scheme,
        platform_id=stage.platform.id,
        operator_refs=sorted({stage.shelf.operator_refs[offer] for offer in offers}),
        order_refs=[references.order(row.serial)],
        strength="strong",
        note=note,
    )


def _planted_declarations(declarations: Iterator[Declared]) -> list[Planted]:
    by_shop: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in declarations:
        if one.undervalued:
            by_shop[one.platform_id, one.operator_ref].append(one.order_ref)
    return [
        Planted(
            scheme="undervalued_declaration",
            platform_id=platform_id,
            operator_refs=[operator_ref],
            order_refs=order_refs,
            strength="strong",
            note="declared to customs at a fifth to a third of the price that was paid, under D- and the order",
        )
        for (platform_id, operator_ref), order_refs in sorted(by_shop.items())
    ]
