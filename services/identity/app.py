"""HTTP composition root of identity."""

from fastapi import FastAPI

from services.identity import (
    breach_routes,
    consent_routes,
    disclosure_request_routes,
    page_routes,
    purge_routes,
    registry_routes,
    removal_routes,
    sharing_routes,
    standard_routes,
)
from services.identity.badge_routes import router as badge_router
from services.identity.badge_tally import Tally
from services.identity.intake import intake
from services.identity.models import RuleValue
from services.identity.page_doors import PageLimits, sealed_by
from services.identity.personal_routes import personal_router
from services.identity.routes import router
from services.identity.settings import Settings
from services.identity.vault import open_vault
from shared.ingest_door import Pressure, events_router, watch
from shared.rule_door import rule_values_router
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    pressure, vault, tally, limits = Pressure(), open_vault(settings), Tally(), PageLimits()
    app = build_app(
        settings,
        events_router(intake(limits).sealed_by(sealed_by(vault, settings.public_url)), pressure),
        router,
        personal_router(vault),
        badge_router,
        purge_routes.router,
        consent_routes.router,
        registry_routes.router,
        removal_routes.router,
        standard_routes.router,
        sharing_routes.router,
        breach_routes.router,
        disclosure_request_routes.router,
        page_routes.router,
        rule_values_router(RuleValue, tag="identity"),
        title="Crosswatch identity",
        tasks=[watch(pressure), vault.kept_open, tally.kept, limits.kept],
    )
    app.state.vault, app.state.tally = vault, tally
    return app
