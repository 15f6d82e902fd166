"""What every process needs to know to start: addresses and log level, nothing else."""

import os
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Member(NamedTuple):
    """How a consumer is known to its group.

    By a name that no other member has, one that was killed takes its place again at once; without a name it waits
    until the dead one has been silent for so long.
    """

    name: str | None = None
    session_timeout_ms: int = 6_000


ANYONE = Member()


class ServiceSettings(BaseSettings):
    """Settings of one service; a service names itself by overriding `service`."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    service: str
    database_url: str
    owner_database_url: str | None = None
    port: int = 8000
    kafka_bootstrap: str = Field("127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP")
    kafka_replication: int | None = Field(None, validation_alias="KAFKA_REPLICATION")
    kafka_member: str | None = Field(None, validation_alias="KAFKA_MEMBER")
    kafka_session_timeout_ms: int = Field(6_000, validation_alias="KAFKA_SESSION_TIMEOUT_MS")
    kafka_idempotent: bool = Field(default=False, validation_alias="KAFKA_IDEMPOTENT")
    auth_issuer: str = Field("https://crosswatch.local", validation_alias="AUTH_ISSUER")
    auth_jwks: str = Field("var/keys/jwks.json", validation_alias="AUTH_JWKS")
    log_level: str = Field("INFO", validation_alias="LOG_LEVEL")
    var_dir: Path = Field(Path("var"), validation_alias="VAR_DIR")

    @property
    def member(self) -> Member:
        """How this service's consumers are known to their groups."""
        return Member(self.kafka_member, self.kafka_session_timeout_ms)


S = TypeVar("S", bound=ServiceSettings)


def service_settings(kind: type[S]) -> S:
    """Read the settings of a service from the environment, its own behind its name: `RISK_DATABASE_URL`."""
    prefix = kind.model_fields["service"].default.upper() + "_"
    own = {k[len(prefix) :].lower(): v for k, v in os.environ.items() if k.startswith(prefix)}
    known: dict[str, Any] = {k: v for k, v in own.items() if k in kind.model_fields}
    return kind(**known)
