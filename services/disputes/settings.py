"""Settings of disputes."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `DISPUTES_*` and the variables all services share."""

    service: str = "disputes"
    port: int = 8105
