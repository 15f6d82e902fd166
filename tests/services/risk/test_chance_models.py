"""Models of which alerts are confirmed: learnt from verdicts, adopted where they are better, refused where broken."""

from datetime import timedelta

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from deploy.commands import risk as commands
from deploy.commands import screen
from services.risk import chance_training
from services.risk.chances import FEATURES
from services.risk.learning import TooFewOutcomes
from shared.identifiers import derived_id
from tests.services.doors import OpenService, Service
from tests.services.risk.judged import FIRST, NOW, history, learn, raised, score, told, waiting

BROKEN = (
    "UPDATE models SET features = features[2:]",
    "UPDATE models SET features = features[2:] || features[1:1]",
    "UPDATE models SET trees = 'none'",
    "UPDATE models SET lookups = '{}'",
    """UPDATE models SET lookups = '{"vocabularies": {"rule": {}}}'""",
)


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


class TestModel:
    async def test_is_none_without_enough_verdicts_and_says_so(self, risk: Service) -> None:
        await raised(risk, history(199))
        await score(risk)

        with pytest.raises(TooFewOutcomes, match="199 alerts are confirmed or false; 200 are learnt from"):
            await learn(risk)
        with capture_logs() as logs:
            assert await chance_training.retrain(risk.sessions, now=NOW) is None
        assert [one["event"] for one in logs] == []
        assert {one["chance_confirmed"] for one in await told(risk)} == {None}

    async def test_does_not_learn_from_verdicts_to_come(self, risk: Service) -> None:
        await raised(risk, history(400))
        await score(risk)

        with pytest.raises(TooFewOutcomes, match="157 alerts"):
            await learn(risk, now=FIRST + timedelta(days=40))

    async def test_is_adopted_where_it_tells_better_than_the_precision_of_rules(self, risk: Service) -> None:
        await raised(risk, history(400))
        await score(risk)

        model = await learn(risk)

        card = model.card
        assert (model.kind, model.version, model.state, model.features) == ("alerts", 1, "champion", list(FEATURES))
        assert card["average_precision"] > card["average_precision_by_rule"] + 0.1
        assert card["brier"] < card["brier_by_rule"]
        assert (card["incumbent"], card["incumbent_brier"]) == ("rule_precision", card["brier_by_rule"])
        assert (card["trained"]["outcomes"], card["held_back"]["outcomes"]) == (300, 100)
        assert card["trained"]["to"] <= card["held_back"]["from"]
        assert 0 <= card["score_drift"] < 0.5
        assert set(card["drift"]) == set(FEATURES)
        assert next(iter(card["top_gains"])) in ("over_most", "over_least")
        with screen.console.capture() as printed:
            commands._show(model)
        assert "alerts/1: champion" in printed.get()
        assert "average precision, precision of rules" in printed.get()
        (shown,) = (await risk.get("/v1/models")).json()
        assert (shown["kind"], shown["card"]["brier"]) == ("alerts", card["brier"])

    async def test_is_a_candidate_where_it_tells_no_better(self, risk: Service) -> None:
        await raised(risk, [*history(400, noise=True), *waiting(3)])
        await score(risk)

        assert (await learn(risk)).state == "candidate"
        await score(risk)
        assert {one["chance_confirmed"] for one in await told(risk)} == {None}

    async def test_gives_way_only_to_a_better_one(self, risk: Service) -> None:
        await raised(risk, history(400))
        await score(risk)
        await learn(risk)

        again = await learn(risk)

        assert (again.version, again.state, again.card["incumbent"]) == (2, "candidate", "alerts/1")
        assert again.card["incumbent_average_precision"] == again.card["average_precision"]
        assert 0 <= again.card["incumbent_score_drift"] < 0.5

    async def test_goes_when_it_is_no_better_any_more(self, risk: Service) -> None:
        await raised(risk, [*history(400), *waiting(3)])
        chancer = await score(risk)
        await learn(risk)
        await score(risk, chancer)
        with_chance = [one["chance_by"] for one in await told(risk, "&order=chance")]
        await risk.rows("UPDATE alerts SET verdict = CASE WHEN known[4] > 1 THEN 'false_alarm' ELSE 'confirmed' END")
        await risk.rows("UPDATE alerts SET verdict = NULL WHERE raised_at = $1", NOW - timedelta(hours=1))
        await risk.rows("UPDATE alerts SET known = NULL WHERE verdict IS NOT NULL")
        await score(risk, chancer)

        later = await learn(risk)
        await score(risk, chancer)

        assert with_chance == ["alerts/1"] * 3
        states = {one["version"]: one["state"] for one in (await risk.get("/v1/models")).json()}
        assert states[1] == "retired"
        expected = f"alerts/{later.version}" if later.state == "champion" else None
        assert {one["chance_by"] for one in await told(risk, "&order=chance")} == {expected}

    async def test_is_learnt_once_a_day_where_enough_was_judged_since(self, risk: Service) -> None:
        await raised(risk, history(400))
        await score(risk)

        first = await chance_training.retrain(risk.sessions, now=NOW)
        soon = await chance_training.retrain(risk.sessions, now=NOW + timedelta(hours=23))
        idle = await chance_training.retrain(risk.sessions, now=NOW + timedelta(days=3))
        late = NOW + timedelta(days=2)
        more = [
            {**one, "id": derived_id("more", n), "at": late, "judged_at": late}
            for n, one in enumerate(history(50, seed=9))
        ]
        await raised(risk, more)
        await score(risk)
        again = await chance_training.retrain(risk.sessions, now=NOW + timedelta(days=3))

        assert first is not None
        assert (soon, idle) == (None, None)
        assert again is not None
        assert again.version == 2

    @pytest.mark.parametrize("broken", BROKEN)
    async def test_that_is_of_other_features_is_refused(self, risk: Service, broken: str) -> None:
        await raised(risk, [*history(400), *waiting(3)])
        await score(risk)
        await learn(risk)
        await risk.rows(broken)

        with capture_logs() as logs:
            await score(risk)

        assert [one["model"] for one in logs if one["event"] == "model_refused"] == ["alerts/1"]
        assert {one["chance_confirmed"] for one in await told(risk)} == {None}
