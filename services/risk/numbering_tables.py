"""Table of the numbers that platforms gave what they sent."""

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class SentNumbers(Base):
    """Which numbers of a platform's events a service took: `numbering.Run`s as msgpack."""

    __tablename__ = "sent_numbers"

    platform_id: Mapped[str] = mapped_column(Text, primary_key=True)
    service: Mapped[str] = mapped_column(Text, primary_key=True)
    runs: Mapped[bytes] = mapped_column(LargeBinary)
    # Gaps up to here are no longer counted: there were too many.
    forgotten_to: Mapped[int] = mapped_column(BigInteger, server_default="0")
