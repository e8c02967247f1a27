"""Text as sentences: what is said once is not said again, and what is cut is cut between two of them. Pure."""

import re
from collections.abc import Iterable

_BETWEEN = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])")
_HEADERS = ("To", "From", "Contact", "Via")
"Of SIP: they begin titles, and no other title begins with these."


def sentences(text: str) -> list[str]:
    """The sentences of a text; code in backticks and figures such as `7.0` stay whole."""
    return [sentence for sentence in _BETWEEN.split(text.strip()) if sentence]


def first_sentence(text: str) -> str:
    """Empty for no text."""
    return next(iter(sentences(text)), "")


def once(texts: Iterable[str]) -> list[str]:
    """Each text once, in their order."""
    return list(dict.fromkeys(filter(None, texts)))


def listed(titles: Iterable[str]) -> str:
    """In one sentence: only the first begins with a capital, but for names such as `SIP` or the header `From`."""
    first, *others = titles
    return ", ".join([first, *(t if _is_name(t) else f"{t[:1].lower()}{t[1:]}" for t in others)])


def _is_name(title: str) -> bool:
    return not title[1:2].islower() or title.partition(" ")[0] in _HEADERS
