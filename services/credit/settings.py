"""Settings of credit."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `CREDIT_*` and the variables all services share."""

    service: str = "credit"
    port: int = 8104
