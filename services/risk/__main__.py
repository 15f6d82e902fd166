"""`python -m services.risk api|worker|relay|patrol`."""

import asyncio
import os

from services.risk import chance_training, chancing, foresight_training, habit_training, training
from services.risk.app import create_app
from services.risk.bookkeeping import keep_books
from services.risk.patrol import patrol
from services.risk.settings import Settings
from services.risk.worker import consumers
from shared.database import make_engine, make_sessions
from shared.process import consume, main, relay, serve
from shared.settings import service_settings


async def run(role: str, stop: asyncio.Event) -> None:
    """Run one role until told to stop."""
    settings = service_settings(Settings)
    if role == "api":
        await serve(create_app(settings), settings.port, stop)
    elif role == "relay":
        await relay(settings, stop)
    elif role == "patrol":
        # It has time: whatever else runs here goes first.
        os.nice(10)
        sessions = make_sessions(make_engine(settings.database_url, pool_size=2))
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_books(sessions, stop))
            group.create_task(patrol(sessions, stop))
            group.create_task(chancing.keep_scoring(sessions, stop))
            trainings = (
                training.retrain,
                foresight_training.retrain,
                habit_training.retrain,
                chance_training.retrain,
            )
            group.create_task(training.retrain_daily(sessions, stop, trainings))
    else:
        await consume(consumers(settings), stop)


if __name__ == "__main__":
    main("risk", run, "patrol")
