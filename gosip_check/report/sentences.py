"""Text as sentences: what is said once is not said again, and what is cut is cut between two of them. Pure."""

import re
from collections.abc import Iterable

_BETWEEN = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])")


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
    """In one sentence: only the first begins with a capital, but for names such as `SIP`."""
    first, *others = titles
    return ", ".join([first, *(f"{t[:1].lower()}{t[1:]}" if t[1:2].islower() else t for t in others)])
