"""Alembic environment of gateway."""

from services.gateway import models
from shared.migrations import run_migrations

run_migrations(models.metadata)
