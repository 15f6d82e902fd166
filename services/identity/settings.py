"""Settings of identity."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `IDENTITY_*` and the variables all services share."""

    service: str = "identity"
    port: int = 8101
