"""What was changed between a SIP message as it was sent and as somebody further on saw it. Pure; judges nothing.

The later view may be whole (a mirror's answer) or cut off (a router's quote): then only what it covers is compared.
Lines are matched by header name, SDP lines by their letter, so that a line put in, taken out or moved does not make
every line behind it look changed. Nothing here trusts either message to be SIP.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_CRLF = b"\r\n"
_BLANK_LINE = _CRLF + _CRLF

# RFC 3261 7.3.3, for the headers that gosip-check itself sends.
_COMPACT = {
    "v": "Via", "m": "Contact", "f": "From", "t": "To", "i": "Call-ID", "l": "Content-Length", "c": "Content-Type",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One line that is not as it was sent. `before` is None for a line that was put in, `after` for one taken out."""

    where: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Comparison:
    """What a later view of a message tells.

    seen_bytes: size of that view.
    whole: it reaches to the end of the message, body included.
    covered: names of the lines that it shows in full, e.g. `Via`, `SDP c=`.
    changes: the lines that differ, in the order of the message sent.
    legible: it is text. False means that no change in it can be believed: the quote itself is damaged.
    """

    seen_bytes: int
    whole: bool
    covered: tuple[str, ...]
    changes: tuple[Change, ...]
    legible: bool

    @property
    def identical(self) -> bool:
        """Everything that could be seen is as it was sent; says nothing when `seen_bytes` is 0."""
        return not self.changes


@dataclass(frozen=True)
class _Line:
    where: str
    text: str
    in_body: bool


def compare(sent: bytes, seen: bytes) -> Comparison:
    """Compare `seen`, whole or cut off anywhere, with `sent`."""
    legible = all(octet >= 0x20 or octet in b"\r\n\t" for octet in seen)
    if sent.startswith(seen):
        whole = len(seen) == len(sent)
        lines = _lines(seen) if whole else _lines(seen)[:-1]
        return Comparison(len(seen), whole, tuple(line.where for line in lines), (), legible)
    whole = _is_whole(seen)
    before, after = _lines(sent), _lines(seen)
    unfinished = None if whole else after.pop()
    changes = _changes(before, after, unfinished, head_is_whole=_BLANK_LINE in seen, whole=whole)
    return Comparison(len(seen), whole, tuple(line.where for line in after), tuple(changes), legible)


def _changes(
    before: Sequence[_Line], after: Sequence[_Line], unfinished: _Line | None, *, head_is_whole: bool, whole: bool
) -> list[Change]:
    pairs = _pairs(before, after)
    changes = []
    for index, line in enumerate(before):
        if index in pairs:
            other = after[pairs[index]]
            if other.text != line.text:
                changes.append(Change(line.where, line.text, other.text))
        elif unfinished is not None and unfinished.where == line.where:
            if not line.text.startswith(unfinished.text):
                changes.append(Change(line.where, line.text, unfinished.text + "…"))
            unfinished = None
        elif whole or (head_is_whole and not line.in_body):
            changes.append(Change(line.where, line.text, None))
    found = set(pairs.values())
    changes += [Change(line.where, None, line.text) for index, line in enumerate(after) if index not in found]
    order = list(pairs.values())
    if order != sorted(order):
        names = [before[index].where for index in pairs]
        seen = [after[index].where for index in sorted(order)]
        changes.append(Change("order of lines", ", ".join(names), ", ".join(seen)))
    return changes


def _pairs(before: Sequence[_Line], after: Sequence[_Line]) -> dict[int, int]:
    """Index in `before` -> index in `after`, by name: equal lines first, then what is left in its order."""
    pairs: dict[int, int] = {}
    free: dict[str, list[int]] = defaultdict(list)
    for index, line in enumerate(after):
        free[line.where].append(index)
    for index, line in enumerate(before):
        equal = next((other for other in free[line.where] if after[other].text == line.text), None)
        if equal is not None:
            pairs[index] = equal
            free[line.where].remove(equal)
    for index, line in enumerate(before):
        if index not in pairs and free[line.where]:
            pairs[index] = free[line.where].pop(0)
    return dict(sorted(pairs.items()))


def _is_whole(message: bytes) -> bool:
    """The blank line is there and as much body behind it as Content-Length says."""
    head, blank, body = message.partition(_BLANK_LINE)
    for line in _lines(head):
        if blank and line.where == "Content-Length":
            value = line.text.partition(":")[2].strip()
            return value.isascii() and value.isdigit() and len(value) < 6 and len(body) >= int(value)
    return False


def _lines(message: bytes) -> list[_Line]:
    """The lines with their names. A message that is cut off inside a line ends in that unfinished line."""
    head, blank, body = message.partition(_BLANK_LINE)
    lines = []
    for index, text in enumerate(_texts(head)):
        lines.append(_Line(_header_name(text) if index else "request line", text, in_body=False))
    if blank:
        lines.append(_Line("end of headers", "", in_body=False))
    if body:
        for text in _texts(body.removesuffix(_CRLF)):
            lines.append(_Line(f"SDP {text[0]}=" if text[1:2] == "=" else "body", text, in_body=True))
    return lines


def _texts(block: bytes) -> list[str]:
    """A line ends in CRLF; a carriage return at the very end is a line end that was cut in two."""
    return [line.decode("utf-8", "backslashreplace") for line in block.removesuffix(b"\r").split(_CRLF)]


def _header_name(text: str) -> str:
    """The usual spelling, so that `max-forwards` is found to be `Max-Forwards` written otherwise."""
    name = text.partition(":")[0].strip()
    if name.lower() in _COMPACT:
        return _COMPACT[name.lower()]
    words = {"call-id": "Call-ID", "cseq": "CSeq"}
    return words.get(name.lower(), "-".join(part.capitalize() for part in name.split("-")))
