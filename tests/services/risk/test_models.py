"""Models of declarations: learnt from stored outcomes, adopted where they find more, taken over by the worker."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from services.risk.champions import Champion
from services.risk.learning import TooFewOutcomes
from services.risk.models import Model
from services.risk.rule_values import RuleValues
from services.risk.training import TrainingUnderWay, challenge, is_due, retrain
from services.risk.triage import FEATURES
from shared.database import kept, transaction
from shared.errors import Unavailable
from shared.received import Received
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.risk.declaring import found, set_policy, stated

NOW = datetime(2026, 4, 1, tzinfo=UTC)
FIRST = date(2026, 1, 1)
A_DAY = 20


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    service = await open_service("risk")
    await set_policy(service, inspected_share=1.0, daily_cap=10_000)
    return service


async def trade(service: Service, days: int) -> None:
    """Let goods be lodged and inspected of which most that come by one office are violations: no rule looks at it."""
    random = Random(1)
    lodgings: list[Received] = []
    outcomes: list[Received] = []
    for n in range(days * A_DAY):
        violated = random.random() < 0.25
        office = "east" if violated == (random.random() < 0.95) else "west"
        on, value = FIRST + timedelta(days=n // A_DAY), random.randint(1_000, 90_000)
        lodgings.append(stated(n, lodged_on=on, office=office, value_minor=value, hs_code=f"87089{n % 5}"))
        outcomes.append(found(n, on, violated=violated))
    await handle(service, lodgings)
    await handle(service, outcomes)


async def learn(service: Service, *, now: datetime = NOW) -> Model:
    """Train, where LightGBM can be loaded."""
    try:
        return await challenge(service.sessions, now=now)
    except Unavailable as error:
        pytest.skip(error.detail)


async def scored_by(service: Service, number: int) -> str:
    """Lodge one more declaration, and return what scored it."""
    await handle(service, [stated(number, lodged_on=FIRST + timedelta(days=50))])
    (row,) = await service.rows("SELECT model FROM declarations WHERE declaration_ref = $1", f"declaration-{number}")
    return str(row["model"])


async def let_time_pass(service: Service) -> None:
    """Make what the worker knows of models and policy old."""
    async with transaction(service.sessions) as session:
        kept(session, Champion)._until = kept(session, RuleValues)._until = 0.0


class TestChallenge:
    async def test_is_adopted_where_it_finds_more_than_the_rules(self, risk: Service) -> None:
        await trade(risk, 40)

        model = await learn(risk)

        assert (model.kind, model.version, model.state) == ("declarations", 1, "champion")
        assert model.card["precision"] > model.card["incumbent_precision"]
        assert model.card["incumbent"] == "rules"
        assert (model.card["trained"]["from"], model.card["trained"]["to"]) == ("2026-01-01", "2026-01-30")
        assert (model.card["held_back"]["from"], model.card["held_back"]["outcomes"]) == ("2026-01-31", 200)
        assert set(model.card["drift"]) == set(FEATURES)
        assert sum(model.card["top_gains"].values()) == pytest.approx(1, abs=0.05)

    async def test_is_kept_as_a_candidate_where_it_finds_no_more(self, risk: Service) -> None:
        await trade(risk, 40)
        await learn(risk)

        again = await learn(risk)

        assert (again.version, again.state, again.adopted_at) == (2, "candidate", None)
        assert again.card["incumbent"] == "declarations/1"
        shown = (await risk.get("/v1/models")).json()
        assert [(one["version"], one["state"]) for one in shown] == [(2, "candidate"), (1, "champion")]

    async def test_is_refused_where_there_is_too_little_to_learn_from(self, risk: Service) -> None:
        await trade(risk, 5)

        with pytest.raises(TooFewOutcomes, match="100 inspections are known"):
            await challenge(risk.sessions, now=NOW)

    async def test_is_refused_where_there_is_nothing_at_all(self, risk: Service) -> None:
        with pytest.raises(TooFewOutcomes, match="0 inspections are known"):
            await challenge(risk.sessions, now=NOW)

    async def test_is_refused_where_only_one_kind_of_outcome_is_known(self, risk: Service) -> None:
        await trade(risk, 40)
        await risk.rows("UPDATE inspections SET result = 'conforming'")

        with pytest.raises(TooFewOutcomes, match="both violations and conforming goods"):
            await challenge(risk.sessions, now=NOW)

    async def test_is_refused_while_another_is_under_way(self, risk: Service) -> None:
        await trade(risk, 40)

        async with transaction(risk.sessions) as session:
            connection = await session.connection()
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('risk.training'))")
            with pytest.raises(TrainingUnderWay):
                await challenge(risk.sessions, now=NOW)

        assert await risk.rows("SELECT 1 FROM models") == []


class TestWorker:
    async def test_takes_a_model_over_once_it_is_adopted(self, risk: Service) -> None:
        await trade(risk, 40)
        before = await scored_by(risk, 5_000)
        await learn(risk)

        await let_time_pass(risk)

        assert (before, await scored_by(risk, 5_001)) == ("rules", "declarations/1")

    async def test_says_what_the_model_saw_in_what_is_looked_at(self, risk: Service) -> None:
        await trade(risk, 40)
        await learn(risk)
        await set_policy(risk, inspected_share=0.2, document_share=0.0, exploration_share=0.0)
        await let_time_pass(risk)
        day = FIRST + timedelta(days=50)

        known = {"lodged_on": day, "hs_code": "870891"}
        goods = [{"office": ("east", "west")[n % 2], "value_minor": 20_000 + 500 * n, **known} for n in range(40)]
        await handle(risk, [stated(5_000 + n, **one) for n, one in enumerate(goods)])

        rows = await risk.rows(
            "SELECT channel, reasons, content ->> 'office' AS office FROM declarations WHERE lodged_on = $1", day
        )
        assert {row["office"] for row in rows if row["channel"] == "inspection"} == {"east"}
        assert all(row["reasons"][0].startswith("office=east ") for row in rows if row["channel"] == "inspection")
        assert all(len(row["reasons"]) == 1 for row in rows if row["channel"] == "release")
        assert len(rows) == 40

    @pytest.mark.parametrize("broken", ["features = features[2:]", "trees = 'no trees'", "lookups = '{}'"])
    async def test_refuses_a_model_that_does_not_fit_and_goes_on(self, risk: Service, broken: str) -> None:
        await trade(risk, 40)
        await learn(risk)
        await let_time_pass(risk)
        first = await scored_by(risk, 5_000)
        await risk.rows("UPDATE models SET state = 'retired'")
        await risk.rows(
            "INSERT INTO models SELECT kind, 2, 'champion', trees, features, lookups, scores, trained_from,"
            " trained_to, outcomes, violations, card, created_at, adopted_at FROM models"
        )
        await risk.rows(f"UPDATE models SET {broken} WHERE version = 2")  # noqa: S608 - of this test's own words

        await let_time_pass(risk)
        with capture_logs() as logs:
            second = await scored_by(risk, 5_001)
            await let_time_pass(risk)
            third = await scored_by(risk, 5_002)

        assert [first, second, third] == ["declarations/1"] * 3
        refused = [line for line in logs if line["event"] == "model_refused"]
        assert [(line["log_level"], line["model"]) for line in refused] == [("error", "declarations/2")]


class TestRetraining:
    async def test_is_due_a_day_after_the_last_with_enough_found_since(self, risk: Service) -> None:
        async def due(now: datetime) -> bool:
            async with transaction(risk.sessions) as session:
                return await is_due(session, now=now)

        at_first = await due(NOW)
        await trade(risk, 40)
        with_outcomes = await due(NOW)
        await learn(risk)
        await risk.rows("UPDATE inspections SET recorded_at = $1", NOW - timedelta(hours=1))
        nothing_new = await due(NOW + timedelta(days=2))
        await risk.rows("UPDATE inspections SET recorded_at = $1", NOW + timedelta(hours=1))

        assert (at_first, with_outcomes, nothing_new) == (False, True, False)
        assert (await due(NOW + timedelta(hours=23)), await due(NOW + timedelta(hours=24))) == (False, True)

    async def test_trains_when_it_is_due_and_only_then(self, risk: Service) -> None:
        nothing = await retrain(risk.sessions, now=NOW)
        await trade(risk, 40)
        first = await retrain(risk.sessions, now=NOW)
        if first is None:
            pytest.skip("LightGBM cannot be loaded")

        assert nothing is None
        assert first.state == "champion"
        assert await retrain(risk.sessions, now=NOW + timedelta(hours=1)) is None
