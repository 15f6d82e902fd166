"""HTTP composition root of risk."""

from fastapi import FastAPI

from services.risk.routes import router
from services.risk.settings import Settings
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    return build_app(settings, router, title="Crosswatch risk")
