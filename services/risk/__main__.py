"""`python -m services.risk api|worker|relay`."""

import asyncio

from services.risk.app import create_app
from services.risk.settings import Settings
from services.risk.worker import work
from shared.process import main, relay, serve
from shared.settings import service_settings


async def run(role: str, stop: asyncio.Event) -> None:
    """Run one role until told to stop."""
    settings = service_settings(Settings)
    if role == "api":
        await serve(create_app(settings), settings.port, stop)
    elif role == "relay":
        await relay(settings, stop)
    else:
        await work(settings, stop)


if __name__ == "__main__":
    main("risk", run)
