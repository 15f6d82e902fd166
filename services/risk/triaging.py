"""Declarations that come in: scored, channelled within the day's inspections, told; outcomes that come back: learnt."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec
import numpy as np
import polars as pl
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import inspection_days, likeness, lodgings, registered, standings
from services.risk.boosting import Floats, Ranked
from services.risk.champions import KIND, Champion
from services.risk.channels import LEAST_SCORES, Candidates, Decision, decide, draw
from services.risk.declarations import frame_of, keys_of
from services.risk.inspection_days import RecentScores
from services.risk.likeness import Learnt
from services.risk.lodgings import Standing, Verdict
from services.risk.models import DrawKey
from services.risk.rule_values import RuleValues
from services.risk.triage import Earlier, Triage, value_sums
from shared.database import kept
from shared.events.customs import DeclarationLodged
from shared.events.risk import Channel, DeclarationChannelled
from shared.messaging import publish
from shared.received import Received

Standings = Mapping[UUID, Standing]
_NOT_AMONG_THE_HIGHEST = "not among the highest scores of its day"
_ORDER: tuple[Channel, ...] = ("release", "document_check", "inspection")


class Scored(NamedTuple):
    """A declaration that was lodged or stated anew, with all that its channel depends on."""

    standing: Standing
    before: Standing
    lodged: DeclarationLodged
    value: float | None
    described: list[float]
    ranked: Ranked
    inspected_first: bool

    @property
    def is_settled(self) -> bool:
        """Tell whether it is inspected whatever it scores: it spends nothing of the day."""
        return self.inspected_first or self.channel_before == "inspection"

    @property
    def verdict(self) -> Verdict:
        """Return how it was channelled, once it is."""
        assert self.standing.verdict is not None, "it is channelled by then"
        return self.standing.verdict

    @property
    def channel_before(self) -> Channel | None:
        """Return what customs was told before."""
        return self.before.verdict.channel if self.before.verdict is not None else None


class Batch(NamedTuple):
    """What was lodged or stated anew at once, as it stood before, and which of it customs had inspected by then."""

    lodged: Sequence[Standing]
    before: Standings
    inspected_first: Collection[UUID]


class Secret:
    """The key that draws are made with, read once."""

    def __init__(self) -> None:
        self._key = b""

    async def key(self, session: AsyncSession) -> bytes:
        """Return the key."""
        if not self._key:
            self._key = (await session.execute(select(DrawKey.key).where(DrawKey.name == KIND))).scalar_one()
        return self._key


async def record(session: AsyncSession, received: Sequence[Received]) -> None:
    """Merge a batch of what was stated, learn from outcomes, channel what is new and publish that."""
    values, champion = kept(session, RuleValues), kept(session, Champion)
    await values.refresh(session)
    await champion.refresh(session)
    standings = await lodgings.load(session, received)
    before = {identifier: copy(one) for identifier, one in standings.items()}
    inspected_first = lodgings.merge(standings, received)
    changed = [one for one in standings.values() if one != before[one.id]]
    await likeness.learn(session, _learnt(changed, values), _learnt([before[one.id] for one in changed], values))
    lodged = [one for one in changed if one.lodged != before[one.id].lodged]
    batch = Batch(lodged, before, inspected_first)
    scored = await _score(session, batch, values, champion) if lodged else []
    by_day: dict[date, list[Scored]] = defaultdict(list)
    for one in scored:
        by_day[one.lodged.lodged_on].append(one)
    for day in sorted(by_day):
        await _channel(session, day, by_day[day], values, champion)
    await _explain(champion.triage, scored)
    await lodgings.store(session, changed, before)
    await registered.look(session, [one.id for one in lodged])
    await publish(session, [_told(one.standing) for one in scored], source="risk")


def _learnt(standings: Sequence[Standing], values: RuleValues) -> list[Learnt]:
    """Return the outcomes that count: of goods that were declared, as customs itself found them."""
    known = [
        (one.lodged, one.inspected)
        for one in standings
        if one.lodged is not None and one.inspected is not None and one.inspected.by_customs
    ]
    keys = keys_of(_frame([lodged for lodged, _ in known], values))
    return [
        Learnt(own, likeness.counts_from(lodged.lodged_on, found.inspected_on), found.result == "violation")
        for own, (lodged, found) in zip(keys, known, strict=True)
    ]


async def _score(session: AsyncSession, batch: Batch, values: RuleValues, champion: Champion) -> list[Scored]:
    before = batch.before
    lodged = [(one, one.lodged) for one in batch.lodged if one.lodged is not None]
    frame = _frame([event for _, event in lodged], values)
    wanted = list(zip(keys_of(frame), frame["lodged_on"], strict=True))
    described = await likeness.described(session, wanted)
    earlier = await likeness.values_of(session, frame["hs_code"])
    stated_before = [event for one, _ in lodged if (event := before[one.id].lodged) is not None]
    await likeness.add_values(session, value_sums(frame), value_sums(_frame(stated_before, values)))
    # The trees of a model take a core for a while; the consumer goes on answering the broker.
    ranked = await asyncio.to_thread(_ranked, champion.triage, frame, described, earlier)
    return [
        Scored(one, before[one.id], event, value, row.tolist(), own, one.id in batch.inspected_first)
        for (one, event), value, row, own in zip(lodged, frame["value"], described, ranked, strict=True)
    ]


def _ranked(triage: Triage, frame: pl.DataFrame, described: Floats, earlier: Earlier) -> list[Ranked]:
    if triage.has_model:
        return [Ranked(score, []) for score in triage.scores(frame, described).tolist()]
    return triage.score(frame, described, earlier)


async def _explain(triage: Triage, scored: Sequence[Scored]) -> None:
    """Add what a model saw in those that are looked at: it costs a hundred times what the score does."""
    if not triage.has_model:
        return
    looked_at = []
    for one in scored:
        if one.verdict.channel == "release":
            one.standing.verdict = msgspec.structs.replace(one.verdict, reasons=[_NOT_AMONG_THE_HIGHEST])
        else:
            looked_at.append(one)
    if not looked_at:
        return
    frame = frame_of([lodgings.goods(one.lodged, one.value) for one in looked_at])
    described = np.array([one.described for one in looked_at], dtype=np.float64)
    explained = await asyncio.to_thread(triage.score, frame, described)
    for one, own in zip(looked_at, explained, strict=True):
        reasons = [*one.verdict.reasons, *own.reasons]
        one.standing.verdict = msgspec.structs.replace(one.verdict, reasons=reasons)


async def _channel(
    session: AsyncSession, day: date, scored: Sequence[Scored], values: RuleValues, champion: Champion
) -> None:
    """Decide about what was lodged on one day, within what is left of its inspections."""
    policy, key = values.policy(day), await kept(session, Secret).key(session)
    news = sum(one.before.lodged is None for one in scored)
    recent = await _recent(session, day, values, champion)
    state = await inspection_days.lock(session, day, news=news, policy=policy, key=key)
    draws = {one.standing.id: draw(key, one.standing.id, "explore") for one in scored}
    undecided = [one for one in scored if not one.is_settled]
    times = await standings.inspected_times(session, [one.standing.account for one in undecided], values, day)
    candidates = Candidates(
        np.array([one.ranked.score for one in undecided], dtype=np.float64),
        np.array([draws[one.standing.id] for one in undecided], dtype=np.float64),
        np.array([draw(key, one.standing.id, "tie") for one in undecided], dtype=np.float64),
        np.array(times, dtype=np.float64),
        news,
    )
    decisions = decide(policy, state, candidates, recent)
    await inspection_days.spend(session, day, decisions, policy)
    decided = {one.standing.id: decision for one, decision in zip(undecided, decisions, strict=True)}
    for one in scored:
        identifier = one.standing.id
        one.standing.verdict = _verdict(one, decided.get(identifier), champion.name, draws[identifier])


async def _recent(session: AsyncSession, day: date, values: RuleValues, champion: Champion) -> Floats:
    recent = await kept(session, RecentScores).of(session, day, model=champion.name, policy=values.policy(day))
    return champion.reference if len(recent) < LEAST_SCORES <= len(champion.reference) else recent


def _verdict(one: Scored, decision: Decision | None, model: str, own_draw: float) -> Verdict:
    score, reasons = one.ranked
    explored, probability = False, None
    channel: Channel = "inspection"
    if decision is not None:
        # What customs was told is not taken back: a channel only ever becomes a stricter one.
        channel = max(decision.channel, one.channel_before or "release", key=_ORDER.index)
        explored, probability = decision.explored, decision.probability
        if explored:
            reasons = [f"drawn at random (probability {probability:.4f})", *reasons]
    elif one.before.verdict is not None:
        explored, probability = one.before.verdict.explored, one.before.verdict.selection_probability
        reasons = ["in inspection since it was first stated", *reasons]
    else:
        reasons = ["inspected before it was lodged", *reasons]
    return Verdict(
        value=one.value,
        described=one.described,
        channel=channel,
        score=score,
        reasons=reasons,
        model=model,
        explored=explored,
        selection_probability=probability,
        draw=own_draw,
        policy_on=one.lodged.lodged_on,
    )


def _told(one: Standing) -> DeclarationChannelled:
    lodged, verdict, account = one.lodged, one.verdict, one.account
    assert lodged is not None, "it was channelled, so it was lodged"
    assert verdict is not None, "as above"
    assert account is not None, "as above"
    assert one.lodged_at is not None, "as above"
    return DeclarationChannelled(
        occurred_at=one.lodged_at,
        declaration_id=one.id,
        account_id=account,
        platform_id=one.platform_id,
        declaration_ref=one.declaration_ref,
        channel=verdict.channel,
        score=verdict.score,
        reasons=verdict.reasons,
        explored=verdict.explored,
        selection_probability=verdict.selection_probability,
        model=verdict.model,
        policy_on=verdict.policy_on,
        lodged_on=lodged.lodged_on,
        hs_code=lodged.hs_code,
        origin_country=lodged.origin_country,
        value_minor=lodged.value_minor,
        currency=lodged.currency,
    )


def _frame(events: Sequence[DeclarationLodged], values: RuleValues) -> pl.DataFrame:
    """Return declarations as the detector reads them, their values in one currency."""
    worth = [values.comparable(event.value_minor, event.currency, event.lodged_on) for event in events]
    return frame_of([lodgings.goods(event, value) for event, value in zip(events, worth, strict=True)])
