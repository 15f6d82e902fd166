"""Door 2 of disputes: what makes a platform liable in a seller's place."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.disputes.models import Liability
from shared.consumer import Handlers
from shared.events.duties import DisclosureDefaulted
from shared.received import Received


async def on_defaulted(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep that platforms did not say in time who a seller is."""
    rows = [_liability(one.event) for one in received]
    await session.execute(insert(Liability).values(rows).on_conflict_do_nothing())


def _liability(event: DisclosureDefaulted) -> dict[str, object]:
    names = ("platform_id", "account_id", "operator_ref", "order_ref", "consumer_ref", "source")
    about = {name: getattr(event, name) for name in names}
    return {"id": event.request_id, "ground": "seller_not_disclosed", "since": event.occurred_at, **about}


HANDLERS: Handlers = {DisclosureDefaulted: on_defaulted}
