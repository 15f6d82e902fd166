"""HTTP composition root of risk."""

from fastapi import FastAPI

from services.risk import foresight_routes, institution_routes, key_routes
from services.risk.intake import INGEST
from services.risk.routes import router
from services.risk.settings import Settings
from shared.auth import Role
from shared.ingest_door import Pressure, events_router, watch
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    pressure = Pressure()
    return build_app(
        settings,
        events_router(INGEST, pressure, senders=(Role.PLATFORM, Role.CUSTOMS)),
        router,
        institution_routes.router,
        foresight_routes.router,
        key_routes.router,
        title="Crosswatch risk",
        tasks=[watch(pressure)],
    )
