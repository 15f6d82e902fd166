"""`python -m services.disputes api|worker|relay`. Nothing is consumed here yet: the worker only waits."""

import asyncio

from services.disputes.app import create_app
from services.disputes.settings import Settings
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
        await stop.wait()


if __name__ == "__main__":
    main("disputes", run)
