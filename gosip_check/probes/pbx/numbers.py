"""Telephone numbers in SIP URIs: in which form they stand, whose they are, and how they are shown. Text only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gosip_check.heard import Heard
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_fields import Address, read_address
from gosip_check.wire.sip_uri import Uri, host_key, read_uri

_MASKED = re.compile(r"x{3,}|X{3,}|\*{3,}|#{3,}|\[email|<masked>|…", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d{3,}")
_LONGEST_SHORT = 6
"Emergency and service numbers, and those of five digits."


@dataclass(frozen=True)
class Numbers:
    """How numbers look in this country, and which are the account's. user: the SIP user name, where it is known."""

    country_code: str
    national_digits: int
    user: str | None
    own: frozenset[str]
    show: bool

    def form_of(self, user: str) -> str | None:
        """username, national, country, plus, international, short, other; None where it was masked, or is open."""
        text = user.partition(";")[0]
        if _MASKED.search(text):
            return None
        if self.user is not None and text == self.user:
            return "username"
        if not self.national_digits:
            return None
        plus, digits = text.startswith("+"), text.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            return "other"
        code, length = self.country_code, self.national_digits
        if digits.startswith(code) and len(digits) == len(code) + length:
            return "plus" if plus else "country"
        if plus:
            return "international" if 7 <= len(digits) <= 15 else "other"
        if digits.startswith("00"):
            return "international" if 9 <= len(digits) <= 17 and digits[2] != "0" else "other"
        if len(digits) == length and digits[0] != "0":
            return "national"
        return "short" if len(digits) <= _LONGEST_SHORT else "other"

    def national(self, user: str) -> str:
        """Without + and country code, to be compared."""
        text = user.partition(";")[0].removeprefix("+")
        code = self.country_code
        return text[len(code) :] if code and text.startswith(code) and len(text) > self.national_digits else text

    def is_own(self, user: str) -> bool | None:
        """None where nobody has said which numbers the account has, and it is not the one that registers."""
        number = self.national(user)
        if number in self.own or (self.user is not None and number == self.national(self.user)):
            return True
        return False if self.own else None

    def shown(self, text: str) -> str:
        """For a sentence: the last two digits of each number, unless they are to be shown."""
        return text if self.show else _LONG_NUMBER.sub(lambda match: f"…{match[0][-2:]}", text)


def numbers_of(heard: Heard, country_code: str, national_digits: int) -> Numbers:
    """The user name is the one that was given, else the one that a registration used with success."""
    user = heard.user or next(
        (
            uri.user
            for each in heard.requests("REGISTER")
            if each.status == 200 and (uri := uri_of(each.request.header("To"))) is not None and uri.user
        ),
        None,
    )
    own = frozenset(_national(heard.numbers, country_code, national_digits))
    return Numbers(country_code, national_digits, user, own, heard.show_numbers)


def _national(numbers: Iterable[str], code: str, digits: int) -> Iterable[str]:
    for number in numbers:
        text = number.removeprefix("+")
        yield text[len(code) :] if len(text) == len(code) + digits and text.startswith(code) else text


def address_of(value: str | None) -> Address | None:
    """None where it is not there or cannot be read."""
    if value is None:
        return None
    try:
        return read_address(value)
    except WireError:
        return None


def uri_of(value: str | None) -> Uri | None:
    """The SIP URI of From, To, Contact or an identity; None where it is not there, or is none."""
    address = address_of(value)
    return None if address is None else uri(address.uri)


def uri(text: str) -> Uri | None:
    """A SIP URI; None for any other, and for one whose host was masked."""
    try:
        read = read_uri(text)
    except WireError:
        return None
    return None if _MASKED.search(read.host) else read


def is_masked(text: str | None) -> bool:
    """Somebody took a number or a name out of the log."""
    return text is not None and _MASKED.search(text) is not None


def host_form(read: Uri, domain: str) -> str:
    """domain, address (an IP address) or other-domain."""
    if host_key(domain) == read.host:
        return "domain"
    return "address" if ":" in read.host or read.host.replace(".", "").isdigit() else "other-domain"
