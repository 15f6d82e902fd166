"""Legal entities behind the shops: names, registrations, licences and ways to reach them."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from shared.events.platform import Contacts, Licence, Registration
from simulator.registrations import registration


@dataclass(frozen=True, kw_only=True)
class Entity:
    """A company as a public register and its bank would know it."""

    country: str
    legal_name: str
    entity_type: str
    registration: Registration
    licence: Licence
    representative: str
    contacts: Contacts
    bank_account: str
    device: str
    customs_registration: str | None


@dataclass(frozen=True)
class _Country:
    cities: tuple[str, ...]
    stems: tuple[str, ...]
    trades: tuple[str, ...]
    form: str
    people: tuple[str, ...]
    given: tuple[str, ...]
    person: str
    calling_code: str


_COUNTRIES = {
    "CN": _Country(
        ("深圳市", "杭州市", "广州市", "义乌市", "宁波市", "厦门市", "青岛市", "上海市"),
        tuple("恒瑞鑫华远达盛通嘉泰宏信"),
        ("贸易", "电子商务", "科技", "供应链管理", "进出口", "跨境电商"),
        "{city}{stem}{second}{third}{trade}有限公司",
        tuple("王李张刘陈杨赵黄周吴徐孙"),
        ("伟", "敏", "静", "丽", "强", "磊", "洋", "艳", "勇", "晓东", "思远", "雨晴", "建国", "子涵"),
        "{family}{given}",
        "+86",
    ),
    "US": _Country(
        ("Portland", "Austin", "Newark", "Tacoma", "Ontario", "Savannah"),
        ("Blue", "North", "River", "Summit", "Cedar", "Harbor", "Iron", "Maple", "Silver", "Bright"),
        ("Trading", "Goods", "Outfitters", "Supply", "Imports", "Brands"),
        "{stem} {second} {third} {trade} LLC",
        ("Carter", "Nguyen", "Lopez", "Miller", "Brooks", "Patel", "Reed", "Diaz"),
        ("Emma", "Liam", "Ava", "Noah", "Mia", "Owen", "Zoe", "Ethan"),
        "{given} {family}",
        "+1",
    ),
    "DE": _Country(
        ("Hamburg", "Köln", "Leipzig", "Bremen", "Stuttgart", "Nürnberg"),
        ("Nord", "Rhein", "Elbe", "Berg", "Stern", "Wald", "Adler", "Linden", "Hansa", "Main"),
        ("Handels", "Versand", "Import", "Waren", "Vertriebs"),
        "{stem}{second} {third} {trade} GmbH",
        ("Müller", "Schmidt", "Weber", "Wagner", "Becker", "Hoffmann", "Koch", "Krüger"),
        ("Anna", "Jonas", "Lena", "Paul", "Marie", "Felix", "Sophie", "Lukas"),
        "{given} {family}",
        "+49",
    ),
    "KR": _Country(
        ("서울", "부산", "인천", "대구", "광주"),
        ("한빛", "대성", "우리", "미래", "하늘", "푸른", "누리", "가온", "서진", "동해"),
        ("무역", "상사", "유통", "커머스", "글로벌"),
        "주식회사 {stem}{second}{third}{trade}",
        tuple("김이박최정강조윤"),
        ("민준", "서연", "지훈", "하은", "도윤", "수아", "예준", "지우"),
        "{family}{given}",
        "+82",
    ),
    "BR": _Country(
        ("São Paulo", "Curitiba", "Recife", "Belo Horizonte", "Fortaleza"),
        ("Sol", "Verde", "Norte", "Ouro", "Praia", "Serra", "Brisa", "Aurora", "Costa", "Vale"),
        ("Comércio", "Importadora", "Distribuidora", "Varejo"),
        "{stem} {second} {third} {trade} Ltda.",
        ("Silva", "Santos", "Oliveira", "Souza", "Lima", "Pereira", "Costa"),
        ("Ana", "João", "Beatriz", "Pedro", "Camila", "Rafael", "Larissa"),
        "{given} {family}",
        "+55",
    ),
    "JP": _Country(
        ("東京", "大阪", "名古屋", "福岡", "横浜"),
        ("青葉", "朝日", "富士", "桜", "光", "松", "東海", "瑞穂", "若葉", "白鳥"),
        ("商事", "貿易", "物産", "通商"),
        "株式会社{stem}{second}{third}{trade}",
        ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本"),
        ("陽菜", "蓮", "結衣", "悠真", "美咲", "大翔", "葵"),
        "{family} {given}",
        "+81",
    ),
    "FR": _Country(
        ("Lyon", "Lille", "Nantes", "Marseille", "Bordeaux"),
        ("Soleil", "Azur", "Étoile", "Rivage", "Prairie", "Lune", "Cèdre", "Aube", "Mistral", "Galet"),
        ("Négoce", "Distribution", "Import", "Boutique"),
        "{stem} {second} {third} {trade} SARL",
        ("Martin", "Bernard", "Petit", "Durand", "Moreau", "Laurent", "Girard"),
        ("Camille", "Louis", "Chloé", "Hugo", "Manon", "Jules", "Inès"),
        "{given} {family}",
        "+33",
    ),
}


def entity(country: str, draw: Random, *, today: date) -> Entity:
    """Return a company with a valid registration and a licence in force; its scope is the shop's to fill."""
    city, name = company_name(country, draw)
    number = registration(country, draw)
    return Entity(
        country=country,
        legal_name=name,
        entity_type="sole_proprietor" if draw.random() < 0.12 else "company",
        registration=number,
        licence=Licence(
            number=f"{country}{draw.randrange(10**10):010d}",
            issued_on=today - timedelta(days=draw.randrange(300, 3_000)),
            expires_on=today + timedelta(days=draw.randrange(200, 4_000)),
        ),
        representative=person_name(country, draw),
        contacts=_contacts(country, city, draw),
        bank_account=f"ba-{draw.getrandbits(48):012x}",
        device=f"dv-{draw.getrandbits(48):012x}",
        customs_registration=f"{draw.randrange(10**9):010d}" if country == "CN" else None,
    )


def company_name(country: str, draw: Random) -> tuple[str, str]:
    """Return a city and the name of a company that could be registered there."""
    words = _COUNTRIES[country]
    city = draw.choice(words.cities)
    stem, second, third = draw.sample(words.stems, 3)
    trade = draw.choice(words.trades)
    return city, words.form.format(city=city, stem=stem, second=second, third=third, trade=trade)


def person_name(country: str, draw: Random) -> str:
    """Return an invented name in the order the country writes it."""
    words = _COUNTRIES[country]
    return words.person.format(family=draw.choice(words.people), given=draw.choice(words.given))


def _contacts(country: str, city: str, draw: Random) -> Contacts:
    return Contacts(
        address=f"{draw.randrange(1, 400)}, {draw.randrange(1, 60)}, {city}, {country}",
        phone=f"{_COUNTRIES[country].calling_code} {draw.randrange(10**9, 10**10)}",
        email=f"office{draw.getrandbits(32):08x}@shops.example",
    )
