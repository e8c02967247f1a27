"""Does this begin like SIP? By the first line alone (RFC 3261 7.1, 7.2)."""

import re

_START = re.compile(
    rb"(?:SIP/2\.0 [1-6][0-9][0-9](?: |\r|\n|$)|[A-Z][A-Z0-9._-]{1,20} (?:sips?|tel):\S{1,1000} SIP/2\.0\r?(?:\n|$))"
)
_EARLY = re.compile(rb"[A-Z][A-Z0-9._-]{1,20} (?:sips?|tel):|SIP/2\.0 [1-6]")


def starts_like_sip(content: bytes) -> bool:
    """True for a whole first line of a request or a response."""
    return _START.match(content) is not None


def begins_like_sip(content: bytes) -> bool:
    """The same for a line of which the end may be missing."""
    return _EARLY.match(content) is not None
