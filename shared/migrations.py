"""Alembic for every service: one history each, the messaging tables in all of them."""

from pathlib import Path

import sqlalchemy
from alembic import command, context, op
from alembic.config import Config
from sqlalchemy import MetaData

from shared import messaging

_ROOT = Path(__file__).resolve().parent.parent


def alembic_config(service: str, url: str) -> Config:
    """Return the configuration of a database's history, the owner's role in the URL.

    A second database of a service, `identity_keys`, has its history in `identity/keys_migrations`.
    """
    config = Config()
    name, _, part = service.partition("_")
    folder = f"{part}_migrations" if part else "migrations"
    config.set_main_option("script_location", str(_ROOT / "services" / name / folder))
    config.set_main_option("sqlalchemy.url", sync_url(url).replace("%", "%%"))
    return config


def upgrade(service: str, url: str) -> None:
    """Bring a service's database to its newest migration."""
    command.upgrade(alembic_config(service, url), "head")


def sync_url(url: str) -> str:
    """Return the URL for Alembic's blocking driver."""
    return url.replace("postgresql+asyncpg://", "postgresql+psycopg://")


def run_migrations(*metadata: MetaData, sends: bool = True) -> None:
    """Run migrations from an `env.py`; a database that `sends` nothing has no tables of messaging."""
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None, "alembic_config() sets it"
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=[*metadata, *([messaging.metadata] if sends else [])])
        with context.begin_transaction():
            connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
            context.run_migrations()
    engine.dispose()


def create_messaging_tables() -> None:
    """Create outbox, positions and quarantine, in a service's first migration."""
    messaging.metadata.create_all(op.get_bind())
    # Outbox bodies are compressed before they come; compressing them again costs and gains nothing.
    op.execute("ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE applied_batches ALTER COLUMN positions SET STORAGE EXTERNAL")


def drop_messaging_tables() -> None:
    """Undo `create_messaging_tables()`."""
    messaging.metadata.drop_all(op.get_bind())
