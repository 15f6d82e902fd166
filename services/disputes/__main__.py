"""`python -m services.disputes api|worker|relay`."""

import asyncio

from services.disputes.app import create_app
from services.disputes.settings import Settings
from services.disputes.worker import consumers
from shared.process import consume, main, relay, serve
from shared.settings import service_settings


async def run(role: str, stop: asyncio.Event) -> None:
    """Run one role until told to stop."""
    settings = service_settings(Settings)
    if role == "api":
        await serve(create_app(settings), settings.port, stop)
    elif role == "relay":
        await relay(settings, stop)
    else:
        await consume(consumers(settings), stop)


if __name__ == "__main__":
    main("disputes", run)
