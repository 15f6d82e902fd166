"""Tables of the search among operators: what each account is and was found by, and which pieces of names are common."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class _Found:
    """Columns of what an account is found by: its firm's names, by its file and by its register; no person's.

    `own` is a name without legal form and place, `plain` all of it, both as they are compared.
    """

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


class SearchedAccount(_Found, Base):
    """What an account is found by, and since when it has been that."""

    __tablename__ = "searched_accounts"
    __table_args__ = (
        Index("ix_searched_accounts_operator_id", "operator_id"),
        Index("ix_searched_accounts_own", "own"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    held_from: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class SearchedBefore(_Found, Base):
    """What an account was found by until a file said something else; each row ends where the next one begins."""

    __tablename__ = "searched_before"
    __table_args__ = (
        Index("ix_searched_before_operator_id", "operator_id"),
        Index("ix_searched_before_own", "own"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    held_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    held_to: Mapped[datetime] = mapped_column(DateTime(timezone=True))


# What waits to be sorted in is read through by every search, so it is kept short.
_SHORT_LIST = {"gin_pending_list_limit": 512}


class NamePieces(Base):
    """Hashes of the pieces that an account's names are made of, and of its platform.

    A table of its own and not behind row-level security: PostgreSQL asks an index no question of arrays there, because
    those operators are not leakproof. What is found here is shown only by way of `searched_accounts`, which is.
    """

    __tablename__ = "name_pieces"
    __table_args__ = (Index("ix_name_pieces_pieces", "pieces", postgresql_using="gin", postgresql_with=_SHORT_LIST),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    pieces: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class NamePiecesBefore(Base):
    """The same of the names in a row of `searched_before`, and shown only by way of that."""

    __tablename__ = "name_pieces_before"
    __table_args__ = (
        Index("ix_name_pieces_before_pieces", "pieces", postgresql_using="gin", postgresql_with=_SHORT_LIST),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    held_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    pieces: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class PieceCount(Base):
    """How often a piece is in names that accounts have or had: rare ones find a name, common ones only with others."""

    __tablename__ = "name_piece_counts"

    piece: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    accounts: Mapped[int]


TABLES = (SearchedAccount, NamePieces, PieceCount)
TABLES_BEFORE = (SearchedBefore, NamePiecesBefore)
