"""HTTP composition root of disputes."""

from fastapi import FastAPI

from services.disputes.routes import router
from services.disputes.settings import Settings
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    return build_app(settings, router, title="Crosswatch disputes")
