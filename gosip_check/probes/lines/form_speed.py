"""The speed of a line as somebody wrote it on the form: `100/40 Mbit/s`, `1 Gbps`, `500 down 100 up`."""

import re
from dataclasses import dataclass

_NUMBER = r"(\d{1,6}(?:[.,]\d{1,3})?)"
_UNIT = r"\s*([kmg])?(?:b|bit|bits|bps)?(?:/s|ps)?"
_PAIR = re.compile(
    rf"^{_NUMBER}{_UNIT}\s*(?:down|dl|d)?\s*(?:/|x|,|;|\s)\s*{_NUMBER}{_UNIT}\s*(?:up|ul|u)?\.?$", re.IGNORECASE
)
_ONE = re.compile(rf"^{_NUMBER}{_UNIT}\.?$", re.IGNORECASE)
_FACTOR = {"k": 1, "m": 1000, "g": 1_000_000}


@dataclass(frozen=True)
class Speed:
    """Of a line, in kb/s."""

    up_kbps: int
    down_kbps: int

    def __str__(self) -> str:
        return f"{self.down_kbps / 1000:g} Mb/s down and {self.up_kbps / 1000:g} Mb/s up"


def parse_speed(text: str) -> Speed | None:
    """Download first, as contracts have it; one number stands for both ways; Mb/s where no unit is named."""
    words = text.strip()
    pair = _PAIR.match(words)
    if pair:
        unit = pair[4] or pair[2] or "m"
        return Speed(up_kbps=_kbps(pair[3], unit), down_kbps=_kbps(pair[1], pair[2] or unit))
    one = _ONE.match(words)
    if one:
        both = _kbps(one[1], one[2] or "m")
        return Speed(up_kbps=both, down_kbps=both)
    return None


def _kbps(number: str, unit: str) -> int:
    return round(float(number.replace(",", ".")) * _FACTOR[unit.lower()])
