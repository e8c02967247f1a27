"""SDP as an offer or an answer shows it (RFC 8866, RFC 3264): what is needed to say which codec flows where. Text only.

Lenient: a line that cannot be read is left out, and reading raises nothing.
"""

import re
from dataclasses import dataclass, field

from gosip_check.wire.sip_fields import is_number

_CONNECTION = re.compile(r"IN IP[46] ([0-9A-Za-z.:-]{1,64})")
_MEDIA = re.compile(r"([a-z0-9-]{1,20}) (\d{1,5})(?:/\d+)? ([A-Za-z0-9/]{1,40})((?: \S{1,20}){0,64})")
_RTPMAP = re.compile(r"rtpmap:(\d{1,3}) ([A-Za-z0-9_.-]{1,40})/(\d{1,7})")
_STATIC = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    18: ("G729", 8000),
}
"RFC 3551 6: payload types that need no rtpmap."

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass
class Media:
    """One m= line and what belongs to it. codecs: payload type -> (name in capitals, clock). port 0: refused."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    host: str | None
    direction: str = "sendrecv"
    codecs: dict[int, tuple[str, int]] = field(default_factory=dict)
    has_ice: bool = False

    @property
    def payloads(self) -> list[int]:
        """The payload types in their order of preference."""
        return [int(text) for text in self.formats if is_number(text) and len(text) < 4]

    def codec_of(self, payload: int) -> tuple[str, int] | None:
        return self.codecs.get(payload) or _STATIC.get(payload)


def read(body: bytes) -> list[Media]:
    """Every media line, in order; empty where the body is no SDP."""
    host: str | None = None
    direction = "sendrecv"
    has_ice = False
    media: list[Media] = []
    for raw in body.decode("utf-8", "replace").splitlines()[:1000]:
        kind, _, value = raw.strip().partition("=")
        if kind == "c" and (match := _CONNECTION.match(value)):
            if media:
                media[-1].host = match[1]
            else:
                host = match[1]
        elif kind == "m" and (match := _MEDIA.match(value)):
            name, port, protocol, formats = match.groups()
            media.append(Media(name, int(port), protocol.upper(), formats.split(), host, direction, has_ice=has_ice))
        elif kind == "a":
            if value in DIRECTIONS:
                if media:
                    media[-1].direction = value
                else:
                    direction = value
            elif value.startswith(("ice-ufrag", "candidate")):
                has_ice = has_ice or not media
                if media:
                    media[-1].has_ice = True
            elif media and (match := _RTPMAP.match(value)):
                media[-1].codecs[int(match[1])] = (match[2].upper(), int(match[3]))
    return media


def audio(body: bytes) -> Media | None:
    """The first audio line that is not refused."""
    return next((each for each in read(body) if each.kind == "audio" and each.port), None)


def alaw(host: str, port: int, event: int | None, version: int = 1, direction: str = "sendrecv") -> bytes:
    """One audio line: A-law in packets of 20 ms, and telephone-event of this payload type. host: an IPv4 address."""
    lines = [
        "v=0",
        f"o=BroadWorks 1 {version} IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 8{'' if event is None else f' {event}'}",
        "a=rtpmap:8 PCMA/8000",
        *([] if event is None else [f"a=rtpmap:{event} telephone-event/8000", f"a=fmtp:{event} 0-15"]),
        "a=ptime:20",
        f"a={direction}",
        "",
    ]
    return "\r\n".join(lines).encode()


ANSWERED_BY = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
"The direction of an offer -> that of its answer (RFC 3264 6.1)."


def event_payload(described: Media) -> int | None:
    """The payload type of telephone-event at the clock of A-law (RFC 4733 2.1: the same as that of the sound)."""
    wanted = ("TELEPHONE-EVENT", 8000)
    return next((payload for payload in described.payloads if described.codec_of(payload) == wanted), None)
