"""Reviews: what is planted comes first, of whatever columns a file has, and models that never see what they score."""

from random import Random
from typing import Any

import polars as pl
import pytest

from services.risk import boosting, reviews
from services.risk.boosting import Floats, Ranked
from services.risk.reviews import FOLDS, describe, missing, rank, rank_by_earlier, rank_with_labels, read
from shared.errors import Invalid, Unavailable

DAY = 86_400.0
Review = dict[str, Any]
LETTERS = {"en": "abcdefghijklmnopqrstuvwxyz     ", "zh": "".join(map(chr, range(0x4E00, 0x4E00 + 900)))}
COPIED = {
    "en": "I bought this lamp for my reading corner; it is bright, sturdy and came within three days, well packed.",
    "zh": "这款台灯做工很扎实,光线柔和不刺眼,物流三天就到了,包装也严实,下次还会回购。",
}


def table(rows: list[Review], *without: str) -> pl.DataFrame:
    """Return reviews as they are read from a file that lacks some columns."""
    raw = pl.DataFrame([{name: str(value) for name, value in row.items() if name not in without} for row in rows])
    frame, problems = read(raw, {})
    assert problems == []
    return frame


def honest(seed: int, language: str = "en", reviewers: int = 250) -> list[Review]:
    """Return reviews of a year by reviewers of three to eight each, in words of their own."""
    random = Random(seed)
    return [
        {
            "review_id": f"honest{reviewer}-{n}",
            "user": f"honest{reviewer}",
            "prod_id": f"p{random.randrange(40)}",
            "rating": random.choice([2, 3, 3, 4, 4, 4, 5]),
            "date": random.uniform(0, 365) * DAY,
            "text": "".join(random.choices(LETTERS[language], k=random.randint(40, 120))),
        }
        for reviewer in range(reviewers)
        for n in range(random.randint(3, 8))
    ]


def burst(size: int = 15) -> list[Review]:
    """Return praise of one product within a day, by reviewers of nothing else."""
    usual = honest(8, reviewers=20)[:size]
    return [
        {
            **row,
            "review_id": f"burst{n}",
            "user": f"new{n}",
            "prod_id": "p1",
            "rating": 5,
            "date": (200 + n / size) * DAY,
        }
        for n, row in enumerate(usual)
    ]


def group(members: int = 6, products: int = 5) -> list[Review]:
    """Return reviews of the same products at about the same time by the same reviewers."""
    usual = iter(honest(9, reviewers=20))
    return [
        {
            **next(usual),
            "review_id": f"group{member}-{n}",
            "user": f"member{member}",
            "prod_id": f"p{n}",
            "rating": 4,
            "date": (30 + 60 * n + member / members) * DAY,
        }
        for n in range(products)
        for member in range(members)
    ]


def copies(language: str) -> list[Review]:
    """Return reviews of different products and times, by reviewers of several, in nearly the same words."""
    usual = honest(10, reviewers=9)
    text = COPIED[language]
    return [
        {**row, "review_id": f"copy{n}", "user": f"copier{n % 5}", "text": text[: n % 3] + text}
        for n, row in enumerate(usual[::2][:15])
    ]


def ranked_by_id(frame: pl.DataFrame, ranked: list[Ranked]) -> dict[str, Ranked]:
    return dict(zip(frame["review_ref"], ranked, strict=True))


def share_first(ranked: dict[str, Ranked], planted: list[Review]) -> float:
    ids = {row["review_id"] for row in planted}
    first = sorted(ranked, key=lambda ref: -ranked[ref].score)[: len(ids)]
    return len(ids & set(first)) / len(ids)


class TestRank:
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_puts_copies_a_burst_and_a_group_before_all_others(self, language: str) -> None:
        planted = [*burst(), *group(), *copies(language)]
        frame = table([*honest(1, language), *planted])

        ranked = ranked_by_id(frame, rank(frame))

        assert share_first(ranked, planted) > 0.9
        assert max(one.score for ref, one in ranked.items() if ref.startswith("honest0-")) < 0.95

    @pytest.mark.parametrize(
        ("planted", "said"),
        [
            (burst(), "a burst of reviews of the product"),
            (burst(), "so extreme ratings of it that day"),
            (burst(), "its reviewer has 1 in the file"),
            (group(), "5 who review it then keep reviewing what its reviewer does"),
            (copies("zh"), "14 others say nearly the same"),
        ],
    )
    def test_says_why(self, planted: list[Review], said: str) -> None:
        frame = table([*honest(2), *planted])

        ranked = ranked_by_id(frame, rank(frame))

        assert said in " ".join(ranked[planted[7]["review_id"]].reasons)

    @pytest.mark.parametrize("without", ["rating", "date", "text"])
    def test_does_with_the_columns_that_are_there(self, without: str) -> None:
        planted = burst() if without != "date" else copies("en")
        frame = table([*honest(3), *planted], without)

        assert share_first(ranked_by_id(frame, rank(frame)), planted) > 0.9
        assert {without} == {column for columns in missing(frame).values() for column in columns} - {
            "reviewer_prior",
            "review_prior",
        }

    def test_takes_a_rating_that_differs_for_more_suspicious(self) -> None:
        rows = honest(4)
        for row in rows:
            row["rating"] = 4
        rows[0]["rating"] = 1

        ranked = ranked_by_id(*(frame := table(rows, "date", "text"), rank(frame)))

        assert max(ranked, key=lambda ref: ranked[ref].score) == "honest0-0"

    @pytest.mark.parametrize("prior", ["user_prior", "review_prior"])
    def test_follows_the_priors_that_others_state(self, prior: str) -> None:
        rows = [{"user": f"u{n}", "product": f"p{n}", prior: n / 100} for n in range(100)]

        ranked = rank(table(rows))

        assert [one.score for one in ranked] == sorted(one.score for one in ranked)
        assert f"{prior.replace('user', 'reviewer')}=0.99 (one in 100)" in ranked[-1].reasons

    def test_does_not_care_for_the_order_of_rows_or_for_names(self) -> None:
        rows = [*honest(5, reviewers=60), *burst()]
        renamed = [{**row, "user": f"x{hash(row['user'])}", "prod_id": f"y{row['prod_id'][::-1]}"} for row in rows]
        Random(1).shuffle(renamed)

        one, other = (ranked_by_id(frame := table(those), rank(frame)) for those in (rows, renamed))

        assert {ref: found.score for ref, found in one.items()} == {ref: found.score for ref, found in other.items()}

    def test_scores_a_row_whose_values_are_unknown_as_an_ordinary_one(self) -> None:
        rows = [*honest(6, reviewers=60), *burst()]
        raw = pl.DataFrame([{name: str(value) for name, value in row.items()} for row in rows])
        empty = raw[:1].with_columns(pl.lit("").alias(name) for name in raw.columns)

        frame, problems = read(pl.concat([raw, empty]), {})
        ranked = rank(frame)

        assert problems == []
        assert len(ranked) == len(rows) + 1
        assert 0.1 < ranked[-1].score < 0.9

    @pytest.mark.parametrize("count", [0, 1])
    def test_is_content_with_few_rows(self, count: int) -> None:
        frame = table(honest(7))[:count]

        assert [one.score for one in rank(frame)] == [0.5] * count


class TestRead:
    def test_reads_dates_as_iso_8601_as_seconds_and_as_milliseconds(self) -> None:
        dates = ["2026-01-01", "2026-01-01T00:00:00Z", "1767225600", "1767225600000"]

        frame, problems = read(pl.DataFrame({"reviewer": ["a"] * 4, "product": ["p"] * 4, "date": dates}), {})

        assert problems == []
        assert set(frame["date"]) == {1767225600.0}

    def test_numbers_reviews_from_0_where_they_have_no_id(self) -> None:
        assert table([{"reviewer": "a", "product": "p"}] * 3)["review_ref"].to_list() == ["0", "1", "2"]

    @pytest.mark.parametrize(
        ("column", "value", "said"),
        [
            ("rating", "five", "'five' is not a number"),
            ("date", "yesterday", "'yesterday' is not a time"),
            ("review_prior", "1.5", "'1.5' is not a probability from 0 to 1"),
        ],
    )
    def test_names_what_is_wrong_with_a_value(self, column: str, value: str, said: str) -> None:
        raw = pl.DataFrame({"reviewer": ["a", "b"], "product": ["p", "p"], column: ["1", value]})

        frame, problems = read(raw, {})

        assert [(problem.row, problem.column, problem.reason) for problem in problems] == [(1, column, said)]
        assert frame[column].to_list() == [1.0, None]


@pytest.fixture
def _lightgbm() -> None:
    try:
        boosting.load()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("_lightgbm")
class TestRankWithLabels:
    def test_learns_what_labelled_reviews_have_in_common(self) -> None:
        planted = burst(60)
        frame = table([*honest(11), *planted])
        outcomes = [None if n % 3 == 0 else ref.startswith("burst") for n, ref in enumerate(frame["review_ref"])]

        ranked = ranked_by_id(frame, rank_with_labels(frame, outcomes))

        assert share_first(ranked, planted) > 0.9
        assert len(max(ranked.values(), key=lambda one: one.score).reasons) == 3

    @pytest.mark.parametrize("by_reviewer", [False, True])
    def test_no_model_scores_what_it_has_learned_from(
        self, monkeypatch: pytest.MonkeyPatch, *, by_reviewer: bool
    ) -> None:
        frame = table([*honest(12, reviewers=80), *burst(40)])
        outcomes: list[bool | None] = [ref.startswith("burst") for ref in frame["review_ref"]]
        seen = _watch(monkeypatch)

        rank_with_labels(frame, outcomes, by_reviewer=by_reviewer)

        assert len(seen) >= FOLDS
        for learned, scored in seen:
            assert learned
            assert scored
            assert not learned & scored

    def test_with_whole_reviewers_none_is_on_both_sides(self) -> None:
        frame = table([*honest(13, reviewers=80), *burst(40)])
        answers = [ref.startswith(("burst", "honest7-")) for ref in frame["review_ref"]]

        before = rank_with_labels(frame, answers, by_reviewer=True)
        own = [n for n, reviewer in enumerate(frame["reviewer"]) if reviewer == "honest7"]
        turned = [answer and (n not in own or n == own[0]) for n, answer in enumerate(answers)]
        after = rank_with_labels(frame, turned, by_reviewer=True)

        assert [before[n].score for n in own] == [after[n].score for n in own]

    def test_learns_from_the_labels_of_a_reviewers_other_reviews(self) -> None:
        rows = honest(19, reviewers=200)
        frame = table(rows, "text", "rating", "date")
        false = {f"honest{n}" for n in range(0, 200, 4)}
        truly = [row for row in rows if row["user"] in false]
        answers = [reviewer in false for reviewer in frame["reviewer"]]

        by_row, by_reviewer = (
            share_first(ranked_by_id(frame, rank_with_labels(frame, answers, by_reviewer=whole)), truly)
            for whole in (False, True)
        )

        assert by_row > 0.9
        assert by_reviewer < 0.5

    def test_wants_labels_of_both_kinds(self) -> None:
        frame = table(honest(14, reviewers=20))

        with pytest.raises(Invalid, match="0 reviews are labelled 1; it takes 5"):
            rank_with_labels(frame, [False] * frame.height)


@pytest.mark.usefixtures("_lightgbm")
class TestRankByEarlier:
    def test_scores_reviews_by_the_labels_of_other_ones(self) -> None:
        earlier = table([*honest(15), *burst(60)])
        outcomes = [ref.startswith("burst") for ref in earlier["review_ref"]]
        later = [{**row, "user": f"later-{row['user']}", "prod_id": f"p2{row['prod_id'][1:]}"} for row in burst(20)]
        frame = table([*honest(16), *later])

        ranked = rank_by_earlier(earlier, outcomes, frame)

        assert len(ranked) == frame.height
        assert share_first(ranked_by_id(frame, ranked), later) > 0.9

    def test_scores_nothing_of_an_empty_file(self) -> None:
        earlier = table([*honest(17), *burst(60)])
        outcomes = [ref.startswith("burst") for ref in earlier["review_ref"]]

        assert rank_by_earlier(earlier, outcomes, earlier.clear()) == []


class TestDescribe:
    def test_knows_nothing_of_the_label(self) -> None:
        assert "label" not in reviews.FEATURES
        described = describe(table([{**row, "label": 1} for row in honest(18, reviewers=10)]))

        assert described.columns == list(reviews.FEATURES)

    def test_leaves_a_review_itself_out_of_the_mean_of_its_product(self) -> None:
        rows = [{"reviewer": f"r{n}", "product": "p", "rating": rating} for n, rating in enumerate([1, 5, 5, 5])]

        described = describe(table(rows))

        # The mean of the three others and of five times the mean of all, which is 4.
        assert described["product_mean"].to_list() == pytest.approx([35 / 8, 31 / 8, 31 / 8, 31 / 8])


def _watch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[set[bytes], set[bytes]]]:
    """Return what each model learns from and scores, as it goes."""
    seen: list[tuple[set[bytes], set[bytes]]] = []
    train = boosting.train

    def _train(matrix: Floats, *rest: Any, **named: Any) -> Any:
        model = train(matrix, *rest, **named)
        # The last two may be what is known of others, which is not of the row itself.
        learned, scored = {row[:-2].tobytes() for row in matrix}, set[bytes]()
        seen.append((learned, scored))
        predict = model.predict

        def _predict(own: Floats, **how: Any) -> Any:
            scored.update(row[:-2].tobytes() for row in own)
            return predict(own, **how)

        model.predict = _predict
        return model

    monkeypatch.setattr(boosting, "train", _train)
    return seen
