"""Settings of listings."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `LISTINGS_*` and the variables all services share."""

    service: str = "listings"
    port: int = 8102
