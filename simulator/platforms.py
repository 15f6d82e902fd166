"""The sample platforms: who trades there, in which currency, and who carries and pays."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Licensing:
    """By whom a platform's payment institutions are certified, and as what."""

    jurisdiction: str
    scheme: str
    authority: str


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A marketplace. `price_level` is what a dollar's worth costs there, in hundredths of its own unit."""

    id: str
    prefix: str
    currency: str
    price_level: int
    share: float
    countries: tuple[tuple[str, int], ...]
    couriers: tuple[str, ...]
    channels: tuple[str, ...]
    institutions: tuple[str, ...]
    licensing: Licensing
    in_chinese: bool = False


JADE_MALL = Platform(
    id="jade-mall",
    prefix="JM",
    currency="CNY",
    price_level=720,
    share=0.40,
    countries=(("CN", 70), ("KR", 10), ("JP", 8), ("DE", 6), ("FR", 6)),
    couriers=("SF Express", "YTO Express", "China Post"),
    channels=("alipay", "wechat_pay", "unionpay"),
    institutions=("cn-pay-001", "cn-pay-002", "cn-pay-003"),
    licensing=Licensing(jurisdiction="CN", scheme="payment_business_licence", authority="People's Bank of China"),
    in_chinese=True,
)
HARBOR_TRADE = Platform(
    id="harbor-trade",
    prefix="HT",
    currency="USD",
    price_level=100,
    share=0.35,
    countries=(("CN", 45), ("US", 30), ("BR", 10), ("KR", 10), ("JP", 5)),
    couriers=("DHL eCommerce", "USPS", "Yanwen"),
    channels=("card", "wallet"),
    institutions=("us-acq-001", "us-acq-002"),
    licensing=Licensing(jurisdiction="US", scheme="money_services_business", authority="FinCEN"),
)
EUROBAZAAR = Platform(
    id="eurobazaar",
    prefix="EB",
    currency="EUR",
    price_level=92,
    share=0.25,
    countries=(("CN", 35), ("DE", 35), ("FR", 20), ("US", 5), ("BR", 5)),
    couriers=("DHL", "Colissimo", "Cainiao"),
    channels=("card", "sepa", "wallet"),
    institutions=("eu-acq-001", "eu-acq-002"),
    licensing=Licensing(jurisdiction="DE", scheme="payment_institution", authority="BaFin"),
)
PLATFORMS = (JADE_MALL, HARBOR_TRADE, EUROBAZAAR)
