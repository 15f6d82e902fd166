"""HTTP composition root of listings."""

from fastapi import FastAPI

from services.listings.intake import INGEST
from services.listings.routes import router
from services.listings.settings import Settings
from shared.ingest_door import Pressure, events_router, watch
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    pressure = Pressure()
    return build_app(
        settings,
        events_router(INGEST, pressure),
        router,
        title="Crosswatch listings",
        tasks=[watch(pressure)],
    )
