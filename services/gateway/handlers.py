"""Door 2: what departments and platforms are told of."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway import notices
from shared.consumer import Handlers
from shared.events.credit import LevelChanged
from shared.events.identity import FileChanged, OperatorLinked
from shared.events.risk import AlertRaised, AlertWithdrawn, DeclarationChannelled
from shared.received import Received


async def on_linked(session: AsyncSession, received: Sequence[Received]) -> None:
    """Remember whose accounts they are."""
    await notices.link(session, [one.event for one in received])


async def on_news(session: AsyncSession, received: Sequence[Received]) -> None:
    """Queue notices for every endpoint that wants them."""
    await notices.queue(session, received)


HANDLERS: Handlers = {
    OperatorLinked: on_linked,
    LevelChanged: on_news,
    AlertRaised: on_news,
    AlertWithdrawn: on_news,
    DeclarationChannelled: on_news,
    FileChanged: on_news,
    **dict.fromkeys(notices.FOR_PLATFORMS, on_news),
}
