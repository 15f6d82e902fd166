"""Alembic environment of identity's keys."""

from services.identity import key_store
from shared.migrations import run_migrations

run_migrations(key_store.metadata, sends=False)
