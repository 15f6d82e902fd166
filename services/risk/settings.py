"""Settings of risk."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `RISK_*` and the variables all services share."""

    service: str = "risk"
    port: int = 8103
