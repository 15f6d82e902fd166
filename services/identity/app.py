"""HTTP composition root of identity."""

from fastapi import FastAPI

from services.identity import registry_routes
from services.identity.intake import INGEST
from services.identity.models import RuleValue
from services.identity.routes import router
from services.identity.settings import Settings
from shared.ingest_door import Pressure, events_router, watch
from shared.rule_door import rule_values_router
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    pressure = Pressure()
    return build_app(
        settings,
        events_router(INGEST, pressure),
        router,
        registry_routes.router,
        rule_values_router(RuleValue, tag="identity"),
        title="Crosswatch identity",
        tasks=[watch(pressure)],
    )
