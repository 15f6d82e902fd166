"""HTTP composition root of the gateway."""

from fastapi import FastAPI

from services.gateway.routes import router
from services.gateway.settings import Settings
from services.gateway.signing import Wrapping
from shared.web import build_app


def create_app(settings: Settings) -> FastAPI:
    """Return the application."""
    app = build_app(settings, router, title="Crosswatch gateway")
    app.state.wrapping = Wrapping(settings.master_key or settings.var_dir / "keys" / "gateway.key")
    app.state.allowed_hosts = settings.allowed_hosts.split(",")
    return app
