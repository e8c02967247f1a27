"""Text logs to messages: Asterisk (chan_pjsip and chan_sip), pjsua, FreeSWITCH, Cisco CUBE, and bare messages.

By their separators, and by where a first line of SIP stands. Lines may carry a log's own prefix, end in LF alone, or be
wrapped; what was masked stays masked. Line by line, so linear; nothing here raises.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gosip_check.trace.found import Found
from gosip_check.wire.sip_fields import is_number

_LONGEST_LINE = 8192
_LONGEST_OF_UTF_8 = 4 * _LONGEST_LINE
_MOST_LINES = 400
"Of one message."
_DAY_S = 86_400.0

_PLACE = r"\[?([0-9A-Fa-f.:]{3,45}?)\]?:(\d{1,5})"
_SEPARATORS: tuple[tuple[re.Pattern[str], bool], ...] = (
    (re.compile(rf"<--- Transmitting SIP \w+ \(\d+ bytes\) to (\w+):{_PLACE} --->"), True),
    (re.compile(rf"<--- Received SIP \w+ \(\d+ bytes\) from (\w+):{_PLACE} --->"), False),
    (re.compile(rf"<--- SIP read from (\w+):{_PLACE} --->"), False),
    (re.compile(rf"[Tt]ransmitting()(?: #\d+)? \([^)]{{0,20}}\) to {_PLACE}"), True),
    (re.compile(rf"\bTX \d+ bytes .{{0,200}} to (\w+) {_PLACE}"), True),
    (re.compile(rf"\bRX \d+ bytes .{{0,200}} from (\w+) {_PLACE}"), False),
    (re.compile(rf"\bsend \d+ bytes to (\w+)/{_PLACE}"), True),
    (re.compile(rf"\brecv \d+ bytes from (\w+)/{_PLACE}"), False),
    (re.compile(r"(?:^|[\s:])Sent:()()()\s*$"), True),
    (re.compile(r"(?:^|[\s:])Received:()()()\s*$"), False),
)
"Pattern (transport, address, port) -> did the machine that wrote the log send it? In the order of the docstring."
_SEPARATOR_HINTS = ("bytes", "<---", "ransmitting", "Sent:", "Received:")

_END = re.compile(r"\s*(?:--end msg--|<-{3,}>?|-{3,}|--- \(\d+ headers.*)\s*$")
_START = re.compile(r"(?:^|[\s:\]>])(SIP/2\.0 [1-6]\d\d(?: .*)?|[A-Z]{3,20} (?:sips?|tel):.{1,500} SIP/2\.0)\s*$")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}[ \t]*:")
_BODY = re.compile(r"[A-Za-z][A-Za-z.-]{0,20}[ \t]?=")
_TIME = re.compile(r"\b([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:[.,](\d{1,6}))?")
_LOG_LINE = re.compile(r"\W{0,3}(?:\d{4}-\d\d-\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d|\d\d:\d\d:\d\d)")


@dataclass
class _Message:
    """A message while its lines are read. prefix: what the log puts before each of them."""

    time_s: float | None
    transport: str
    peer: tuple[str, int] | None
    is_sent: bool | None
    prefix: re.Pattern[str] | None = None
    head: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    is_in_body: bool = False


def messages(content: bytes, most: int) -> list[Found]:
    """In the order of the file, `most` of them at most."""
    return [message for message, _ in zip(_all(content), range(most), strict=False)]


def _all(content: bytes) -> Iterator[Found]:
    clock = _Clock()
    current: _Message | None = None
    announced: _Message | None = None
    for raw in io.BytesIO(content):  # not all at once: a list of short lines is many times as large as the log
        line = raw[:_LONGEST_OF_UTF_8].decode("utf-8", "replace").rstrip("\r\n")[:_LONGEST_LINE]
        separator = _separator(line)
        start = _START.search(line) if "SIP/2.0" in line and separator is None else None
        if separator is not None or start is not None:
            if current is not None:
                yield _found(current)
                current = None
            clock.see(line)
        if separator is not None:
            announced = _Message(clock.now_s, *separator)
        elif start is not None:
            current = announced or _Message(clock.now_s, "UDP", None, None)
            announced = None
            current.prefix = _prefix(line[: start.start(1)])
            current.head.append(start[1].strip())
        elif current is None:
            clock.see(line)
        elif not _goes_on(current, line):
            yield _found(current)
            current = None
            clock.see(line)
    if current is not None:
        yield _found(current)


def _separator(line: str) -> tuple[str, tuple[str, int] | None, bool] | None:
    if not any(hint in line for hint in _SEPARATOR_HINTS):
        return None
    for pattern, is_sent in _SEPARATORS:
        match = pattern.search(line)
        if match is not None:
            transport, host, port = match.groups()
            peer = (host, int(port)) if host and port else None
            transport = transport.upper() if transport.upper() in ("UDP", "TCP", "TLS") else "UDP"
            return transport, peer, is_sent
    return None


def _prefix(text: str) -> re.Pattern[str] | None:
    """What the first line had before it, with other digits: a time and a process number change from line to line."""
    if not text:
        return None
    parts = re.split(r"(\d+|\s+)", text[-200:])
    shapes = [r"\d+" if part.isdigit() else r"\s+" if part.isspace() else re.escape(part) for part in parts]
    return re.compile("".join(shapes))


def _goes_on(message: _Message, line: str) -> bool:
    """Take the line into the message; False where the message has ended before it."""
    if message.prefix is not None:
        match = message.prefix.match(line)
        if match is None and line.strip() == "":
            line = ""
        elif match is not None:
            line = line[match.end() :]
        else:
            line = line.lstrip()
    if _END.match(line):
        return False
    if len(message.head) + len(message.body) >= _MOST_LINES:
        return False
    if message.is_in_body:
        if not _BODY.match(line):
            return False
        message.body.append(line)
    elif not line.strip():
        message.is_in_body = True
    elif _HEADER.match(line):
        message.head.append(line.rstrip())
    elif line[:1] in " \t":
        message.head[-1] += f" {line.strip()}"
    elif _LOG_LINE.match(line):
        return False
    else:  # wrapped by a terminal or a viewer
        message.head[-1] += line.strip()
    return True


def _found(message: _Message) -> Found:
    body = "".join(f"{line}\r\n" for line in message.body).encode()
    head, length = [], 0
    for line in message.head:
        name, _, text = line.partition(":")
        if name.strip().lower() in ("content-length", "l"):
            value = text.strip()
            length = int(value) if is_number(value) and len(value) < 6 else 0
        else:
            head.append(line)
    # A log may change line ends, and masking the length of numbers: the length that was sent is not that of the log.
    head.append(f"Content-Length: {len(body)}")
    is_cut = (length > 0 and not body) or not message.is_in_body
    here, there = (None, message.peer) if message.is_sent else (message.peer, None)
    content = "\r\n".join([*head, "", ""]).encode() + body
    return Found(message.time_s, message.transport, here, there, content, is_cut, message.is_sent)


class _Clock:
    """The time of day that the lines name; seconds that grow from day to day, None until one is named."""

    def __init__(self) -> None:
        self.now_s: float | None = None
        self._day_s = 0.0

    def see(self, line: str) -> None:
        match = _TIME.search(line[:200])
        if match is None:
            return
        hours, minutes, seconds, fraction = match.groups()
        at_s = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
        if self.now_s is not None and self._day_s + at_s < self.now_s - _DAY_S / 2:
            self._day_s += _DAY_S
        self.now_s = self._day_s + at_s
