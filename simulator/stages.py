"""One platform's part in a simulation: its merchants, what they offer, and the orders of each window."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from heapq import merge
from operator import itemgetter
from zlib import crc32

import numpy as np

from shared.events.platform import (
    ListingWithdrawn,
    OperatorChanged,
    OperatorDeregistered,
    PlatformEvent,
)
from simulator.captures import Captures, capture
from simulator.dormant import long_ago
from simulator.listings import Shelf, publish_listings
from simulator.mailings import mailings
from simulator.operators import Accounts, changed_files, open_accounts
from simulator.orders import Document, Market, Orders, choose_listings, draw_orders
from simulator.platforms import Platform
from simulator.propaganda import plant_claims
from simulator.schemes import Campaigns, plan_campaigns, within
from simulator.timeline import NEVER, Timeline, moment

# Measured: documents that come into being before the month ends, per order placed in it.
_DOCUMENTS_PER_ORDER = 4.2
_EVENTS_PER_ACCOUNT = 250
_MOST_ACCOUNTS = 4_000
_FEWEST_BUYERS = 40
_MOST_CAMPAIGN_ORDERS = 45


class _Change(IntEnum):
    REGISTERED = 0
    CHANGED = 1
    PUBLISHED = 2
    WITHDRAWN = 3
    DEREGISTERED = 4


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything about one platform that is fixed before its stream begins."""

    platform: Platform
    seed: int
    accounts: Accounts
    market: Market
    campaigns: Campaigns
    moves: dict[int, OperatorChanged]
    orders: int
    shelf: Shelf
    captures: Captures

    def window(self, number: int) -> Orders:
        """Draw the orders of a window; the same window always gives the same orders."""
        windows = self.market.timeline.windows
        opens_ms, closes_ms = self.market.timeline.edges()[number : number + 2].tolist()
        draw = np.random.default_rng([self.seed, crc32(self.platform.id.encode()), number])
        first, last = self.orders * number // windows, self.orders * (number + 1) // windows
        shares = np.sort((number + draw.random(last - first)) / windows)
        offers = choose_listings(self.market, opens_ms, closes_ms, draw.random(last - first))
        ordinary = draw_orders(self.market, self.market.timeline.moments(shares), offers, draw)
        ordinary.rows["serial"] = np.arange(first, last)
        campaigns = (*self.campaigns.rings, *self.campaigns.bought)
        return _joined([ordinary, *within(campaigns, opens_ms, closes_ms)])

    def files(self) -> Iterator[tuple[int, datetime, str, PlatformEvent]]:
        """Yield time (twice), subject and event of all about merchants, their pages and offers, in order of time."""
        timeline = self.market.timeline
        others = merge(
            self.captures.pages, mailings(self.platform, seed=self.seed, timeline=timeline), key=itemgetter(0)
        )
        within_month = (fact for fact in others if fact[0] < timeline.end_ms)
        yield from long_ago(self.platform, seed=self.seed, timeline=timeline)
        yield from merge(self._files(), within_month, key=itemgetter(0))

    def _files(self) -> Iterator[tuple[int, datetime, str, PlatformEvent]]:
        for at_ms, change, place in self._changes():
            if at_ms < self.market.timeline.end_ms:
                yield at_ms, moment(at_ms), *self._file(change, place)

    def _changes(self) -> list[tuple[int, _Change, int]]:
        changes = []
        for place, account in enumerate(self.accounts.everyone):
            changes.append((account.registered_ms, _Change.REGISTERED, place))
            if account.closed_ms < NEVER:
                changes.append((account.closed_ms, _Change.DEREGISTERED, place))
        changes += [(at_ms, _Change.CHANGED, at_ms) for at_ms in self.moves]
        listings = self.market.listings
        for place, (at_ms, until_ms) in enumerate(
            zip(listings.published_ms.tolist(), listings.until_ms.tolist(), strict=True)
        ):
            changes.append((at_ms, _Change.PUBLISHED, place))
            if until_ms < NEVER:
                changes.append((until_ms, _Change.WITHDRAWN, place))
        return sorted(changes)

    def _file(self, change: _Change, place: int) -> tuple[str, PlatformEvent]:
        if change is _Change.PUBLISHED:
            return self.shelf.refs[place], self.shelf.published(place)
        if change is _Change.WITHDRAWN:
            return self.shelf.refs[place], ListingWithdrawn(listing_ref=self.shelf.refs[place])
        if change is _Change.CHANGED:
            return self.moves[place].operator_ref, self.moves[place]
        file = self.accounts.everyone[place].file
        if change is _Change.DEREGISTERED:
            return file.operator_ref, OperatorDeregistered(operator_ref=file.operator_ref, reason="banned")
        return file.operator_ref, file


def set_stage(platform: Platform, *, seed: int, events: int, timeline: Timeline) -> Stage:
    """Return the platform's stage for a stream of about `events` events."""
    draw = np.random.default_rng([seed, crc32(platform.id.encode())])
    count = min(events // _EVENTS_PER_ACCOUNT, _MOST_ACCOUNTS)
    accounts = open_accounts(platform, seed=seed, count=count, timeline=timeline)
    plant_claims(accounts, platform_id=platform.id, timeline=timeline)
    listings = publish_listings(accounts.everyone, platform=platform, draw=draw)
    files = len(accounts.everyone) + len(listings.operator)
    orders = max(int((events - files) / _DOCUMENTS_PER_ORDER), 24)
    market = Market(platform=platform, listings=listings, timeline=timeline, buyers=max(orders // 3, _FEWEST_BUYERS))
    size = min(max(orders // 12, 8), _MOST_CAMPAIGN_ORDERS)
    campaigns = plan_campaigns(market, accounts, size=size, draw=draw)
    arranged = size * (len(campaigns.rings) + len(campaigns.bought))
    return Stage(
        platform=platform,
        seed=seed,
        accounts=accounts,
        market=market,
        campaigns=campaigns,
        moves=dict(changed_files(accounts, seed=seed, timeline=timeline)),
        orders=max(orders - arranged, 24),
        shelf=Shelf(listings, accounts.everyone, platform),
        captures=capture(platform, accounts, seed=seed, timeline=timeline),
    )


def _joined(parts: list[Orders]) -> Orders:
    return Orders(
        np.concatenate([orders.rows for orders in parts]),
        {document: np.concatenate([orders.times[document] for orders in parts]) for document in Document},
        np.concatenate([orders.complained_ms for orders in parts]),
    )
