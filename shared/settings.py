"""What every process needs to know to start: addresses and log level, nothing else."""

import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings of one service; a service names itself by overriding `service`."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    service: str
    database_url: str
    owner_database_url: str | None = None
    port: int = 8000
    kafka_bootstrap: str = Field("127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP")
    kafka_replication: int = Field(1, validation_alias="KAFKA_REPLICATION")
    kafka_idempotent: bool = Field(default=False, validation_alias="KAFKA_IDEMPOTENT")
    auth_issuer: str = Field("https://crosswatch.local", validation_alias="AUTH_ISSUER")
    auth_jwks: str = Field("var/keys/jwks.json", validation_alias="AUTH_JWKS")
    log_level: str = Field("INFO", validation_alias="LOG_LEVEL")
    var_dir: Path = Field(Path("var"), validation_alias="VAR_DIR")


S = TypeVar("S", bound=ServiceSettings)


def service_settings(kind: type[S]) -> S:
    """Read the settings of a service from the environment, its own behind its name: `RISK_DATABASE_URL`."""
    prefix = kind.model_fields["service"].default.upper() + "_"
    own = {k[len(prefix) :].lower(): v for k, v in os.environ.items() if k.startswith(prefix)}
    known: dict[str, Any] = {k: v for k, v in own.items() if k in kind.model_fields}
    return kind(**known)
