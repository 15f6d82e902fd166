"""Alembic environment of disputes."""

from services.disputes import models
from shared.migrations import run_migrations

run_migrations(models.metadata)
