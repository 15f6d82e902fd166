"""Tables of the search among operators: what each account is found by, and which pieces of names are common."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class SearchedAccount(Base):
    """What an account is found by: its firm's names, by its file and by its register; a natural person has none here.

    `own` is a name without legal form and place, `plain` all of it, both as they are compared.
    """

    __tablename__ = "searched_accounts"
    __table_args__ = (
        Index("ix_searched_accounts_operator_id", "operator_id"),
        Index("ix_searched_accounts_own", "own"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    jurisdiction: Mapped[str] = mapped_column(Text)
    entity_kind: Mapped[str] = mapped_column(Text)
    registered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    name: Mapped[str | None] = mapped_column(Text)
    own: Mapped[str | None] = mapped_column(Text)
    plain: Mapped[str | None] = mapped_column(Text)
    registered_name: Mapped[str | None] = mapped_column(Text)
    registered_own: Mapped[str | None] = mapped_column(Text)
    registered_plain: Mapped[str | None] = mapped_column(Text)


class NamePieces(Base):
    """Hashes of the pieces that an account's names are made of, and of its platform.

    A table of its own and not behind row-level security: PostgreSQL asks an index no question of arrays there, because
    those operators are not leakproof. What is found here is shown only by way of `searched_accounts`, which is.
    """

    __tablename__ = "name_pieces"
    __table_args__ = (
        # What waits to be sorted in is read through by every search, so it is kept short.
        Index(
            "ix_name_pieces_pieces",
            "pieces",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 512},
        ),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    pieces: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class PieceCount(Base):
    """How many accounts have a piece in their names: rare ones find a name, common ones only with others."""

    __tablename__ = "name_piece_counts"

    piece: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    accounts: Mapped[int]


TABLES = (SearchedAccount, NamePieces, PieceCount)
