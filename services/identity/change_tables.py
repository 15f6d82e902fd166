"""Table of what the newest files say, field by field, in a form by which only changes can be told."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class FileDigest(Base):
    """Keyed hashes of the fields of an account's newest file: personal values cannot be read from it, nor tried."""

    __tablename__ = "file_digests"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    digests: Mapped[dict[str, str]] = mapped_column(JSONB)
