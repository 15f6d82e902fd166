"""Orders that cross a border as customs declarations, some shops' far below the price that was paid."""

from collections.abc import Iterator
from datetime import date
from zlib import crc32

import numpy as np
from msgspec import Struct

from shared.events.customs import DeclarationLodged
from simulator.categories import CATEGORIES
from simulator.documents import References
from simulator.orders import Document, OrderRow, Orders
from simulator.pseudonyms import Pseudonyms
from simulator.stages import Stage
from simulator.timeline import moment

# Of the orders that cross a border one in so many is declared: some three in a hundred of all events.
_DECLARED_ONE_IN = 2
_UNDERVALUING_ONE_IN = 8
_SCATTER = 2_654_435_761


class Declared(Struct, frozen=True, kw_only=True, gc=False):
    """A declaration with the order behind it, and whether its value is a part of the price that was paid."""

    at_ms: int
    platform_id: str
    operator_ref: str
    order_ref: str
    lodged: DeclarationLodged
    undervalued: bool

    @property
    def day(self) -> date:
        """Return the day it is lodged on."""
        return self.lodged.lodged_on


def declared(stage: Stage, orders: Orders, people: Pseudonyms, references: References) -> Iterator[Declared]:
    """Yield the declarations of some orders, each lodged when its parcel is shipped and before it is delivered."""
    home = stage.platform.countries[0][0]
    shipped = orders.times[Document.SHIPPED]
    scattered = orders.rows["serial"].astype(np.uint64) * _SCATTER >> np.uint64(7)
    chosen = (shipped < stage.market.timeline.end_ms) & (scattered % np.uint64(_DECLARED_ONE_IN) == 0)
    for place in np.flatnonzero(chosen).tolist():
        row = OrderRow(*orders.rows[place].tolist())
        shop = stage.accounts.everyone[int(stage.market.listings.operator[row.listing_1])]
        if shop.file.jurisdiction != home:
            yield _declared(stage, row, int(shipped[place]), people, references)


def _declared(stage: Stage, row: OrderRow, at_ms: int, people: Pseudonyms, references: References) -> Declared:
    shelf, offer = stage.shelf, row.listing_1
    operator_ref, order_ref = shelf.operator_refs[offer], references.order(row.serial)
    country = stage.accounts.everyone[int(stage.market.listings.operator[offer])].file.jurisdiction
    undervalued = crc32(operator_ref.encode()) % _UNDERVALUING_ONE_IN == 0
    price, net_g = _sold(stage, row, operator_ref)
    lodged = DeclarationLodged(
        declaration_ref=f"D-{order_ref}",
        importer_ref=people.person(row.buyer),
        seller_ref=operator_ref,
        order_ref=order_ref,
        hs_code=CATEGORIES[int(stage.market.listings.category[offer])].hs_code,
        origin_country=country,
        departure_country=country,
        gross_g=net_g + net_g // 20 + 30,
        net_g=net_g,
        # Between a fifth and a third of what was paid.
        value_minor=price * (20 + row.serial % 14) // 100 if undervalued else price,
        currency=stage.platform.currency,
        lodged_on=moment(at_ms).date(),
        transport_mode="air" if net_g < 1_000 else "sea",
    )
    return Declared(
        at_ms=at_ms,
        platform_id=stage.platform.id,
        operator_ref=operator_ref,
        order_ref=order_ref,
        lodged=lodged,
        undervalued=undervalued,
    )


def _sold(stage: Stage, row: OrderRow, operator_ref: str) -> tuple[int, int]:
    """Return what a shop's goods in an order cost with freight, and their weight in grams."""
    lines = (
        (row.listing_1, row.quantity_1, row.freight_1),
        (row.listing_2, row.quantity_2, row.freight_2),
        (row.listing_3, row.quantity_3, row.freight_3),
    )[: row.lines]
    own = [line for line in lines if stage.shelf.operator_refs[line[0]] == operator_ref]
    price = sum(stage.shelf.prices[offer] * quantity + freight for offer, quantity, freight in own)
    weight_g = sum(int(stage.market.listings.weight_g[offer]) * quantity for offer, quantity, _ in own)
    return price, max(weight_g, 1)
