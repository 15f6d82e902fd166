"""Alembic environment of identity."""

from services.identity import models
from shared import clock_store, ingest_store
from shared.migrations import run_migrations

run_migrations(models.metadata, ingest_store.metadata, clock_store.metadata)
