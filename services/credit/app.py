"""HTTP composition root of credit."""

from fastapi import FastAPI

from services.credit.routes import router
from services.credit.settings import Settings
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    return build_app(settings, router, title="Crosswatch credit")
