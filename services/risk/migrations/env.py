"""Alembic environment of risk."""

from services.risk import models
from shared import ingest_store
from shared.migrations import run_migrations

run_migrations(models.metadata, ingest_store.metadata)
