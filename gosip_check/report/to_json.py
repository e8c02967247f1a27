"""A report as JSON: the versioned document that is attached to an order. `gosip-check schema` describes it."""

import re

import msgspec

from gosip_check.records import Report

# JSON may hold these as they are, but a terminal that shows the document would obey them.
_UNSAFE_ON_A_TERMINAL = re.compile(
    "[\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0]"
)


def to_json(report: Report) -> str:
    """Indented JSON with a final line break. NaN and infinity, which no probe should bring, become null."""
    text = msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
    return safe(text) + "\n"


def safe(text: str) -> str:
    """The same JSON document with nothing in it that a terminal would obey."""
    return _UNSAFE_ON_A_TERMINAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
