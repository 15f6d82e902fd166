"""The registers' own checks of numbers, by scheme."""

from stdnum.br import cnpj
from stdnum.cn import uscc
from stdnum.de import vat
from stdnum.fr import siren
from stdnum.jp import cn
from stdnum.kr import brn
from stdnum.us import ein

from shared.events.platform import Registration

_CHECKS = {
    "brn": brn.is_valid,
    "cn": cn.is_valid,
    "cnpj": cnpj.is_valid,
    "ein": ein.is_valid,
    "siren": siren.is_valid,
    "uscc": uscc.is_valid,
    "vat": vat.is_valid,
}


def passes_check(registration: Registration) -> bool:
    return bool(_CHECKS[registration.scheme](registration.number))
