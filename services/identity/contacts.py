"""Phone numbers, mail addresses, bank accounts and devices in the form in which they are compared. Pure."""

import re
import unicodedata

import phonenumbers

_NOT_WRITTEN = re.compile(r"[\W_]+")
_SHORTEST = 4
# Half of a number that cannot be read as one says nothing.
_FEWEST_DIGITS = 7


# Mobile numbers of China, as most are stated here: read at once, since the library looks through much else first.
_CHINESE_MOBILE = re.compile(r"(?:\+86[ -]?)?(1[358]\d)[ -]?(\d{4})[ -]?(\d{4})")


def phone(text: str, country: str) -> str | None:
    """Return a phone number as E.164 writes it; a national one is of the country. None where it is none."""
    bare = unicodedata.normalize("NFKC", text).strip()
    mobile = _CHINESE_MOBILE.fullmatch(bare) if bare.isascii() else None
    if mobile is not None and (bare.startswith("+") or country.upper() == "CN"):
        return f"+86{mobile[1]}{mobile[2]}{mobile[3]}"
    try:
        read = phonenumbers.parse(bare, country.upper())
    except phonenumbers.NumberParseException:
        digits = "".join(sign for sign in bare if sign.isdecimal())
        return digits if len(digits) >= _FEWEST_DIGITS and _says_something(digits) else None
    written = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
    return written if _says_something(str(read.national_number)) else None


def email(text: str) -> str | None:
    """Return a mail address in lower case; None where it is none."""
    bare = unicodedata.normalize("NFKC", text).strip().lower()
    name, at, host = bare.partition("@")
    return bare if name and at and host else None


def reference(text: str) -> str | None:
    """Return a bank account or a device without spaces, hyphens, colons and case; None where it says nothing."""
    bare = _NOT_WRITTEN.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return bare if len(bare) >= _SHORTEST and _says_something(bare) else None


def _says_something(text: str) -> bool:
    """Tell whether not all signs are the same: 000000 stands where nobody wanted to say."""
    return len(set(text)) > 1
