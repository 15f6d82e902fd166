"""Alembic environment of credit."""

from services.credit import models
from shared.migrations import run_migrations

run_migrations(models.metadata)
