"""Accounts among which money moves: which of them it moves through against their habits, or in circles."""

from collections.abc import Mapping

import polars as pl

from services.risk import tables
from services.risk.boosting import Ranked
from services.risk.tables import Column, Fault, Problem
from services.risk.tails import Said, combine

COLUMNS: dict[str, Column] = {
    "source": Column(pl.String, ("src", "from_account", "sender"), "Who pays", required=True),
    "target": Column(pl.String, ("dst", "to_account", "receiver"), "Who is paid", required=True),
    "amount": Column(pl.Float64, (), "Amount in one currency", required=True),
}
_FAULTS = {"amount": Fault("is not an amount from 0", ~pl.col("amount").is_finite() | (pl.col("amount") < 0))}
# Two amounts that differ by less than this share are one habit, however regular a payer is.
_SAME_AMOUNT = 0.1
_SAID: dict[str, Said] = {
    "unusual": lambda n: f"{n:.3g} transfers out or in are not what their payer usually pays",
    "repeated": lambda n: f"{n:.0f} transfers go between a pair that has others",
    "transfers": lambda n: f"{n:.0f} transfers",
}


def read(raw: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[Problem]]:
    """Return transfers as `tables.read()` reads them."""
    return tables.read(raw, COLUMNS, names, _FAULTS)


def describe(transfers: pl.DataFrame) -> pl.DataFrame:
    """Return a row an account, in the order of their names: unusual, repeated, transfers, of those it makes and gets.

    A transfer is as unusual as its amount is far from the median of its payer's amounts, in units of their median
    deviation, 0 to 1. Nothing is learned from labels; times are not needed.
    """
    known = transfers.drop_nulls(["source", "target"]).with_columns(log=(pl.col("amount") + 0.01).log())
    far = (pl.col("log") - pl.col("log").median().over("source")).abs()
    usual = far.median().over("source")
    # 1.4826: the median deviation of a normal distribution is a standard deviation divided by it.
    beyond = (far / (1.4826 * usual + _SAME_AMOUNT) - 2).clip(0) / 2
    judged = known.with_columns(far=far).with_columns(
        unusual=(1 - (-beyond).exp()).fill_null(0.0),
        repeated=(pl.len().over("source", "target") > 1).cast(pl.Float64),
    )
    ends = pl.concat(judged.select(pl.col(end).alias("account"), "unusual", "repeated") for end in ("source", "target"))
    return (
        ends.group_by("account", maintain_order=True)
        .agg(pl.sum("unusual"), pl.sum("repeated"), pl.len().cast(pl.Float64).alias("transfers"))
        .sort("account")
    )


def rank(transfers: pl.DataFrame) -> dict[str, Ranked]:
    """Score every account by how seldom its signals are so high together."""
    signals = describe(transfers)
    return dict(zip(signals["account"], combine(signals, _SAID), strict=True))
