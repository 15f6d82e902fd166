"""How well hidden links are found: perturbed copies of real companies, linked by the service's own functions.

`make links COMPANIES=companies_cn.csv.gz SEEDS="21 22 23"`; the file has the columns name, province, city and address.
"""

import argparse
import csv
import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from statistics import mean
from typing import NamedTuple
from uuid import UUID, uuid5

from benchmarks.results import write_between
from services.identity import rule_values
from services.identity.attributes import attributes
from services.identity.blind import BlindIndex
from services.identity.linking import Policy
from services.identity.network import Holder, Network, Pair, pair_of
from shared.events.platform import Contacts, OperatorRegistered

_SPACE = UUID("6f0f3f0e-4f0f-4b8f-9c57-1d1a4f0e9a11")
_OPENED = datetime(2026, 1, 1, tzinfo=UTC)
_FORMS = ("股份有限公司", "有限责任公司", "有限公司", "公司")
_PARTS = re.compile(r".+?(?:自治区|街道|大道|单元|[省市区县镇乡村街路巷弄号楼栋幢座室层]|$)")
_REGION = re.compile(r"^[\u4e00-\u9fff]{2,3}?(?:省|自治区)")
_CITY = re.compile(r"^[\u4e00-\u9fff]{2,4}?市(?=.{4})")


class Firm(NamedTuple):
    """A company's name and where it is."""

    name: str
    province: str
    city: str
    address: str


Perturb = Callable[[Firm, Random, Sequence[Firm]], Firm]


def _slip(text: str, draw: Random, letters: str) -> str:
    """Replace, drop, double or exchange one sign that is no digit, before the legal form of a name."""
    end = next((len(text) - len(form) for form in _FORMS if text.endswith(form)), len(text))
    places = [place for place in range(end) if not text[place].isdigit()]
    if len(places) < 3:
        return text
    place = draw.choice(places)
    how = draw.choice(("replace", "replace", "drop", "double", "exchange"))
    if how == "replace":
        return text[:place] + draw.choice(letters) + text[place + 1 :]
    if how == "drop":
        return text[:place] + text[place + 1 :]
    if how == "double":
        return text[: place + 1] + text[place:]
    return text[:place] + text[place + 1 : place + 2] + text[place] + text[place + 2 :]


def _name_typo(firm: Firm, draw: Random, others: Sequence[Firm]) -> Firm:
    return firm._replace(name=_slip(firm.name, draw, draw.choice(others).name))


def _address_typo(firm: Firm, draw: Random, others: Sequence[Firm]) -> Firm:
    return firm._replace(address=_slip(firm.address, draw, draw.choice(others).name))


def _both_typos(firm: Firm, draw: Random, others: Sequence[Firm]) -> Firm:
    return _name_typo(_address_typo(firm, draw, others), draw, others)


def _abbreviated(firm: Firm, draw: Random, _: Sequence[Firm]) -> Firm:
    """Leave out the region and most of the legal form of the name, and province and city of the address."""
    name = firm.name
    for region in (firm.province, firm.city):
        if name.startswith(region) and len(name) > len(region) + 6:
            name = re.sub(f"^{region}[省市]?", "", name)
    name = name.replace("有限责任公司", "有限公司") if draw.random() < 0.5 else _without_form(name)
    return firm._replace(name=name, address=_CITY.sub("", _REGION.sub("", firm.address)))


def _without_form(name: str) -> str:
    return next((name.removesuffix(form) for form in _FORMS if name.endswith(form) and len(name) > len(form) + 2), name)


def _reordered(firm: Firm, draw: Random, _: Sequence[Firm]) -> Firm:
    parts = _PARTS.findall(firm.address)
    draw.shuffle(parts)
    return firm._replace(address=draw.choice((" ", ", ", "")).join(parts))


def _old_name(firm: Firm, draw: Random, others: Sequence[Firm]) -> Firm:
    """Give it the name it had before: another one altogether."""
    return firm._replace(name=draw.choice(others).name)


def _other_form(firm: Firm, draw: Random, _: Sequence[Firm]) -> Firm:
    form = draw.choice(("有限公司", "有限责任公司", "股份有限公司", "集团有限公司"))
    return firm._replace(name=_without_form(firm.name) + form)


def _two_of_them(firm: Firm, draw: Random, others: Sequence[Firm]) -> Firm:
    for perturb in draw.sample((_name_typo, _address_typo, _abbreviated, _reordered, _other_form), 2):
        firm = perturb(firm, draw, others)
    return firm


PERTURBATIONS: dict[str, Perturb] = {
    "typing error in the name": _name_typo,
    "typing error in the address": _address_typo,
    "typing errors in both": _both_typos,
    "abbreviated name and address": _abbreviated,
    "address in another order": _reordered,
    "old name, same address": _old_name,
    "another legal form": _other_form,
    "two of these": _two_of_them,
}


@dataclass
class Trial:
    """Who is a copy of whom, how it was perturbed, and what was linked."""

    truth: dict[Pair, str]
    found: set[Pair]

    @property
    def precision(self) -> float:
        """Return the share of links that are of a company and its copy."""
        return len(self.found & self.truth.keys()) / len(self.found) if self.found else 1.0

    def recall(self, kind: str | None = None) -> float:
        """Return the share of copies, of one kind or of all, that are linked to their company."""
        of = {pair for pair, how in self.truth.items() if kind in (None, how)}
        return len(of & self.found) / len(of)


def read_firms(path: Path) -> list[Firm]:
    """Read companies in the form of the file: name, province, city and address."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return [Firm(row["name"], row["province"], row["city"], row["address"]) for row in csv.DictReader(lines)]


def house_policy() -> Policy:
    """Return the values that a new installation starts with."""
    with Path(rule_values.__file__).with_name("rule_values.csv").open(encoding="utf-8", newline="") as lines:
        return rule_values.policy({row["name"]: float(row["value"]) for row in csv.DictReader(lines)})


def try_out(firms: Sequence[Firm], weighed_by: Policy, *, seed: int, shared: bool) -> Trial:
    """Perturb half of the companies, put all of them into a network in a drawn order, and see who is linked."""
    draw = Random(f"hidden links {seed}")
    files = [(_id(seed, number, "own"), firm, f"{number}") for number, firm in enumerate(firms)]
    truth: dict[Pair, str] = {}
    kinds = list(PERTURBATIONS)
    for turn, number in enumerate(draw.sample(range(len(firms)), len(firms) // 2)):
        how = kinds[turn % len(kinds)]
        copy = _id(seed, number, "copy")
        files.append((copy, PERTURBATIONS[how](firms[number], draw, firms), f"{number}"))
        truth[pair_of(_id(seed, number, "own"), copy)] = how
    draw.shuffle(files)
    network = Network(lambda _: weighed_by)
    blind = BlindIndex(draw.randbytes(32))
    for identifier, firm, origin in files:
        network.put(_holder(identifier, firm, blind, origin if shared else None))
    return Trial(truth, set(network.links))


def _id(seed: int, number: int, what: str) -> UUID:
    return uuid5(_SPACE, f"{seed}/{number}/{what}")


def _holder(identifier: UUID, firm: Firm, blind: BlindIndex, origin: str | None) -> Holder:
    own = Random(origin)
    further: dict[str, object] = {}
    if origin is not None:
        # One thing more that a company and its copy share, and what everybody has of one's own.
        kind = own.choice(("phone", "bank_accounts", "devices", "representative"))
        value = f"1{own.randrange(3 * 10**9, 9 * 10**9)}"
        further = {kind: [value] if kind.endswith("s") else value}
    phone = further.pop("phone", None)
    file = OperatorRegistered(
        operator_ref=str(identifier),
        legal_name=firm.name,
        entity_type="company",
        jurisdiction="CN",
        contacts=Contacts(address=firm.address, phone=phone if isinstance(phone, str) else None),
        **further,  # type: ignore[arg-type]  # one of two forms, by its name
    )
    return Holder(
        account_id=identifier,
        platform_id="north",
        operator_ref=str(identifier),
        operator_id=identifier,
        opened_at=_OPENED,
        stated_at=_OPENED,
        attributes=attributes(blind, file),
    )


def report(trials: dict[str, list[Trial]], command: str, seeds_used: Sequence[int]) -> Iterator[str]:
    """Write the figures as lines of a document: the mean of the seeds, and the least and the largest."""
    yield f"Measured on {date.today():%Y-%m-%d} by `{command}`, seeds {', '.join(map(str, seeds_used))}; the mean, and"  # noqa: DTZ011
    yield "in brackets the least and the largest of the seeds."
    yield ""
    yield "| | " + " | ".join(trials) + " |"
    yield "|---|" + "---|" * len(trials)
    rows = {"precision": "precision", "recall": None, **{f"recall: {kind}": kind for kind in PERTURBATIONS}}
    for name, kind in rows.items():
        cells = [[t.precision if kind == "precision" else t.recall(kind) for t in of] for of in trials.values()]
        yield f"| {name} | " + " | ".join(f"{mean(c):.3f} ({min(c):.3f} – {max(c):.3f})" for c in cells) + " |"


def main() -> None:
    """Measure, print, and write into the document where one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    firms, weighed_by = read_firms(options.companies), house_policy()
    trials = defaultdict(list)
    for shared, name in ((False, "names and addresses"), (True, "and one thing more")):
        for seed in options.seeds:
            trials[name].append(try_out(firms, weighed_by, seed=seed, shared=shared))
    lines = "\n".join(
        report(trials, f'make links COMPANIES=<file> SEEDS="{" ".join(map(str, options.seeds))}"', options.seeds)
    )
    print(lines)
    if options.out is not None:
        write_between(options.out, f"{lines}\n")


if __name__ == "__main__":
    main()
