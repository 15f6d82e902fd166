"""The services in this process: each behind its HTTP door, on a database of its own."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import msgspec
from fastapi import FastAPI

from deploy.tokens import Issuer
from services.credit.app import create_app as credit_app
from services.credit.settings import Settings as CreditSettings
from services.disputes.app import create_app as disputes_app
from services.disputes.settings import Settings as DisputesSettings
from services.gateway.app import create_app as gateway_app
from services.gateway.settings import Settings as GatewaySettings
from services.identity.app import create_app as identity_app
from services.identity.settings import Settings as IdentitySettings
from services.listings.app import create_app as listings_app
from services.listings.settings import Settings as ListingsSettings
from services.risk.app import create_app as risk_app
from services.risk.settings import Settings as RiskSettings
from shared.auth import Role
from shared.database import Sessions
from shared.events.base import Envelope, Event
from shared.messaging import unpack
from shared.process import plain_url
from shared.settings import ServiceSettings
from tests.conftest import NewSettings

_envelope = msgspec.json.Decoder(Envelope).decode

# Each service's settings, and what makes its application of them.
APPS: dict[str, tuple[type[ServiceSettings], Callable[[Any], FastAPI]]] = {
    "identity": (IdentitySettings, identity_app),
    "listings": (ListingsSettings, listings_app),
    "risk": (RiskSettings, risk_app),
    "credit": (CreditSettings, credit_app),
    "disputes": (DisputesSettings, disputes_app),
    "gateway": (GatewaySettings, gateway_app),
}


@dataclass
class Service:
    """A running application with a client, and the database behind it."""

    settings: ServiceSettings
    app: FastAPI
    client: httpx.AsyncClient
    issuer: Issuer

    @property
    def sessions(self) -> Sessions:
        """Return the sessions the application uses itself."""
        sessions: Sessions = self.app.state.sessions
        return sessions

    def bearer(self, role: Role, *, platform_id: str | None = None, subject: str | None = None) -> dict[str, str]:
        """Return the header that says who calls."""
        token = self.issuer.issue(role, platform_id=platform_id, subject=subject)
        return {"authorization": f"Bearer {token}"}

    async def get(self, path: str, role: Role = Role.REGULATOR, **who: str) -> httpx.Response:
        """Ask as a role."""
        return await self.client.get(path, headers=self.bearer(role, **who))

    async def post(self, path: str, body: object, role: Role, **who: str) -> httpx.Response:
        """Send JSON as a role, in ASCII, so that half a surrogate pair can be sent too."""
        headers = {"content-type": "application/json", **self.bearer(role, **who)}
        return await self.client.post(path, content=json.dumps(body), headers=headers)

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Return what a statement finds, every platform in sight, on a connection of its own."""
        connection = await asyncpg.connect(plain_url(self.settings.database_url))
        try:
            await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def published(self, *kinds: type[Event]) -> list[Envelope]:
        """Return what waits in the outbox of some types, in its order."""
        wanted = {kind.type for kind in kinds}
        found = []
        for row in await self.rows("SELECT body FROM outbox ORDER BY xid, id"):
            for message in unpack(row["body"]):
                event = _envelope(message.value)
                if event.type in wanted:
                    found.append(event)
        return found


OpenService = Callable[[str], Awaitable[Service]]


@asynccontextmanager
async def opening(new_settings: NewSettings, issuer: Issuer) -> AsyncIterator[OpenService]:
    """Yield what opens services by name; all close together."""
    async with AsyncExitStack() as stack:

        async def open_service(name: str) -> Service:
            kind, create_app = APPS[name]
            settings = await new_settings(kind)
            app = create_app(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            # What would be a 500 to a caller is one here too, instead of the exception behind it.
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://service", timeout=30)
            await stack.enter_async_context(client)
            return Service(settings, app, client, issuer)

        yield open_service
