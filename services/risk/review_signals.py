"""Reviews of a day: bursts and repeated texts."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts, opinions
from services.risk.alerts import Raised, Subject
from services.risk.day_store import Days
from services.risk.decisions import decide
from shared.events.listings import ReviewRecorded


async def watch(session: AsyncSession, events: Sequence[ReviewRecorded], kept: Days) -> None:
    """Count reviews on their operator's day and raise what the rules find. Without an operator none is counted."""
    known = [(e, (e.account_id, e.occurred_at.date())) for e in events if e.account_id is not None]
    if not known:
        return
    days = await kept.take(session, {key for _, key in known})
    rows = []
    for event, key in known:
        day = days[key]
        day.add_review(event.rating, event.text_hash)
        rows.append(
            {
                "rating": event.rating,
                "text_length": event.text_length,
                "text_times_day": day.times_text(event.text_hash),
                "five_stars_day": day.five_stars,
                "reviews_day": day.reviews,
            }
        )
    found = await decide(session, "reviews", rows, [account for _, (account, _) in known])
    await kept.store(session, days)
    await opinions.record(session, [event for event, _ in known])
    raised = []
    for (event, (account, day_of)), hits in zip(known, found, strict=True):
        for hit in hits:
            text = event.text_hash if hit.rule.scope == "text_day" else ""
            subject = Subject(event.platform_id, account, None, None, event.occurred_at, f"{day_of}/{text}")
            raised.append(Raised(alerts.alert_id(hit.rule.code, subject), subject, hit))
    await alerts.raise_alerts(session, raised)
