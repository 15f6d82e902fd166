"""Accounts that merchants open on a platform, and those among them that hide something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random

import msgspec

from shared.events.platform import Contacts, Licence, OperatorChanged, OperatorRegistered, Qualification, Registration
from simulator.categories import CATEGORIES
from simulator.entities import Entity, company_name, entity, person_name
from simulator.platforms import Platform
from simulator.registrations import registration, with_wrong_check_digit
from simulator.timeline import DAY_MS, HOUR_MS, NEVER, Timeline, moment
from simulator.truth import Planted

FEWEST_ACCOUNTS = 12
_SELLS_EVERYWHERE = 0.12
_OPENS_ON_FIRST_DAY = 0.75
_MOVES = 0.05


@dataclass(frozen=True, kw_only=True)
class Account:
    """A merchant's account: its file, what it sells and how it behaves. It trades until `closed_ms`."""

    file: OperatorRegistered
    categories: tuple[int, ...]
    registered_ms: int
    closed_ms: int = NEVER
    popularity: float
    misconduct: float
    listings: int
    # What its offers claim, by number; 0 is nothing. How much more often than others its buyers complain.
    claims: int = 0
    disappoints: float = 0.0


@dataclass(kw_only=True)
class Accounts:
    """All accounts of a platform, and the places of those that take part in schemes."""

    everyone: list[Account]
    ring_shops: list[int] = field(default_factory=list)
    review_buyers: list[int] = field(default_factory=list)
    claimants: list[int] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)


class _Opening:
    """Draws the accounts of one platform from its own seeded generator."""

    def __init__(self, platform: Platform, *, seed: int, timeline: Timeline) -> None:
        self.platform = platform
        self.seed = seed
        self.timeline = timeline
        self.today: date = moment(timeline.start_ms).date()
        self.draw = Random(f"{seed}/{platform.id}/accounts")
        self.tag = tag_of(seed)

    def ref(self, place: int) -> str:
        return f"{self.platform.prefix.lower()}-{self.tag}-{place:05d}"

    def account(self, place: int, *, rank: int) -> Account:
        draw = self.draw
        owner = self._owner(place)
        count = draw.choice((1, 1, 2, 2, 3))
        categories = tuple(sorted(draw.sample(range(len(CATEGORIES)), count)))
        return Account(
            file=_file(self.ref(place), owner, categories, self.platform),
            categories=categories,
            registered_ms=self._opening_ms(),
            popularity=(rank + 1) ** -0.9,
            misconduct=draw.random() ** 4 * 0.5,
            listings=1 + min(int(draw.expovariate(0.25)), 25),
        )

    def _owner(self, place: int) -> Entity:
        # Some firms sell on every platform. Who they are depends on the seed alone, so all platforms agree.
        firm = Random(f"{self.seed}/firms/{place}")
        if firm.random() < _SELLS_EVERYWHERE:
            return entity("CN", firm, today=self.today)
        countries = [country for country, _ in self.platform.countries]
        weights = [weight for _, weight in self.platform.countries]
        country = self.draw.choices(countries, weights)[0]
        return entity(country, self.draw, today=self.today)

    def _opening_ms(self) -> int:
        if self.draw.random() < _OPENS_ON_FIRST_DAY:
            return self.timeline.start_ms + self.draw.randrange(12 * HOUR_MS)
        return self.timeline.start_ms + self.draw.randrange(18 * DAY_MS)


def tag_of(seed: int) -> str:
    """Return what makes references of a seed its own: two simulations must not register different firms as one."""
    return f"{Random(f'{seed}/operators').getrandbits(16):04x}"


def open_accounts(platform: Platform, *, seed: int, count: int, timeline: Timeline) -> Accounts:
    """Return the accounts of a platform with Zipf-like popularity, the hidden ones among them."""
    opening = _Opening(platform, seed=seed, timeline=timeline)
    count = max(count, FEWEST_ACCOUNTS)
    ranks = opening.draw.sample(range(count), count)
    accounts = Accounts(everyone=[opening.account(place, rank=rank) for place, rank in enumerate(ranks)])
    places = opening.draw.sample(range(count), count)
    accounts.ring_shops = [places.pop() for _ in range(1 + count // 80)]
    accounts.review_buyers = [places.pop() for _ in range(1 + count // 100)]
    for place in accounts.ring_shops + accounts.review_buyers:
        accounts.everyone[place] = _small_early_shop(accounts.everyone[place], timeline)
    _hide_unlicensed(accounts, opening, [places.pop() for _ in range(3 + count // 50)])
    _ban_and_return(accounts, opening, [places.pop() for _ in range(1 + count // 120)])
    accounts.claimants = [places.pop() for _ in range(3 * (2 + count // 40))]
    return accounts


def changed_files(accounts: Accounts, *, seed: int, timeline: Timeline) -> list[tuple[int, OperatorChanged]]:
    """Return the later changes of files: some merchants move to another address."""
    draw = Random(f"{seed}/moves")
    changes = []
    for account in accounts.everyone:
        at_ms = account.registered_ms + draw.randrange(DAY_MS, 25 * DAY_MS)
        if draw.random() < _MOVES and at_ms < min(account.closed_ms, timeline.end_ms):
            old = account.file.contacts or Contacts()
            new = msgspec.structs.replace(old, address=f"{draw.randrange(1, 900)}, {old.address}")
            fields = msgspec.structs.asdict(account.file) | {"contacts": new}
            changes.append((at_ms, OperatorChanged(**fields)))
    return changes


def returns_elsewhere(accounts: Mapping[str, Sequence[Account]]) -> list[Planted]:
    """Return the accounts that firms which sell everywhere open on a platform after another one has banned them."""
    banned = {
        (account.file.jurisdiction, account.file.registration): (platform_id, account.closed_ms)
        for platform_id, everyone in accounts.items()
        for account in everyone
        if account.closed_ms < NEVER
    }
    planted = []
    for platform_id, everyone in accounts.items():
        for account in everyone:
            by, at_ms = banned.get((account.file.jurisdiction, account.file.registration), (platform_id, NEVER))
            if by != platform_id and account.registered_ms > at_ms:
                planted.append(
                    Planted(
                        scheme="banned_returns",
                        platform_id=platform_id,
                        operator_refs=[account.file.operator_ref],
                        strength="strong",
                        note=f"banned by {by}, opened here under the same registration",
                    )
                )
    return planted


def _file(ref: str, owner: Entity, categories: Sequence[int], platform: Platform) -> OperatorRegistered:
    scope = [CATEGORIES[place].name for place in categories]
    return OperatorRegistered(
        operator_ref=ref,
        legal_name=owner.legal_name,
        entity_type=owner.entity_type,
        jurisdiction=owner.country,
        registration=owner.registration,
        licence=msgspec.structs.replace(owner.licence, scope=scope),
        qualifications=_qualifications(owner, categories),
        representative=owner.representative,
        contacts=owner.contacts,
        bank_accounts=[owner.bank_account],
        devices=[owner.device],
        customs_registration=owner.customs_registration,
        shop_urls=[f"https://{platform.id}.example/shops/{ref}"],
    )


def _qualifications(owner: Entity, categories: Sequence[int]) -> list[Qualification]:
    """Return what an honest firm of China holds beside its licence, for as long as that is in force."""
    kinds = sorted({CATEGORIES[place].qualification for place in categories} - {""}) if owner.country == "CN" else []
    return [
        Qualification(kind=kind, number=f"{owner.licence.number}-{kind[:2]}", expires_on=owner.licence.expires_on)
        for kind in kinds
    ]


def _small_early_shop(account: Account, timeline: Timeline) -> Account:
    opened_ms = min(account.registered_ms, timeline.start_ms + HOUR_MS)
    return replace(account, popularity=0.002, registered_ms=opened_ms)


def _hide_unlicensed(accounts: Accounts, opening: _Opening, places: Sequence[int]) -> None:
    faults = (_without_licence, _with_expired_licence, _with_wrong_number)
    for turn, place in enumerate(places):
        fault = faults[turn % len(faults)]
        account = accounts.everyone[place]
        file, note = fault(account.file, opening)
        accounts.everyone[place] = replace(account, file=file, misconduct=account.misconduct + 0.1)
        accounts.planted.append(
            Planted(
                scheme="unlicensed_seller",
                platform_id=opening.platform.id,
                operator_refs=[file.operator_ref],
                strength="strong" if fault is not _with_expired_licence else "weak",
                note=note,
            )
        )


def _without_licence(file: OperatorRegistered, _: _Opening) -> tuple[OperatorRegistered, str]:
    return msgspec.structs.replace(file, licence=None), "no licence on file"


def _with_expired_licence(file: OperatorRegistered, opening: _Opening) -> tuple[OperatorRegistered, str]:
    expired = Licence(
        number=file.licence.number if file.licence else file.operator_ref,
        issued_on=opening.today - timedelta(days=2_000),
        expires_on=opening.today - timedelta(days=opening.draw.randrange(20, 400)),
        scope=file.licence.scope if file.licence else [],
    )
    return msgspec.structs.replace(file, licence=expired), f"licence expired on {expired.expires_on}"


def _with_wrong_number(file: OperatorRegistered, opening: _Opening) -> tuple[OperatorRegistered, str]:
    number = with_wrong_check_digit(registration("CN", opening.draw).number)
    forged = Registration(scheme="uscc", number=number)
    _, name = company_name("CN", opening.draw)
    file = msgspec.structs.replace(file, jurisdiction="CN", legal_name=name, registration=forged)
    return file, f"check digit of {number} is wrong"


def _ban_and_return(accounts: Accounts, opening: _Opening, places: Sequence[int]) -> None:
    draw, timeline = opening.draw, opening.timeline
    for turn, place in enumerate(places):
        banned = replace(
            accounts.everyone[place],
            registered_ms=timeline.start_ms + draw.randrange(6 * HOUR_MS),
            closed_ms=timeline.start_ms + draw.randrange(9 * DAY_MS, 14 * DAY_MS),
            popularity=max(accounts.everyone[place].popularity, 0.05),
            misconduct=0.8,
        )
        accounts.everyone[place] = banned
        strong = turn % 2 == 0
        returned = _under_new_name(banned, opening, len(accounts.everyone), strong=strong)
        accounts.everyone.append(returned)
        accounts.planted.append(
            Planted(
                scheme="banned_returns",
                platform_id=opening.platform.id,
                operator_refs=[banned.file.operator_ref, returned.file.operator_ref],
                sought_refs=[returned.file.operator_ref],
                strength="strong" if strong else "weak",
                note="same account, device and representative" if strong else "same bank account only",
            )
        )


def _under_new_name(banned: Account, opening: _Opening, place: int, *, strong: bool) -> Account:
    country = banned.file.jurisdiction
    owner = entity(country, opening.draw, today=opening.today)
    file = _file(opening.ref(place), owner, banned.categories, opening.platform)
    file = msgspec.structs.replace(
        file,
        bank_accounts=banned.file.bank_accounts,
        devices=banned.file.devices if strong else file.devices,
        representative=banned.file.representative if strong else person_name(country, opening.draw),
    )
    opened_ms = banned.closed_ms + opening.draw.randrange(DAY_MS // 2, 4 * DAY_MS)
    return replace(banned, file=file, registered_ms=opened_ms, closed_ms=NEVER)
