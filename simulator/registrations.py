"""Valid numbers of public registers and of goods, drawn from a seeded generator."""

from collections.abc import Callable
from random import Random

from stdnum import ean, luhn
from stdnum.br import cnpj
from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_10
from stdnum.jp import cn as corporate_number

from shared.events.platform import Registration

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CN_DISTRICTS = ("110105", "310115", "330106", "330782", "350203", "370202", "440106", "440305")
_EIN_CAMPUSES = ("12", "20", "27", "36", "45", "47", "58", "82", "84", "95")
_GS1_PREFIXES = {"CN": "69", "US": "01", "DE": "40", "KR": "880", "BR": "789", "JP": "49", "FR": "34"}


def registration(country: str, draw: Random) -> Registration:
    """Return a registration whose number passes its register's own check."""
    scheme, number = _SCHEMES[country]
    return Registration(scheme=scheme, number=number(draw))


def with_wrong_check_digit(number: str) -> str:
    """Return the USCC with the check digit that follows the right one."""
    place = _USCC_ALPHABET.index(number[-1])
    return number[:-1] + _USCC_ALPHABET[(place + 1) % len(_USCC_ALPHABET)]


def gtin(country: str, item: int) -> str:
    """Return a GTIN-13 in the range of the country."""
    prefix = _GS1_PREFIXES[country]
    body = prefix + str(item % 10 ** (12 - len(prefix))).zfill(12 - len(prefix))
    return body + ean.calc_check_digit(body)


def _uscc(draw: Random) -> str:
    organisation = "MA" + "".join(draw.choices(_USCC_ALPHABET, k=6))
    number = f"91{draw.choice(_CN_DISTRICTS)}{organisation}{_organisation_check_digit(organisation)}"
    return number + uscc.calc_check_digit(number)


def _organisation_check_digit(organisation: str) -> str:
    # GB 11714: python-stdnum checks only the USCC's own digit, other checkers look at this one too.
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(sign, 36) * weight for sign, weight in zip(organisation, weights, strict=True))
    return "0123456789X0"[11 - total % 11]


def _ein(draw: Random) -> str:
    return f"{draw.choice(_EIN_CAMPUSES)}-{draw.randrange(10**7):07d}"


def _german_vat(draw: Random) -> str:
    number = str(draw.randrange(10**7, 10**8))
    return f"DE{number}{mod_11_10.calc_check_digit(number)}"


def _brn(draw: Random) -> str:
    kind = draw.choice(("81", "86", "87", "88"))
    number = f"{draw.randrange(101, 620)}{kind}{draw.randrange(1, 10**4):04d}"
    digits = [int(digit) for digit in number]
    total = sum(digit * weight for digit, weight in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=True))
    return f"{number}{-(total + digits[8] * 5 // 10) % 10}"


def _cnpj(draw: Random) -> str:
    number = f"{draw.randrange(10**8):08d}0001"
    return number + cnpj.calc_check_digits(number)


def _corporate_number(draw: Random) -> str:
    number = f"{draw.randrange(10**11, 10**12)}"
    return corporate_number.calc_check_digit(number) + number


def _siren(draw: Random) -> str:
    number = str(draw.randrange(3 * 10**7, 10**8))
    return number + luhn.calc_check_digit(number)


_SCHEMES: dict[str, tuple[str, Callable[[Random], str]]] = {
    "CN": ("uscc", _uscc),
    "US": ("ein", _ein),
    "DE": ("vat", _german_vat),
    "KR": ("brn", _brn),
    "BR": ("cnpj", _cnpj),
    "JP": ("cn", _corporate_number),
    "FR": ("siren", _siren),
}
