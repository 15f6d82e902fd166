"""Tables of the second stage: the state of keys, a slot at a time, as snapshots and what came after them."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, LargeBinary, SmallInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class WindowSlot(Base):
    """How many batches a slot has taken in, and when it took in the last one."""

    __tablename__ = "window_slots"

    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    moved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class WindowSnapshot(Base):
    """A slot's state after `version` batches."""

    __tablename__ = "window_snapshots"

    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    keys: Mapped[int]
    evicted: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    taken_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class WindowBatch(Base):
    """What a slot took in as its `version`th batch, as columns; gone once a snapshot has it."""

    __tablename__ = "window_batches"

    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
