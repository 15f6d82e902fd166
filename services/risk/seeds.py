"""Seeds of rules and values for migrations: what the files have and the database has not."""

from pathlib import Path

from services.risk import models
from shared import seeds

_HERE = Path(__file__).parent
_KEYS: dict[str, tuple[str, dict[str, object]]] = {
    "rules": ("code", {"version": 1, "valid_from": "2016-01-01"}),
    "rule_values": ("name", {}),
}


def insert_new(table: str) -> None:
    """Insert rows of `<table>.csv` that are missing."""
    key, besides = _KEYS[table]
    seeds.insert_new(models.metadata.tables[table], _HERE / f"{table}.csv", [key], besides)
